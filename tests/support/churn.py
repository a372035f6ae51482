"""A swarm of real processes that is asked all the time while nodes are killed and paused and strangers come and go.

Some nodes, the elders, are never killed: their memory, objects and descriptors are compared between two windows.
"""

from __future__ import annotations

import json
import secrets
import signal
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import trio
from libp2p.peer.id import ID

from node.inference import EngineConfig
from node.local.nodes import Child, NodeSpec, start_node
from node.local.swarm import open_swarm
from node.overlay import OverlayConfig, open_overlay
from node.rounds.inbound import PROTOCOLS
from protocol.errors import Verdict
from protocol.topics import topic
from tests.integration.overlay.attacks import NotHeldError, Victim, probe
from tests.support.asking import Heard, ask, question_body
from tests.support.counted_node import rss_mib
from tests.support.processes import wait_offers
from tests.support.swarm import params

ELDERS = 4
"""nodes that are paused but never killed; fewer where there are fewer nodes"""

LATENCY_MS = 50
"""of a scripted engine"""

ROUND_S_MAX = 120.0
"""seconds for a round to end: longer than all of its budgets together"""

ROUND = {"answer_ms": 20_000, "judge_ms": 20_000}
REST_OF_ROUND = {"round.open_ms": 10_000, "round.cosign_ms": 5_000}

PAUSE_S_MAX = 10.0
"""seconds of SIGSTOP: up to more than it takes to be called silent"""

DOWN_S_MAX = 10.0
"""seconds from SIGKILL to the next start"""

STAY_S = 3.0
"""seconds that a guest stays"""

GUESTS = 10
"""One stranger in so many joins the topic and stays for a while; the others ping and go."""

RSS_S = 10.0
COUNT_S = 60.0
"""seconds between two looks at an elder's memory, and between two countings of its objects"""

GROWTH_MIB_MAX = 5.0
"""of the median of all elders' memory between the windows"""

DESCRIPTORS_MAX = 8
"""more than in the first window, at the median: who is connected changes with the blows"""

OBJECTS_SHARE_MAX = 0.1
"""more than in the first window, of all objects"""

