"""One simulated node: it performs its participant's effects as node/rounds/driver.py does, in virtual time.

It has a disk that survives a kill (disk.py), one engine (engine.py), and a clock that may be wrong.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, assert_never

from consensus.certificates.certificate import verify_certificate
from consensus.learning.roster import choose_roster
from consensus.rounds import delivery
from consensus.rounds import effects as fx
from consensus.rounds.admission import PlacesOnly
from consensus.rounds.events import Worked
from consensus.rounds.membership import Restored
from consensus.rounds.participant import Participant
from consensus.rounds.pulls import LeftOut
from consensus.rounds.validation import Admitted
from protocol import codec
from protocol.conversation import single
from protocol.errors import Fault, Verdict
from protocol.messages import Opening
from protocol.signing import VerifiedMessage
from protocol.streams import Pong
from protocol.types import Digest, Key, Kind
from simnet.adversaries.behaviour import Accomplice, Action, AdversaryContext, Frame, Later, Stream
from simnet.chance import chance
from simnet.checkers import Checkers
from simnet.clockwork import Clockwork
from simnet.disk import Disk
from simnet.engine import SimEngine
from simnet.network import Network
from simnet.plan import SPECIALTY, Plan, PlannedQuery
from simnet.scenario import ScenarioError
from simnet.sim_learning import take_in, trust_of
from simnet.trace import Trace

REQUEST_BYTES = 128
"""Bytes of a small request: an id and a frame."""


class Watch(Protocol):
    """An observer of the rounds that nodes ask for."""

    def saw(self, node: int, effect: fx.Progress | fx.Decide | fx.Certify | fx.RoundEnded) -> None:
        """Take a requester's or member's result."""


@dataclass(frozen=True, slots=True)
class SharedWorld:
    """Objects that all machines of a world share."""

    plan: Plan
    clock: Clockwork
    network: Network
    checkers: Checkers
    trace: Trace
    watch: Watch


class Machine:
    """A node of the world, and a `network.Host`."""

    def __init__(self, node: int, shared: SharedWorld) -> None:
        plan = shared.plan
        self.node = node
        self.up = True
        self.keypair = plan.keypairs[node]
        self.behaviour = plan.behaviours[node]
        self._admission = PlacesOnly(known=plan.knows)
        self.participant = Participant(self.keypair, plan.params, admission=self._admission, trusted=plan.trust.weights)
        self._shared = shared
        self._honest = node in plan.honest
        self._disk = Disk()
        self._life = 0
        self._doomed: int | None = None
        self._wakes_at_ms: int | None = None
        traits = chance(plan.scenario.seed, "machine", node)
        skew_ms = plan.scenario.faults.clock_skew_ms
        self._skew_ms = traits.randint(-skew_ms, skew_ms)
        slowness = math.exp(plan.scenario.engine.spread * traits.gauss(0.0, 1.0))
        self._random = chance(plan.scenario.seed, "hands", node)
        self._engine = SimEngine(plan, node, slowness, self._random)

    # -- life and death ------------------------------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """Time on its own clock."""
        return self._shared.clock.now_ms + self._skew_ms

    def doom(self, effects: int) -> None:
        """SIGKILL after this many more effects; with 0, now."""
        if effects:
            self._doomed = effects
        else:
            self.kill()

    def kill(self) -> None:
        """SIGKILL: only the disk is left."""
        if self.up:
            self._note("killed")
            self.up, self._doomed, self._wakes_at_ms = False, None, None
            self._life += 1
            self._shared.network.forget(self.node)

    def start(self, *, disk_lost: bool) -> None:
        """Start again after a kill, as node/daemon.py and node/rounds/driver.py do (R12)."""
        plan, now_ms = self._shared.plan, self.now_ms
        if disk_lost:
            self._disk = Disk(joins_from_ms=now_ms + plan.params.clock_skew_ms)
        self._note("started")
        self._shared.checkers.restarted(self.node)
        self.up = True
        self._engine.restart()
        self.participant = Participant(
            self.keypair,
            plan.params,
            joins_from_ms=self._disk.joins_from_ms,
            admission=self._admission,
            trusted=plan.trust.weights,
        )
        self._disk.drop_before(now_ms)
        for query, until_ms in self._disk.guard.items():
            self.participant.validator.guard(query, until_ms)
        for query, join in self._disk.rounds.items():
            if join.requester != self.keypair.public:
                messages = {slot: message for slot, message in self._disk.journal.items() if slot.query == query}
                restored = Restored(messages, self._disk.openings.get(query))
                self.participant.recover(query, join.requester, restored, join.deadline_ms)
        self.offer()

    # -- calls of the world
    # ----------------------------------------------------------------------------------------------

    def offer(self) -> None:
        """Announce the node's offer."""
        shard = self._shared.plan.shard_of(self.node)
        self.perform(self.participant.offer(self._shared.plan.offer(self.node, self.now_ms), shard, self.now_ms))

    def ask(self, asking: PlannedQuery) -> tuple[Digest, int, list[fx.Effect]] | None:
        """Begin a round. Returns None if nobody offers to work.

        The result is its id, its number of members and the effects to perform. Raises ScenarioError for a query that
        the network refuses.
        """
        plan = self._shared.plan
        offers = self.participant.validator.offers.valid(self.now_ms)
        trust = trust_of(plan, self._disk.experience, asking)
        presence, valid_ms = self.participant.presence, plan.params.offer_valid_ms
        seatable = presence.seatable([offer.author for offer in offers], self.now_ms, valid_ms)
        roster = choose_roster(offers, SPECIALTY, trust, plan.params.members_max, plan.draw(asking, seatable))
        if not roster:
            return None
        query = plan.query(asking, self.now_ms, roster, self._disk.experience.query_priors(asking.question.task))
        slack_ms = presence.slack_ms(seat.member for seat in roster)
        begun = self.participant.ask(
            query, LeftOut(single(asking.question.text), plan.tests(asking)), self.now_ms, slack_ms
        )
        if isinstance(begun, Fault):
            raise ScenarioError(f"the network refuses such a query: {begun}")
        id, effects = begun
        return id, len(roster), effects

    def cancel(self, query: Digest) -> None:
        """Cancel a round of its own, if there is still something to cancel."""
        if self.up:
            self.perform(self.participant.cancel(query, self.now_ms) or ())

    def take_gossip(self, topic: str, source: Key, data: bytes) -> Verdict:
        """Validate a gossiped message and act on it."""
        admitted = self.participant.validator.admit_gossip(topic, source, data, self.now_ms)
        if isinstance(admitted, Fault):
            return admitted.verdict
        self._admit(admitted)
        return Verdict.ACCEPT

    def take_stream(self, source: Key, data: bytes) -> bytes:
        """Take a contribution over a stream; the reply is empty if it was accepted (node/rounds/inbound.py)."""
        admitted = self.participant.validator.admit_stream(source, data, self.now_ms)
        if isinstance(admitted, Admitted):
            self._admit(admitted)
        return delivery.reply_to_contribution(admitted)

    def take_repeated(self, source: Key, data: bytes) -> bytes | None:
        """Take a query that its requester repeats; an empty reply means that the node works on it."""
        if not self.behaviour.replies():
            return None
        taken = self.participant.take_repeated(source, data, self.now_ms)
        if isinstance(taken, str):
            return taken.encode()
        self._admit(taken)
        return self.participant.reply_to_query(taken.message.id).encode()

    def take_ping(self) -> bytes | None:
        """Answer a ping with the time on the node's clock."""
        return codec.encode(Pong(clock_ms=self.now_ms)) if self.behaviour.replies() else None

    def _admit(self, admitted: Admitted) -> None:
        message = admitted.message
        self._note(message.kind.name, message.id)
        seen = delivery.sighting(self._shared.plan.params, admitted, self.now_ms)
        if seen is not None and not self._disk.admit_query(seen):
            delivery.pass_over(self.participant, seen.query)
            return
        if not self._honest:
            for action in self.behaviour.hear(message, self._desk()):
                self._act(action)
            if not self.behaviour.takes(message):
                return
        self._shared.checkers.heard(self.node, message, self.now_ms)
        self.perform(self.participant.on_admitted(admitted, self.now_ms))

    # -- effects -------------------------------------------------------------------------------------------------------

    def perform(self, effects: Iterable[fx.Effect]) -> None:
        """Perform effects in order, as the driver does, and then deliver messages between the node's own roles."""
        life = self._life
        own: Iterable[fx.Effect] | None = effects
        while own is not None:
            for effect in own:
                for action in (effect,) if self._honest else self.behaviour.perform(effect, self._desk()):
                    self._act(action)
                if self._doomed is not None:
                    self.doom(self._doomed - 1)
                if self._life != life:
                    return
            own = self.participant.take_local_message(self.now_ms)
        self._wake_in_time()

    def _act(self, action: Action) -> None:
        match action:
            case fx.Journal(slot, message, secret):
                self._shared.checkers.signed(self.node, message)
                self._disk.journal[slot] = message
                if secret:
                    opening = codec.decode(Opening, secret)
                    assert isinstance(opening, Opening)
                    self._disk.openings[Digest(slot.query)] = opening
            case fx.Join():
                self._disk.drop_before(self.now_ms)
                self._disk.rounds[action.query] = action
            case fx.Publish(topics, message):
                self._shared.checkers.signed(self.node, message)
                self._note("publish", message.id)
                for topic in topics:
                    self._publish(topic, message)
            case fx.Contribute():
                self._contribute(action)
            case fx.Pull():
                self._pull(action, 0)
            case fx.FetchCertificate():
                self._fetch(action, 0)
            case fx.Probe():
                self._probe(action)
            case fx.Generate() | fx.RunTests() | fx.Judge():
                self._begin(action)
            case fx.Certify(query, _, _, certificate):
                self._disk.keep(query, certificate)
                self._shared.checkers.certified(self.node, certificate)
                self._learn(certificate)
                self._shared.watch.saw(self.node, action)
            case fx.Progress() | fx.Decide():
                self._shared.watch.saw(self.node, action)
            case fx.RoundEnded(query, role, _, _, _):
                self._note(f"{role} {action.ending}", query)
                if role == "member" and action.ending is not fx.Ending.CANCELLED:
                    self._disk.rounds.pop(query, None)
                self._shared.watch.saw(self.node, action)
            case fx.PlaceFreed(query):
                self._note("place freed", query)
                self._disk.rounds.pop(query, None)
            case Frame(topic, source, data, to):
                numbers = None if to is None else tuple(self._shared.plan.number_of[key] for key in to)
                self._shared.network.publish(self.node, topic, source, data, to=numbers)
            case Stream(requester, data):
                self._send(requester, data, lambda _: None)
            case Later(after_ms, later):
                self._after(after_ms, self._act, later)
            case Accomplice(node, theirs):
                if (accomplice := self._peer(node)).up:
                    accomplice._act(theirs)
            case _:
                assert_never(action)

    def _publish(self, topic: str, message: VerifiedMessage) -> None:
        self._shared.network.publish(
            self.node,
            topic,
            self.keypair.public,
            message.envelope,
            held=message,
            standing=message.kind is Kind.OFFER,
        )

    def _contribute(self, effect: fx.Contribute, tries: int = 1) -> None:
        """Send by stream; without an acknowledgement gossip, or send again what is private."""
        message = effect.message
        self._shared.checkers.signed(self.node, message)
        self._note("contribute", message.id)

        def acknowledged(reply: bytes | None) -> None:
            handover = delivery.hand_over(effect, reply, tries)
            if handover.gossip:
                self._publish(effect.topic, message)
            if handover.again_ms is not None:
                self._after(handover.again_ms, self._contribute, effect, tries + 1)
            if handover.delivered is not None:
                self._shared.checkers.delivered(self.node, message, self.now_ms)
                self.perform(self.participant.on_work_done(handover.query, handover.delivered, self.now_ms))

        self._send(effect.requester, message.envelope, acknowledged)

    def _send(self, requester: Key, data: bytes, acknowledged: Callable[[bytes | None], None]) -> None:
        """Send a contribution, or a dishonest node's own bytes."""
        self._request(
            requester,
            len(data),
            lambda target: target.take_stream(self.keypair.public, data),
            acknowledged,
            fx.ACKNOWLEDGE_MS,
            retried=True,
        )

    def _pull(self, effect: fx.Pull, position: int) -> None:
        """Pull from one source after the other, until one is useful (R13)."""
        sources = delivery.pull_sources(effect, self.keypair.public)
        if position >= len(sources):
            return
        request = delivery.pull_request(effect)

        def serve(target: Machine) -> bytes | None:
            served = target.participant.serve_pull(self.keypair.public, request)
            if isinstance(served, Fault):
                return None
            self._shared.checkers.served(target.node, effect.query, served.reply)
            return served.reply

        def answered(reply: bytes | None) -> None:
            effects = None if reply is None else self.participant.on_pull_reply(effect.query, reply, self.now_ms)
            if effects is None or isinstance(effects, Fault):
                self._pull(effect, position + 1)
            else:
                self._note("pulled", effect.query)
                self.perform(effects)

        self._request(sources[position], len(request), serve, answered, fx.PULL_SOURCE_MS)

    def _fetch(self, effect: fx.FetchCertificate, position: int) -> None:
        """Ask one source after the other for the announced bytes."""
        if position >= len(effect.sources):
            return

        def fetched(raw: bytes | None) -> None:
            if raw is not None and delivery.is_announced(effect, raw):
                self._note("fetched", effect.digest)
                self._disk.keep(effect.query, raw)
            else:
                self._fetch(effect, position + 1)

        source = effect.sources[position]
        self._request(
            source, REQUEST_BYTES, lambda target: target.certificate(effect.query), fetched, fx.PULL_SOURCE_MS
        )

    def _probe(self, effect: fx.Probe) -> None:
        """Repeat the query, or ping."""
        message, sent_ms = effect.message, self.now_ms

        def serve(target: Machine) -> bytes | None:
            return target.take_ping() if message is None else target.take_repeated(message.author, message.envelope)

        def answered(reply: bytes | None) -> None:
            if reply is not None:
                replied = delivery.ProbeReply(effect, reply, sent_ms, self.now_ms)
                self.perform(delivery.on_probe_reply(self.participant, replied, self.now_ms))

        size = 0 if message is None else len(message.envelope)
        self._request(effect.member, size, serve, answered, fx.PROBE_REPLY_MS)

    def _request(
        self,
        peer: Key,
        size: int,
        serve: "Callable[[Machine], bytes | None]",
        answered: Callable[[bytes | None], None],
        timeout_ms: int,
        *,
        retried: bool = False,
    ) -> None:
        """Request something from a peer over a stream. The reply, None on timeout, is dropped after a restart."""
        number, life = self._shared.plan.number_of[peer], self._life
        target = self._peer(number)

        def alive(reply: bytes | None) -> None:
            if self._life == life:
                answered(reply)

        self._shared.network.request(self.node, number, size, lambda: serve(target), alive, timeout_ms, retried=retried)

    def certificate(self, query: Digest) -> bytes | None:
        """Return the certificate that it serves to members."""
        return self._disk.certificates.get(query)

    def _learn(self, certificate: bytes) -> None:
        """Learn from a round of its own."""
        plan = self._shared.plan
        if plan.scenario.reputation.gold:
            verified = verify_certificate(certificate)
            assert not isinstance(verified, Fault)
            asking = plan.asking(plan.oracle.asked(verified.turns[-1].text).number)
            take_in(plan, self._disk.experience, asking, verified.record, verified.ranking)

    # -- the engine ----------------------------------------------------------------------------------------------------

    def _begin(self, effect: fx.Generate | fx.RunTests | fx.Judge) -> None:
        """Start a job; its result comes back when it is done."""
        now_ms, latest_ms = self._shared.clock.now_ms, effect.deadline_ms - self._skew_ms
        match effect:
            case fx.Generate():
                job = self._engine.generate(effect, self._life, now_ms, latest_ms)
            case fx.RunTests():
                job = self._engine.run_tests(effect, now_ms, latest_ms)
            case fx.Judge():
                job = self._engine.judge(effect, now_ms, latest_ms)
        if job is not None:
            self._after(job.after_ms, self._worked, effect.query, job.event)

    def _worked(self, query: Digest, event: Worked) -> None:
        self.perform(self.participant.on_work_done(query, event, self.now_ms))

    # -- time ----------------------------------------------------------------------------------------------------------

    def _wake_in_time(self) -> None:
        wake_at_ms = self.participant.wake_at_ms
        if wake_at_ms is None:
            self._wakes_at_ms = None
            return
        at_ms = max(wake_at_ms - self._skew_ms, self._shared.clock.now_ms)
        if self._wakes_at_ms is None or at_ms < self._wakes_at_ms:
            self._wakes_at_ms = at_ms
            self._shared.clock.at(at_ms, self._wake, at_ms)

    def _wake(self, at_ms: int) -> None:
        if self._wakes_at_ms == at_ms:
            self._wakes_at_ms = None
            self.perform(self.participant.tick(self.now_ms))

    def _after(self, after_ms: int, action: object, *args: object) -> None:
        """Schedule an action that a kill cancels."""
        life = self._life

        def act() -> None:
            if self._life == life:
                action(*args)  # type: ignore[operator]

        self._shared.clock.after(after_ms, act)

    def _peer(self, node: int) -> "Machine":
        peer = self._shared.network.hosts[node]
        assert isinstance(peer, Machine)
        return peer

    def _desk(self) -> AdversaryContext:
        return AdversaryContext(self.keypair, self._shared.plan.params, self.now_ms, self._random)

    def _note(self, what: str, about: bytes = b"") -> None:
        self._shared.trace.note(self._shared.clock.now_ms, self.node, what, about)
