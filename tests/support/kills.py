"""A swarm of real processes whose nodes are killed, paused and ended at random moments, with engines that misbehave.

Each life of each node records what it is told; at the end every message that reached anybody is compared with every
other of its slot, and with its author's journal.
"""

from __future__ import annotations

import math
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import trio

from consensus.certificates.evidence import Slot, slot_of
from consensus.rounds import recording
from node.boot import boot_id
from node.clock import Clock
from node.inference import EngineConfig
from node.inference.supervision import end_with_stdin
from node.keys import load_or_create_key
from node.local.nodes import RECORDING_NAME, STOP_S, Child, NodeSpec, start_node
from node.local.swarm import open_swarm
from node.storage import open_store
from protocol import codec
from protocol.errors import Fault
from protocol.signing import VerifiedMessage, open_envelope
from protocol.streams import PullReply
from protocol.types import CLOSINGS, CONTRIBUTIONS, Digest, Kind
from tests.support.asking import ask, question_body
from tests.support.engine_server import Reply, StandIn, http, serving
from tests.support.hostile_server import closing
from tests.support.swarm import params

PARAMS = params("devnet")

LATENCY_MS = 100
"""of a scripted engine: a round takes a second or two, so that a blow hits every phase"""

ROUND = {"answer_ms": 4_000, "judge_ms": 4_000, "patience_ms": 500}
"""Budgets of a question, as POST /api/ask takes them."""

REST_OF_ROUND = {"round.open_ms": 3_000, "round.cosign_ms": 3_000}
"""Budgets that only the configuration has."""

ROUND_S_MAX = 60.0
"""seconds for a round to end: all budgets together, and a pause, several times over"""

BLOW_S_MAX = 2.0
"""seconds after the question in which a blow falls"""

PAUSE_S_MAX = 5.0
BACK_S_MAX = 60.0
"""seconds for a node to be ready again before the run is given up"""

POLL_S = 0.05

BLOWS = ("kill",) * 6 + ("pause", "stop", "engine", "engine")
"""kinds of blows, as often as they fall: SIGKILL, SIGSTOP for a while, an orderly end, an engine's mood"""

MOODS = ("slow", "hang", "garbage", "die")


class MoodyEngine(StandIn):
    """A model server that is slow, hangs, replies with garbage or hangs up, as long as it is in the mood."""

    mood = ""

    def reply_to(self, path: str, headers: str, body: Any) -> Reply:
        """See Server."""
        good = super().reply_to(path, headers, body)
        match self.mood:
            case "slow":

                async def late(stream: trio.SocketStream) -> None:
                    await trio.sleep(2 * LATENCY_MS / 1000)
                    await good(stream)

                return late
            case "hang":
                return self.hang
            case "garbage":
                return http(b"\x00\xff[[[[" * 1_000)
            case "die":
                return closing(b"")
        return good