TYPES_TOLD = 12
"""types that grew most, in a report"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does. The windows are the last sixth of its time and that of a third to a half of it: of 30 minutes,
    the last five and minutes 10 to 15."""

    nodes: int = 10
    seconds: float = 1_800.0
    strangers: int = 1_000
    pause_s: tuple[float, float] = (5.0, 15.0)
    """Between two blows, from and to."""
    seed: int = 0

    @property
    def elders(self) -> int:
        """How many."""
        return min(ELDERS, self.nodes // 2)


@dataclass(frozen=True, slots=True)
class Sample:
    """What one elder held at one time."""

    at_s: float
    elder: int
    value: float


@dataclass
class Report:
    """What a run came to."""

    plan: Plan
    blows: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    strangers: Counter[str] = field(default_factory=Counter)
    round_s: list[float] = field(default_factory=list)
    awaited_no_longer: int = 0
    """Rounds in which a seat fell silent."""
    rss_mib: list[Sample] = field(default_factory=list)
    descriptors: list[Sample] = field(default_factory=list)
    objects: list[Sample] = field(default_factory=list)
    types: dict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    complaints: list[str] = field(default_factory=list)

    def medians(self, samples: Sequence[Sample]) -> tuple[float, float] | None:
        """Of the first window and of the last; None where a window is empty."""
        whole_s = self.plan.seconds
        first = [each.value for each in samples if whole_s / 3 <= each.at_s < whole_s / 2]
        last = [each.value for each in samples if 5 * whole_s / 6 <= each.at_s]
        return (statistics.median(first), statistics.median(last)) if first and last else None

    def grown(self) -> Iterator[tuple[float, str]]:
        """Types by growth of their median number in one elder."""
        for name, samples in self.types.items():
            if (medians := self.medians(samples)) is not None:
                yield medians[1] - medians[0], f"{name} {medians[0]:.0f} -> {medians[1]:.0f}"

    def compare(self) -> None:
        """Complain of what is not flat."""
        for what, samples, most in (
            ("memory, MiB", self.rss_mib, lambda first: first + GROWTH_MIB_MAX),
            ("descriptors", self.descriptors, lambda first: first + DESCRIPTORS_MAX),
            ("objects", self.objects, lambda first: first * (1 + OBJECTS_SHARE_MAX)),
        ):
            medians = self.medians(samples)
            if medians is not None and medians[1] > most(medians[0]):
                self.complaints.append(f"{what}: median {medians[0]:.1f}, later {medians[1]:.1f}")

    def lines(self) -> Iterator[str]:
        """The figures, one a line."""
        yield f"{self.plan}, blows {dict(self.blows)}, strangers {dict(self.strangers)}"
        yield f"rounds {dict(self.outcomes)}, of them with silent seats {self.awaited_no_longer}"
        if ranked := sorted(self.round_s):
            p95 = ranked[len(ranked) * 95 // 100]
            yield f"seconds of a round: median {statistics.median(ranked):.1f}, p95 {p95:.1f}, most {ranked[-1]:.1f}"
        for what, samples in (
            ("memory of elders, MiB", self.rss_mib),
            ("descriptors", self.descriptors),
            ("objects", self.objects),
        ):
            if (medians := self.medians(samples)) is not None:
                each = (
                    self.medians([one for one in samples if one.elder == elder]) for elder in range(self.plan.elders)
                )
                by_elder = ", ".join("-" if one is None else f"{one[0]:.1f} -> {one[1]:.1f}" for one in each)
                yield f"{what}: median {medians[0]:.1f}, in the last sixth {medians[1]:.1f} (each: {by_elder})"
        told = sorted(self.grown(), reverse=True)[:TYPES_TOLD]
        yield from (f"  {line}" for growth, line in told if growth > 0)
        yield from (f"COMPLAINT: {each}" for each in self.complaints)


class Arena:
    """The swarm, what is done to it, and what is seen of it."""

    def __init__(self, plan: Plan, folder: Path, stack: AsyncExitStack, tell: Callable[[str], None]) -> None:
        self.report = Report(plan)
        self._plan = plan
        self._random = Random(plan.seed)
        self._stack = stack
        self._tell = tell
        self._began_s = 0.0
        self._specs = [_spec(folder / str(index), index) for index in range(plan.nodes)]
        self._nodes: list[Child] = []
        self._hit: set[int] = set()
        """Nodes that are paused, down, or on their way up."""
        self._hits: Counter[int] = Counter()
        self._counted: Counter[int] = Counter()
        """Lines of each elder's counts that were read."""

    async def run(self) -> Report:
        """Play to the end."""
        self._nodes = (await self._stack.enter_async_context(open_swarm(self._specs))).nodes
        async with trio.open_nursery() as nursery:
            for node in self._nodes:
                nursery.start_soon(wait_offers, node.url, self._plan.nodes)
        self._tell("all nodes know each other")
        self._began_s = trio.current_time()
        with trio.move_on_after(self._plan.seconds):
            async with trio.open_nursery() as nursery:
                for each in (self._ask, self._strike, self._visit, self._watch, self._count):
                    nursery.start_soon(each)
        self.report.compare()
        return self.report

    @property
    def _now_s(self) -> float:
        return trio.current_time() - self._began_s

    # -- rounds ------------------------------------------------------------------------------------------------------

    async def _ask(self) -> None:
        """One question after the other, each at a node that is up."""
        number = 0
        while True:
            number += 1
            asker = self._up()
            hits = self._hits[asker]
            heard = await ask(
                self._nodes[asker].url,
                question_body(f"Question {number}?", **ROUND),
                ROUND_S_MAX,
            )
            self._note(number, heard, self._hits[asker] != hits)
            if not heard.query_id:
                await trio.sleep(1)  # a node that is full, or has just gone

    def _note(self, number: int, heard: Heard, was_hit: bool) -> None:
        name = heard.outcome or ("its asker was hit" if was_hit else "no word")
        self.report.outcomes[name] += 1
        if name == "no word":
            self.report.complaints.append(f"question {number}, round {heard.query_id[:16] or 'none'}: no word")
        if heard.outcome:
            self.report.round_s.append(heard.seconds)
            self.report.awaited_no_longer += bool(heard.silent)

    def _up(self) -> int:
        """A node that no blow has hit; elders are hit by few, so there is one."""
        return self._random.choice([index for index in range(self._plan.nodes) if index not in self._hit])

    # -- blows -------------------------------------------------------------------------------------------------------

    async def _strike(self) -> None:
        """Kill or pause nodes, one or two at a time."""
        async with trio.open_nursery() as nursery:
            while True:
                await trio.sleep(self._random.uniform(*self._plan.pause_s))
                if len(self._hit) >= 2:
                    continue
                victim = self._up()
                kill = victim >= self._plan.elders and self._random.random() < 0.5
                self._hit.add(victim)
                self._hits[victim] += 1
                self.report.blows["kill" if kill else "pause"] += 1
                nursery.start_soon(self._kill if kill else self._pause, victim)

    async def _pause(self, victim: int) -> None:
        process = self._nodes[victim].process
        process.send_signal(signal.SIGSTOP)
        try:
            await trio.sleep(self._random.uniform(0.5, PAUSE_S_MAX))
        finally:
            process.send_signal(signal.SIGCONT)
        self._hit.discard(victim)

    async def _kill(self, victim: int) -> None:
        before = self._nodes[victim]
        before.process.kill()
        await before.process.wait()
        await trio.sleep(self._random.uniform(0.0, DOWN_S_MAX))
        friends = tuple(self._nodes[elder].addresses[0] for elder in range(self._plan.elders))
        after = await start_node(replace(self._specs[victim], bootstrap=friends), self._stack)
        if after.key != before.key:
            self.report.complaints.append(f"node {victim} came back as somebody else")
        self._nodes[victim] = after
        self._hit.discard(victim)

    # -- strangers ---------------------------------------------------------------------------------------------------

    async def _visit(self) -> None:
        """Strangers come one after the other, so that the last has been when time is over."""
        numbers = range(self._plan.strangers)
        async with trio.open_nursery() as nursery:
            for number in numbers:
                await trio.sleep_until(self._began_s + 0.95 * self._plan.seconds * number / len(numbers))
                host = self._up()
                nursery.start_soon(self._guest if number % GUESTS == 0 else self._passer, host, number)

    async def _passer(self, host: int, number: int) -> None:
        """Connect as a fresh key, ping and leave."""
        hits = self._hits[host]
        parts = self._nodes[host].addresses[0].split("/")
        # A Victim is an address here; nothing of its process is asked for.
        node = Victim(None, parts[2], int(parts[4]), ID.from_string(parts[6]))  # type: ignore[arg-type]
        try:
            await probe(node, 2 + self._plan.seed * 10**6 + number)
        except NotHeldError as fault:
            if self._hits[host] == hits and host not in self._hit:
                self.report.strangers["refused"] += 1
                self.report.complaints.append(f"stranger {number}: {fault}")
            else:
                self.report.strangers["at a node that was hit"] += 1
        else:
            self.report.strangers["came and went"] += 1

    async def _guest(self, host: int, _number: int) -> None:
        """Join the swarm's topic as a fresh node that offers nothing, stay a while and leave."""
        address = self._nodes[host].addresses[0]
        config = OverlayConfig(listen=("/ip4/127.0.0.1/tcp/0",), bootstrap=(address,), protocols=PROTOCOLS)
        async with open_overlay(secrets.token_bytes(32), config, _Sink()) as overlay:
            await overlay.subscribe(topic(params("devnet"), "rust", 0))
            await trio.sleep(STAY_S)
        self.report.strangers["stayed a while"] += 1

    # -- what is seen ------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            await trio.sleep(min(RSS_S, self._plan.seconds / 100))
            for elder in range(self._plan.elders):
                self.report.rss_mib.append(Sample(self._now_s, elder, rss_mib(self._nodes[elder].process.pid)))

    async def _count(self) -> None:
        """Let the elders count their objects, and read what the last counting gave."""
        while True:
            await trio.sleep(min(COUNT_S, self._plan.seconds / 20))
            for elder in range(self._plan.elders):
                self._read_counts(elder)
                self._nodes[elder].process.send_signal(signal.SIGUSR1)
            medians = statistics.median(each.value for each in self.report.rss_mib[-self._plan.elders :])
            rounds = dict(self.report.outcomes)
            self._tell(f"{self._now_s / 60:.1f} min: {medians:.1f} MiB, rounds {rounds}, {dict(self.report.strangers)}")

    def _read_counts(self, elder: int) -> None:
        file = _counts(self._specs[elder].folder)
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        for line in lines[self._counted[elder] :]:
            told = json.loads(line)
            self.report.descriptors.append(Sample(self._now_s, elder, told["descriptors"]))
            self.report.objects.append(Sample(self._now_s, elder, told["total"]))
            for name, number in told["objects"].items():
                self.report.types[name].append(Sample(self._now_s, elder, number))
        self._counted[elder] = len(lines)


class _Sink:
    """A guest's handlers: it forwards what others say, and does no work."""

    def on_gossip(self, _topic: str, _source: bytes, _data: bytes) -> Verdict:
        return Verdict.ACCEPT

    def on_peer(self, _peer: bytes, _connected: bool) -> None:
        pass

    async def on_request(self, _protocol: str, _source: bytes, _payload: bytes) -> bytes:
        return b""


async def play(plan: Plan, folder: Path, tell: Callable[[str], None] = lambda _: None) -> Report:
    """Run a plan; `tell` hears a line now and then."""
    async with AsyncExitStack() as stack:
        return await Arena(plan, folder, stack, tell).run()


def _spec(folder: Path, seed: int) -> NodeSpec:
    counted = (sys.executable, "-P", "-m", "tests.support.counted_node", str(_counts(folder)))
    engine = EngineConfig(kind="scripted", latency_ms=LATENCY_MS)
    return NodeSpec(folder, engine, seed=seed, settings=REST_OF_ROUND, command=counted)


def _counts(folder: Path) -> Path:
    return folder / "counts.jsonl"
