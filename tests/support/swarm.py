"""A swarm of participants in one virtual clock: no network, no model, no disk. It writes down what is said.

Nodes are named by letters; `a` asks. Delays are fixed, so a scenario has one trace.
"""

import heapq
import itertools
import tomllib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.certificates.evidence import Slot
from consensus.learning.waves import MODELS
from consensus.ranking.judges import FRESH
from consensus.rounds import delivery
from consensus.rounds import effects as fx
from consensus.rounds.events import AnswersTested, Generated, Judged, Unable, Worked
from consensus.rounds.membership import Restored
from consensus.rounds.participant import Participant
from consensus.rounds.pulls import LeftOut
from consensus.rounds.validation import Admitted
from protocol import codec
from protocol.conversation import digest_of, single
from protocol.errors import Fault
from protocol.messages import (
    AnswerContent,
    CloseCommits,
    CloseReports,
    CloseSlate,
    CloseTally,
    Cosign,
    Decline,
    Findings,
    Opening,
    Query,
    Seat,
)
from protocol.params import NetworkParams
from protocol.recall import forgetting
from protocol.signing import Keypair, VerifiedMessage
from protocol.streams import Pong
from protocol.types import ONE, DeclinedPhase, DeclineReason, Digest, FinishReason, Key, Objection, Role, TaskType
from tests.support.findings import NOTHING, found

GOSSIP_MS = 10
STREAM_MS = 5
START_MS = 1_000_000_000


def params(name: str = "minimal") -> NetworkParams:
    """A parameter set that ships with the project."""
    text = resources.files("configs").joinpath(f"params/{name}.toml").read_text()
    return NetworkParams.from_mapping(tomllib.loads(text))


@cache
def keypair(name: str) -> Keypair:
    """The key pair of a named node."""
    return Keypair(name.encode().ljust(32, b"."))


def answer_text(name: str) -> str:
    """A Rust answer that differs by name."""
    return f"```rust\nfn first_long() -> char {{ '{name}' }}\n```"


@dataclass
class Node:
    """One participant, its engine's script and its disk."""

    name: str
    participant: Participant
    text: str
    quality: float = 0.5
    generate_ms: int = 100
    judge_ms: int = 100
    testing_ms: int = 100
    tool_versions: str = ""
    finds: Callable[[int, str], Findings] = lambda answer, text: found(answer, text)
    """What it finds out about an answer, by position and text: that each text has a behaviour of its own."""
    unable_to_answer: DeclineReason | None = None
    unable_to_judge: DeclineReason | None = None
    up: bool = True
    journal: dict[Slot, VerifiedMessage] = field(default_factory=dict)
    opening: Opening | None = None
    joined: dict[Digest, Key] = field(default_factory=dict)
    finished: list[fx.RoundEnded] = field(default_factory=list)


Interceptor = Callable[["Swarm", Node, fx.Effect], list[fx.Effect] | None]
"""Misbehaviour: what a node does instead of an effect; None leaves it as it is."""