@dataclass
class Report:
    """What a run came to. Each list of complaints is empty in a good one."""

    seed: int
    blows: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    round_s: list[float] = field(default_factory=list)
    back_s: list[float] = field(default_factory=list)
    """Seconds from a kill, or an orderly end, until the node is ready and has a peer again."""
    certified: int = 0
    messages: int = 0
    """Distinct messages with a slot that reached somebody."""
    unnamed: list[str] = field(default_factory=list)
    """Rounds that neither ended nor were their asker's to lose."""
    identities: list[str] = field(default_factory=list)
    """Nodes that came back as somebody else."""
    lost_certificates: list[str] = field(default_factory=list)
    double_votes: list[str] = field(default_factory=list)
    not_journalled: list[str] = field(default_factory=list)
    evidence: int = 0
    """Accusations of equivocation that went round: there must be none, for all are honest."""

    @property
    def complaints(self) -> list[str]:
        """All that must not be."""
        accused = [f"{self.evidence} accusations"] if self.evidence else []
        return [
            *self.unnamed,
            *self.identities,
            *self.lost_certificates,
            *self.double_votes,
            *self.not_journalled,
            *accused,
        ]

    def lines(self) -> Iterator[str]:
        """The figures, one a line."""
        yield f"seed {self.seed}, blows {dict(self.blows)}"
        yield f"rounds {dict(self.outcomes)}"
        for name, values in (("seconds of a round", self.round_s), ("seconds until back", self.back_s)):
            if ranked := sorted(values):
                middle, p95 = ranked[len(ranked) // 2], ranked[len(ranked) * 95 // 100]
                yield f"{name}: median {middle:.1f}, 95th percentile {p95:.1f}, most {ranked[-1]:.1f}"
        yield f"certificates {self.certified}, lost {len(self.lost_certificates)}"
        yield (
            f"messages in slots {self.messages}, double votes {len(self.double_votes)}, not journalled "
            f"{len(self.not_journalled)}, accusations {self.evidence}"
        )
        yield from (f"COMPLAINT: {each}" for each in self.complaints)


class Arena:
    """The swarm under blows. The last node has an engine that misbehaves now and then; the others' are scripted."""

    def __init__(self, folder: Path, nodes: int, seed: int, stack: AsyncExitStack) -> None:
        self.report = Report(seed)
        self._folder = folder
        self._count = nodes
        self._random = Random(seed)
        self._stack = stack
        self._specs: list[NodeSpec] = []
        self._nodes: list[Child] = []
        self._lives = 0
        self._moody = MoodyEngine()
        self._certified: list[tuple[int, str]] = []

    async def start(self) -> None:
        """Start all nodes, and wait until they know each other."""
        url = await self._stack.enter_async_context(serving(self._moody))
        scripted = EngineConfig(kind="scripted", latency_ms=LATENCY_MS)
        moody = EngineConfig(kind="openai", url=url, api_key=MoodyEngine.KEY, request_timeout_ms=3_000)
        self._specs = [
            NodeSpec(
                self._folder / str(index),
                moody if index == self._count - 1 else scripted,
                seed=index,
                record=True,
                settings=REST_OF_ROUND,
            )
            for index in range(self._count)
        ]
        self._nodes = (await self._stack.enter_async_context(open_swarm(self._specs))).nodes
        for node in self._nodes:
            await _get(node, f"/api/wait?offers={self._count}&timeout_ms={BACK_S_MAX * 1000:.0f}")

    async def round(self, number: int) -> None:
        """Ask one question at random, and let one blow fall at a random moment of its round."""
        asker, victim = self._random.randrange(self._count), self._random.randrange(self._count)
        blow, mood = self._random.choice(BLOWS), self._random.choice(MOODS)
        after_s, pause_s = self._random.uniform(0, BLOW_S_MAX), self._random.uniform(0.2, PAUSE_S_MAX)
        self.report.blows[f"{blow} {mood}" if blow == "engine" else blow] += 1
        gone = blow in ("kill", "stop") and asker == victim
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._ask, number, asker, gone)
            match blow:
                case "engine":
                    self._moody.mood = mood
                case "pause":
                    await trio.sleep(after_s)
                    await self._pause(victim, pause_s)
                case _:
                    await trio.sleep(after_s)
                    await self._end(victim, kill=blow == "kill")
        self._moody.mood = ""

    async def _ask(self, number: int, asker: int, gone: bool) -> None:
        heard = await ask(self._nodes[asker].url, question_body(f"Question {number}?", **ROUND), ROUND_S_MAX)
        if heard.certified:
            self._certified.append((asker, heard.query_id))
            self.report.certified += 1
        name = heard.outcome or ("its asker was ended" if gone else "no word")
        if name == "no word":
            self.report.unnamed.append(f"round {number}, {heard.query_id[:16]}: no word within {ROUND_S_MAX:.0f} s")
        self.report.outcomes[name] += 1
        self.report.round_s.append(heard.seconds)

    async def _pause(self, victim: int, pause_s: float) -> None:
        process = self._nodes[victim].process
        process.send_signal(signal.SIGSTOP)
        try:
            await trio.sleep(pause_s)
        finally:
            process.send_signal(signal.SIGCONT)

    async def _end(self, victim: int, *, kill: bool) -> None:
        """End a node, start it again at once, and wait until it is ready and has a peer."""
        before = self._nodes[victim]
        began = trio.current_time()
        if kill:
            before.process.kill()
            await before.process.wait()
        else:
            await end_with_stdin(before.process, STOP_S)
        self._keep_recording(victim)
        friend = self._nodes[(victim + 1) % self._count]
        spec = replace(self._specs[victim], bootstrap=friend.addresses[:1])
        after = self._nodes[victim] = await start_node(spec, self._stack)
        if after.key != before.key:
            self.report.identities.append(f"node {victim} came back as {after.key[:16]}")
        with trio.fail_after(BACK_S_MAX):
            while not await _get(after, "/health/ready"):  # noqa: ASYNC110 - another process
                await trio.sleep(POLL_S)
        self.report.back_s.append(trio.current_time() - began)

    def _keep_recording(self, index: int) -> None:
        self._lives += 1
        recorded = self._specs[index].folder / RECORDING_NAME
        if recorded.exists():
            recorded.rename(recorded.with_name(f"{RECORDING_NAME}.{self._lives}"))

    async def finish(self) -> Report:
        """Look for every certificate, end all nodes, and compare all that was said."""
        for asker, query_id in self._certified:
            if not await _get(self._nodes[asker], f"/api/certificates/{query_id}"):
                self.report.lost_certificates.append(f"certificate {query_id[:16]} is not at node {asker}")
        for node in self._nodes:
            await end_with_stdin(node.process, STOP_S)
        said = await trio.to_thread.run_sync(self._said)
        slots: dict[Slot, dict[Digest, VerifiedMessage]] = defaultdict(dict)
        for message in said.values():
            if message.kind is Kind.EVIDENCE:
                self.report.evidence += 1
            elif message.kind in CLOSINGS or message.kind in CONTRIBUTIONS:
                slot = slot_of(message)
                assert slot is not None
                slots[slot][message.id] = message
        self.report.messages = sum(map(len, slots.values()))
        for slot, messages in slots.items():
            if len(messages) > 1:
                self.report.double_votes.append(f"{slot.kind.name} of {slot.author.hex()[:16]}: {len(messages)}")
        journalled = {envelope for spec in self._specs for envelope in await _journal(spec.folder, slots)}
        for slot, messages in slots.items():
            if any(message.envelope not in journalled for message in messages.values()):
                self.report.not_journalled.append(f"{slot.kind.name} of {slot.author.hex()[:16]}")
        return self.report

    def _said(self) -> dict[Digest, VerifiedMessage]:
        """Everything that anybody was told in any life."""
        said: dict[Digest, VerifiedMessage] = {}
        for path in sorted(self._folder.glob(f"*/{RECORDING_NAME}*")):
            recorded = recording.read(path.read_bytes())
            assert not isinstance(recorded, Fault), (path, recorded)
            for envelope in (each for told in recorded.inputs for each in _envelopes(told)):
                message = open_envelope(envelope, PARAMS.digest)
                if isinstance(message, VerifiedMessage):
                    said[message.id] = message
        return said


async def play(
    folder: Path,
    *,
    nodes: int,
    blows: int,
    seed: int,
    seconds_max: float = math.inf,
    tell: Callable[[int], None] = lambda _: None,
) -> Report:
    """Play so many rounds, each with its blow, or as many as begin in that time; `tell` hears how many are done."""
    ends = trio.current_time() + seconds_max
    async with AsyncExitStack() as stack:
        arena = Arena(folder, nodes, seed, stack)
        await arena.start()
        for number in range(blows):
            if trio.current_time() >= ends:
                break
            await arena.round(number)
            tell(number + 1)
        return await arena.finish()


def _envelopes(told: recording.Input) -> Iterator[bytes]:
    match told:
        case recording.Gossiped() | recording.Streamed():
            yield told.envelope
        case recording.PullAnswered():
            reply = codec.decode(PullReply, told.reply, bytes_max=PARAMS.pull_bytes_max)
            if isinstance(reply, PullReply):
                yield from reply.envelopes


async def _journal(folder: Path, slots: dict[Slot, dict[Digest, VerifiedMessage]]) -> list[bytes]:
    """What a node's journal holds of the rounds of these slots."""
    key = load_or_create_key(folder)
    now_ms = Clock().now_ms()
    opened = partial(open_store, folder, public_key=key.keypair.public, fresh_key=False, now_ms=now_ms)
    async with opened(boot_id=boot_id()) as store:
        queries = {Digest(slot.query) for slot in slots if slot.author == key.keypair.public}
        return [entry.envelope for query in queries for entry in await store.journal(query)]


async def _get(node: Child, path: str) -> bool:
    """Whether a node has an answer to this."""
    async with httpx2.AsyncClient(base_url=node.url, trust_env=False) as client:
        with suppress(httpx2.HTTPError):
            return (await client.get(path, timeout=2 * BACK_S_MAX)).is_success
    return False