class Swarm:
    """Drives participants as the daemon does, in virtual time."""

    def __init__(self, names: str, network: NetworkParams | None = None, tool_versions: str = "") -> None:
        """Create nodes of these names; with `tool_versions` all of them can test."""
        self.params = network or params()
        self.now_ms = START_MS
        self.nodes: dict[str, Node] = {}
        self._names: dict[bytes, str] = {}
        for index, name in enumerate(names):
            node = Node(
                name,
                self.make_participant(name),
                answer_text(name),
                quality=1 - 0.1 * index,
                tool_versions=tool_versions,
            )
            self.nodes[name] = node
            self._names[node.participant.keypair.public] = name
        self.trace: list[str] = []
        self.interceptors: dict[str, Interceptor] = {}
        self.deaf: dict[str, Callable[[VerifiedMessage], bool]] = {}
        self.certificate: bytes | None = None
        self.decision: fx.Decide | None = None
        self.ran_tests: list[tuple[str, fx.RunTests]] = []
        self.heard: dict[str, list[VerifiedMessage]] = defaultdict(list)
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def make_participant(self, name: str) -> Participant:
        """A node's life begins."""
        return Participant(keypair(name), self.params)

    # -- what a scenario does ----------------------------------------------------------------------------------------

    def query(self, **changes: object) -> Query:
        """A query of `a` to every node of the swarm."""
        honest, inverse, coin, partisan = FRESH
        model = MODELS[TaskType(changes.get("task", TaskType.CODE))]
        seats = [
            Seat(
                member=node.participant.keypair.public,
                roles=Role.ANSWER | Role.JUDGE,
                vote_weight=ONE,
                judge_weight=ONE,
                author_weight=0,
                honest=honest,
                inverse=inverse,
                coin=coin,
                partisan=partisan,
                tool_versions=node.tool_versions,
            )
            for node in self.nodes.values()
        ]
        fields: dict[str, object] = {
            "author": self.nodes["a"].participant.keypair.public,
            "specialty": "rust",
            "shard": 0,
            "task": TaskType.CODE,
            "turns": single("Which?"),
            "content_digest": digest_of(single("Which?")),
            "max_tokens": 256,
            "answer_ms": 2_000,
            "open_ms": 1_000,
            "judge_ms": 2_000,
            "cosign_ms": 1_000,
            "patience_ms": 300,
            "waves": (3,),
            "threshold": ONE,
            "calibration_intercept": 0,
            "calibration_slope": ONE,
            "calibration_findings": 0,
            "confidence_min": 0,
            "beta": round(model.beta * ONE),
            "tau_u": round(model.tau_u * ONE),
            "tau_v": round(model.tau_v * ONE),
            "futility": 0,
            "findings": NOTHING,
            "sent_at_ms": self.now_ms,
            "nonce": b"n" * 32,
            "roster": tuple(sorted(seats, key=lambda seat: seat.member)),
        }
        return Query(**{**fields, **changes})  # type: ignore[arg-type]

    def ask(self, tests: str = "", **changes: object) -> Digest:
        """Let `a` ask; `tests` are what a query binds by digest."""
        asker = self.nodes["a"]
        begun = asker.participant.ask(
            self.query(**changes),
            LeftOut(changes.get("turns") or single("Which?"), tests),
            self.now_ms,  # type: ignore[arg-type]
        )
        assert not isinstance(begun, Fault), begun
        query, effects = begun
        self.perform(asker, effects)
        return query

    def cancel(self, query: Digest) -> bool:
        """Let `a` cancel a round."""
        asker = self.nodes["a"]
        effects = asker.participant.cancel(query, self.now_ms)
        self.perform(asker, effects or [])
        return effects is not None

    def run(self, until_ms: int = 60_000) -> None:
        """Let time pass until nothing is left to happen."""
        end_ms = START_MS + until_ms
        while True:
            waking = [node.participant.wake_at_ms for node in self.nodes.values() if node.up]
            due = [at for at in waking if at is not None]
            if self._heap:
                due.append(self._heap[0][0])
            if not due or min(due) > end_ms:
                return
            self.now_ms = max(self.now_ms, min(due))
            if self._heap and self._heap[0][0] <= self.now_ms:
                heapq.heappop(self._heap)[2]()
                continue
            for node in self.nodes.values():
                if node.up:
                    self.perform(node, node.participant.tick(self.now_ms))

    def at(self, after_ms: int, action: Callable[[], None]) -> None:
        """Schedule."""
        heapq.heappush(self._heap, (self.now_ms + after_ms, next(self._order), action))

    def kill(self, name: str) -> None:
        """SIGKILL: only the journal is left."""
        self.say(f"{name} dies")
        self.nodes[name].up = False

    def restart(self, name: str) -> None:
        """Start again with the journal."""
        self.say(f"{name} starts again")
        node = self.nodes[name]
        node.participant = self.make_participant(name)
        node.up = True
        for query, asked_by in node.joined.items():
            messages = {slot: message for slot, message in node.journal.items() if slot.query == query}
            restored = Restored(messages, node.opening)
            node.participant.recover(query, asked_by, restored, self.now_ms + 60_000)

    def verified(self) -> VerifiedCertificate:
        """The certificate, verified from its bytes."""
        assert self.certificate is not None
        with forgetting():  # as a reader would who took no part
            verified = verify_certificate(self.certificate)
        assert isinstance(verified, VerifiedCertificate), verified
        return verified

    def name(self, key: bytes) -> str:
        """The letter of a key."""
        return self._names[key]

    def names(self, keys: object) -> str:
        """Letters of several keys, in order."""
        return " ".join(sorted(self._names[key] for key in keys))  # type: ignore[attr-defined]

    def say(self, line: str) -> None:
        """Write a line of the trace."""
        self.trace.append(f"{self.now_ms - START_MS:>6}  {line}")

    # -- the world ---------------------------------------------------------------------------------------------------

    def perform(self, node: Node, effects: list[fx.Effect]) -> None:
        """Do what a participant asks, and then what it has to tell itself."""
        interceptor = self.interceptors.get(node.name)
        own: list[fx.Effect] | None = effects
        while own is not None:
            for effect in own:
                replaced = interceptor(self, node, effect) if interceptor else None
                for each in [effect] if replaced is None else replaced:
                    self._perform(node, each)
            own = node.participant.take_local_message(self.now_ms)

    def _perform(self, node: Node, effect: fx.Effect) -> None:
        match effect:
            case fx.Journal(slot, message, secret):
                node.journal[slot] = message
                if secret:
                    opening = codec.decode(Opening, secret)
                    assert isinstance(opening, Opening)
                    node.opening = opening
            case fx.Join(query, requester, _):
                node.joined[query] = requester
            case fx.Publish(topics, message):
                self.say(f"{node.name} => all  {self.describe(message)}")
                for other in self.nodes.values():
                    if other is not node:
                        self.gossip(other, topics[0], message)
            case fx.Contribute(requester, _, message):
                self.say(f"{node.name} -> {self.name(requester)}    {self.describe(message)}")
                self.at(STREAM_MS, lambda: self._stream(node, self.nodes[self.name(requester)], effect))
            case fx.Pull():
                self.say(f"{node.name} pulls {len(effect.ids) or 'the chain'}")
                self.at(2 * STREAM_MS, lambda: self._pull(node, effect))
            case fx.Probe(_, member, message):
                self.say(f"{node.name} {'pings' if message is None else 'repeats the query to'} {self.name(member)}")
                self.at(2 * STREAM_MS, lambda: self._probe(node, effect))
            case fx.Generate(query, _, _, _, _):
                self.at(node.generate_ms, lambda: self._generated(node, query))
            case fx.RunTests(query, stage):
                self.ran_tests.append((node.name, effect))
                findings = tuple(node.finds(index, effect.slate[index].text) for index in effect.assigned)
                self.at(node.testing_ms, lambda: self._worked(node, query, AnswersTested(stage, findings)))
            case fx.Judge(query, wave, _, pairs, _):
                self.at(node.judge_ms, lambda: self._judged(node, query, wave, pairs))
            case fx.Decide(_, ranking, _):
                self.decision = effect
                best = self.name(ranking.ranked[0].author) if ranking.ranked else "nobody"
                self.say(f"{node.name} decides: {ranking.outcome} ({ranking.reason}, {ranking.stop}), best is {best}")
            case fx.Certify(_, _, _, certificate):
                self.certificate = certificate
                verified = self.verified()
                kind = "full" if verified.full else "partial"
                self.say(f"{node.name} certifies: {kind}, co-signed by {self.names(verified.cosigners)}")
            case fx.RoundEnded(_, _, ending, outcome, fault):
                node.finished.append(effect)
                why = f": {fault.reason}" if fault else f": {outcome}" if outcome else ""
                self.say(f"{node.name} ends {ending}{why}")
            case fx.PlaceFreed():
                self.say(f"{node.name} frees the place")
            case fx.Progress() | fx.FetchCertificate():
                pass

    def gossip(self, other: Node, topic: str, message: VerifiedMessage) -> None:
        """One gossip delivery."""

        def deliver() -> None:
            if not other.up or self._is_deaf(other, message):
                return
            source = message.author
            admitted = other.participant.validator.admit_gossip(topic, source, message.envelope, self.now_ms)
            self._admit(other, message, admitted)

        self.at(GOSSIP_MS, deliver)

    def _stream(self, node: Node, other: Node, effect: fx.Contribute) -> None:
        """One contribution by stream. A requester that is down gets nothing: gossip would not reach it either."""
        message = effect.message
        if not other.up:
            return
        if self._is_deaf(other, message):
            # A requester that censors acknowledges all the same.
            self._handed_over(node, effect, b"")
            return
        source = node.participant.keypair.public
        admitted = other.participant.validator.admit_stream(source, message.envelope, self.now_ms)
        self._handed_over(node, effect, delivery.reply_to_contribution(admitted))
        self._admit(other, message, admitted)

    def _handed_over(self, node: Node, effect: fx.Contribute, reply: bytes) -> None:
        handover = delivery.hand_over(effect, reply)
        if node.up and handover.delivered is not None:
            self.perform(node, node.participant.on_work_done(handover.query, handover.delivered, self.now_ms))

    def _admit(self, node: Node, message: VerifiedMessage, admitted: Admitted | Fault) -> None:
        if isinstance(admitted, Fault):
            self.say(f"{node.name} refuses {self.describe(message)}: {admitted.reason}")
            return
        self.heard[node.name].append(admitted.message)
        self.perform(node, node.participant.on_admitted(admitted, self.now_ms))

    def _is_deaf(self, node: Node, message: VerifiedMessage) -> bool:
        deaf = self.deaf.get(node.name)
        return deaf is not None and deaf(message)

    def _pull(self, node: Node, pull: fx.Pull) -> None:
        request, own = delivery.pull_request(pull), node.participant.keypair.public
        for source in delivery.pull_sources(pull, own):
            other = self.nodes[self.name(source)]
            if not other.up:
                continue
            served = other.participant.serve_pull(own, request)
            if isinstance(served, Fault):
                continue
            if served.text_of is not None:
                self._text_fetched(served.text_of, own)
            effects = node.participant.on_pull_reply(pull.query, served.reply, self.now_ms)
            if not isinstance(effects, Fault):
                self.perform(node, effects)
                return

    def _text_fetched(self, query: Digest, member: Key) -> None:
        """Note that a member got the text of `a`'s query from `a`."""

    def _probe(self, node: Node, probe: fx.Probe) -> None:
        other, sent_ms = self.nodes[self.name(probe.member)], self.now_ms - 2 * STREAM_MS
        if not other.up or not node.up:
            return
        if probe.message is None:
            reply = codec.encode(Pong(clock_ms=self.now_ms - STREAM_MS))
        else:
            taken = other.participant.take_repeated(probe.message.author, probe.message.envelope, self.now_ms)
            if not isinstance(taken, str):
                self._admit(other, probe.message, taken)
                taken = other.participant.reply_to_query(probe.message.id)
            reply = taken.encode()
        replied = delivery.ProbeReply(probe, reply, sent_ms, self.now_ms)
        self.perform(node, delivery.on_probe_reply(node.participant, replied, self.now_ms))

    def _worked(self, node: Node, query: Digest, event: Worked) -> None:
        if node.up:
            self.perform(node, node.participant.on_work_done(query, event, self.now_ms))

    def _generated(self, node: Node, query: Digest) -> None:
        if not node.up:
            return
        if node.unable_to_answer is not None:
            event: Unable | Generated = Unable(DeclinedPhase.ANSWERING, 0, node.unable_to_answer)
            self.perform(node, node.participant.on_work_done(query, event, self.now_ms))
            return
        content = AnswerContent(text=node.text, finish=FinishReason.STOP, prompt_tokens=10, answer_tokens=20)
        event = Generated(content, salt=node.name.encode() * 32)
        self.perform(node, node.participant.on_work_done(query, event, self.now_ms))

    def _judged(self, node: Node, query: Digest, wave: int, pairs: tuple[tuple[str, str], ...]) -> None:
        if not node.up:
            return
        if node.unable_to_judge is not None:
            self._worked(node, query, Unable(DeclinedPhase.JUDGING, wave, node.unable_to_judge))
            return
        quality = {each.text: each.quality for each in self.nodes.values()}
        preferences = tuple(
            ONE // 2
            if quality[first] == quality[second]
            else ONE * 9 // 10
            if quality[first] > quality[second]
            else ONE // 10
            for first, second in pairs
        )
        self.perform(node, node.participant.on_work_done(query, Judged(wave, preferences), self.now_ms))

    def describe(self, message: VerifiedMessage) -> str:
        """A message in words, without digests."""
        kind = message.kind.name.lower().replace("_", " ")
        match message.body:
            case CloseCommits(commitments=commitments):
                return f"{kind} [{self.names(entry.member for entry in commitments)}]"
            case CloseSlate(answers=answers, evidence=evidence):
                return f"{kind} ({len(answers)} answers, {len(evidence)} evidence)"
            case CloseReports(stage=stage, reports=reports):
                return f"{kind} of stage {stage} ({len(reports)} reports)"
            case CloseTally(outcome=outcome, ballots=ballots, evidence=evidence):
                return f"{kind} {outcome} ({len(ballots)} ballots, {len(evidence)} evidence)"
            case Decline(phase=phase, reason=reason):
                return f"decline of {phase}: {reason}"
            case Cosign(objection=objection) if objection is not Objection.NONE:
                return f"{kind}: objects, {objection}"
            case _:
                return kind
