"""A round of seven real nodes beside one that only carries bytes: `python -P -m tests.bench.bench_round`.

Two swarms of seven processes stand on this machine: `strand run` with the scripted engine at zero latency, and the
skeletons of skeleton_node.py, which pass as many messages of the same sizes in the same pattern over the same overlay.
Blocks of rounds alternate between the two, so that a busy machine disturbs both alike; each round of the skeletons has
the phases of the real one before it, for a round takes one to three waves. Beside them stands what one hop takes while
nothing else happens: a round's answer is two hops a phase away (query, commitments; closing, openings; a closing and
ballots for each wave), its certificate two more (tally, co-signatures).
"""

import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import structlog
import trio

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from node.api import operations as ops
from node.api.events import Asked, RoundEvent
from node.client import Client, Question, connect
from node.inference import EngineConfig
from node.inference.supervision import end_with_stdin
from node.local.nodes import READY_BYTES_MAX, STOP_S, Child, NodeSpec, start_node
from protocol import codec
from protocol.certificate import Certificate
from protocol.messages import Ballot, Commit, Notice
from protocol.signing import Keypair, seal
from tests.bench.harness import Bench, Figure, cpu_ms

RATIO_MAX = 1.5
"""The aim: a round's latency, of the skeleton's."""
LISTENED_MAX = 1.03
"""The aim: a round of which every event is followed, of one with the plain events."""
PAUSE_S = 0.25
"""Between two rounds: the members fetch and verify the certificate meanwhile, which delays no answer of this round."""
START_S = 60.0
ROUND_S = 20.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is measured."""

    nodes: int = 7
    pairs: int = 3
    """of each judge: three waves at most; 1 is the one wave of which the aim spoke first"""
    blocks: int = 8
    rounds: int = 5
    """in a block"""
    warm_up: int = 5
    """rounds of each swarm that are not counted: streams are opened, caches filled"""
    hops: int = 30
    details: bool = True
    """whether rounds of which every event is followed are measured too, in blocks of their own"""


@dataclass(slots=True)
class Times:
    """Of one swarm's rounds, in ms, and the CPU time of its processes over them, the asked node's first."""

    to_answer: list[float] = field(default_factory=list)
    to_certificate: list[float] = field(default_factory=list)
    cpu: list[list[float]] = field(default_factory=list)

    def cpu_per_round(self) -> tuple[float, float]:
        """The asked node's, and the mean member's."""
        asked, *members = map(sum, zip(*self.cpu, strict=True))
        rounds = len(self.to_answer)
        return asked / rounds, statistics.mean(members) / rounds


@dataclass(slots=True)
class Daemons:
    """The real swarm, asked over HTTP. `at_client` is what the client's clock says, `at_node` the events' `at_ms`."""

    children: list[Child]
    client: Client
    pairs: int
    """of each judge"""
    at_node: Times = field(default_factory=Times)
    at_client: Times = field(default_factory=Times)
    listened: Times = field(default_factory=Times)
    """as `at_node`, of rounds of which every event is followed"""
    rounds: int = 0

    def pids(self) -> list[int]:
        """The asked node's first."""
        return [child.process.pid for child in self.children]

    async def round(self, *into: Times, details: bool = False) -> "Sizes":
        """One round, and the sizes of its messages; its times go into what is given: by the node's clock, by ours."""
        self.rounds += 1
        query = f"Write a Rust function that folds a slice of integers, number {self.rounds:06}."
        question = Question.single(query, pairs_per_judge=self.pairs)
        began = time.perf_counter()
        query_id = ""
        marks: dict[str, tuple[float, float]] = {}
        async for event in self._every_event(question) if details else self.client.ask(question, ROUND_S):
            if isinstance(event, Asked):
                query_id = event.query_id
            marks[type(event).__name__] = (event.at_ms, 1000 * (time.perf_counter() - began))
        for index, times in enumerate(into):
            times.to_answer.append(marks["Decided"][index])
            times.to_certificate.append(marks["Certified"][index])
        return sizes_of(await self.client.certificate(query_id), len(self.children))

    async def _every_event(self, question: Question) -> AsyncIterator[RoundEvent]:
        async with (
            httpx2.AsyncClient(base_url=self.client.url, timeout=ROUND_S, trust_env=False) as http,
            http.stream(
                ops.ASK.method, ops.ASK.path, params={"details": 1}, content=msgspec.json.encode(question)
            ) as response,
        ):
            async for line in response.aiter_lines():
                yield msgspec.json.decode(line, type=ops.ASK.reply)


@dataclass(slots=True)
class Skeletons:
    """The empty swarm; the first node gossips, the others reply."""

    processes: list[trio.Process]
    times: Times = field(default_factory=Times)

    def pids(self) -> list[int]:
        """The gossiping node's first."""
        return [process.pid for process in self.processes]

    async def round(self, sizes: "Sizes", *, counted: bool) -> None:
        """One round."""
        told = await _tell(self.processes[0], {"do": "round", "sizes": sizes.phases, "notice": sizes.notice})
        if counted:
            self.times.to_answer.append(told["ends_ms"][-2])
            self.times.to_certificate.append(told["ends_ms"][-1])

    async def hops(self, sizes: "Sizes", count: int) -> dict[str, list[float]]:
        """What single hops take, with the sizes of an answer and of the closing that asks for it."""
        gossip_bytes, stream_bytes = sizes.phases[1]
        command = {"do": "hop", "gossip_bytes": gossip_bytes, "stream_bytes": stream_bytes}
        told = []
        for _ in range(count):
            told.append(await _tell(self.processes[0], command))
            await trio.sleep(PAUSE_S / 5)
        return {name: [each[name] for each in told] for name in told[0]}


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of a real round's envelopes: for each phase what is gossiped, and what each member replies."""

    phases: list[tuple[int, int]]
    notice: int


def sizes_of(raw: bytes, nodes: int) -> Sizes:
    """From a certificate; what is not in it, commitment and notice, has fields of fixed size and is made again."""
    verified = verify_certificate(raw)
    certificate = codec.decode(Certificate, raw)
    if not isinstance(verified, VerifiedCertificate) or not isinstance(certificate, Certificate):
        raise RuntimeError(f"the swarm certified a round that does not hold: {verified}")
    record = verified.record
    if len(record.seats) != nodes or len(record.answers) != nodes:
        raise RuntimeError(
            f"{len(record.answers)} answers of {len(record.seats)} seats: not all {nodes} nodes took part"
        )
    keypair = Keypair(bytes(32))
    on = {"author": keypair.public, "query": record.id, "on": record.head}
    commit = seal(keypair, record.params.digest, Commit(**on, commitment=record.id))
    notice = seal(keypair, record.params.digest, Notice(**on, certificate_digest=record.id, certificate_bytes=len(raw)))
    ballots: list[list[bytes]] = [[] for _ in range(record.wave + 1)]
    for message in record.ballots:
        assert isinstance(message.body, Ballot)
        ballots[message.body.wave].append(message.envelope)
    gossiped = [len(message.envelope) for message in (record.message, *record.closings)]
    replied = [
        len(commit.envelope),
        _middle(message.envelope for message in record.answers),
        *map(_middle, ballots),
        _middle(certificate.cosigns),
    ]
    return Sizes(list(zip(gossiped, replied, strict=True)), len(notice.envelope))


def _middle(envelopes: Iterable[bytes]) -> int:
    """Of none, as in a wave for which no judge has a pair left: 0, and no skeleton replies."""
    return round(statistics.median(list(map(len, envelopes)) or [0]))


# -- the two swarms ----------------------------------------------------------------------------------------------------


async def start_daemons(folder: Path, settings: Settings, stack: AsyncExitStack) -> Daemons:
    """Nodes that know each other's offers."""
    children: dict[int, Child] = {}
    nodes = settings.nodes

    async def start(index: int, bootstrap: tuple[str, ...]) -> None:
        spec = NodeSpec(folder / f"node-{index}", EngineConfig(kind="scripted"), bootstrap, seed=index)
        children[index] = await start_node(spec, stack)

    await start(0, ())
    async with trio.open_nursery() as nursery:
        for index in range(1, nodes):
            nursery.start_soon(start, index, children[0].addresses[:1])
    client = await stack.enter_async_context(connect(children[0].url))
    await client.wait_offers(nodes, START_S)
    return Daemons([children[index] for index in range(nodes)], client, settings.pairs)


async def start_skeletons(folder: Path, nodes: int, stack: AsyncExitStack) -> Skeletons:
    """Skeletons, each connected to all before it: daemons learn the same from offers."""
    processes: list[trio.Process] = []
    addresses: list[str] = []
    for index in range(nodes):
        command = [sys.executable, "-P", "-m", "tests.bench.skeleton_node", str(nodes - 1), *addresses]
        with (folder / f"skeleton-{index}.log").open("wb") as log:
            process = await trio.lowlevel.open_process(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        stack.push_async_callback(partial(end_with_stdin, process, STOP_S))
        processes.append(process)
        addresses.append((await _read_line(process))["addresses"][0])
    await _tell(processes[0], {"do": "settle"}, START_S)
    return Skeletons(processes)


async def _tell(process: trio.Process, command: dict[str, Any], seconds_max: float = ROUND_S) -> Any:
    assert process.stdin is not None
    await process.stdin.send_all(json.dumps(command).encode() + b"\n")
    with trio.fail_after(seconds_max):
        return await _read_line(process)


async def _read_line(process: trio.Process) -> Any:
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n") and len(line) < READY_BYTES_MAX:
        chunk = await process.stdout.receive_some(READY_BYTES_MAX)
        if not chunk:
            raise RuntimeError("a skeleton ended: run tests.bench.skeleton_node by itself to see why")
        line += chunk
    return json.loads(line)


# -- measuring ---------------------------------------------------------------------------------------------------------


async def compare(settings: Settings) -> list[Figure]:
    """Start both, alternate between them, print the table."""
    with tempfile.TemporaryDirectory(prefix="strand-bench-") as folder:
        async with AsyncExitStack() as stack:
            daemons = await start_daemons(Path(folder), settings, stack)
            skeletons = await start_skeletons(Path(folder), settings.nodes, stack)
            for _ in range(settings.warm_up):
                await skeletons.round(await daemons.round(), counted=False)
            sizes: list[Sizes] = []

            async def real() -> None:
                sizes.append(await daemons.round(daemons.at_node, daemons.at_client))

            async def listened() -> None:
                await daemons.round(daemons.listened, details=True)

            hops = await skeletons.hops(await daemons.round(), settings.hops)
            for _ in range(settings.blocks):
                await _block(daemons.pids(), [real] * settings.rounds, daemons.at_node)
                empty = [partial(skeletons.round, each, counted=True) for each in sizes[-settings.rounds :]]
                await _block(skeletons.pids(), empty, skeletons.times)
                if settings.details:
                    await _block(daemons.pids(), [listened] * settings.rounds, daemons.listened)
    return _print(sizes, hops, daemons, skeletons)


async def _block(pids: list[int], rounds: Iterable[Callable[[], Awaitable[None]]], times: Times) -> None:
    before = [cpu_ms(pid) for pid in pids]
    for one_round in rounds:
        await one_round()
        await trio.sleep(PAUSE_S)
    times.cpu.append([cpu_ms(pid) - then for pid, then in zip(pids, before, strict=True)])


def _print(
    sizes: Sequence[Sizes], hops: dict[str, list[float]], daemons: Daemons, skeletons: Skeletons
) -> list[Figure]:
    members = len(daemons.children) - 1
    shown = max(sizes, key=lambda each: len(each.phases))
    phases = ", ".join(f"{gossiped} > {members} x {replied}" for gossiped, replied in shown.phases)
    print(f"bytes, gossip > replies: {phases}; notice {shown.notice}")
    waves = [len(each.phases) - 3 for each in sizes]
    print(f"{len(sizes)} rounds of each, {statistics.mean(waves):.2f} waves a round, {members + 1} processes each\n")
    print(f"{'ms':26}{'answer: median':>15}{'p95':>8}{'certificate: median':>21}{'p95':>8}")
    rows = {"round, at the node": daemons.at_node, "round, at the client": daemons.at_client}
    for name, times in {**rows, "skeleton": skeletons.times}.items():
        answer, certificate = times.to_answer, times.to_certificate
        print(
            f"{name:26}{statistics.median(answer):15.1f}{_p95(answer):8.1f}"
            f"{statistics.median(certificate):21.1f}{_p95(certificate):8.1f}"
        )
    told = [_ratio(name, daemons.at_node, skeletons.times) for name in ("answer", "certificate")]
    if daemons.listened.to_answer:
        told.append(_listened(daemons))
    gossip, stream = statistics.median(hops["gossip_ms"]), statistics.median(hops["stream_ms"])
    idle_ms = [(gossip + stream) * (len(each.phases) - 1) for each in sizes]
    empty_ms = statistics.median(skeletons.times.to_answer)
    print(
        f"\nidle hops, ms: gossip {gossip:.1f} (the last {statistics.median(hops['gossip_last_ms']):.1f}), "
        f"stream one way {stream:.1f}, there and back {statistics.median(hops['request_ms']):.1f}; "
        f"the skeleton's way to the answer is {empty_ms / statistics.median(idle_ms):.2f} of its hops"
    )
    (asked, member), (asked_empty, member_empty) = (
        times.cpu_per_round() for times in (daemons.at_node, skeletons.times)
    )
    print("CPU of a round counts its notice and certificate, too")
    for name, used, empty in (("the asked node", asked, asked_empty), ("each member", member, member_empty)):
        told.append(Figure(name=f"CPU of {name}, a round", value=used, unit=" ms", anchor=f"skeleton {empty:.1f} ms"))
    return told


def _ratio(name: str, times: Times, empty: Times) -> Figure:
    ours_ms, empty_ms = (statistics.median(getattr(each, f"to_{name}")) for each in (times, empty))
    anchor = f"round {ours_ms:.1f} ms, skeleton {empty_ms:.1f} ms"
    return Figure(
        name=f"time to the {name}, of the skeleton's", value=ours_ms / empty_ms, anchor=anchor, at_most=RATIO_MAX
    )


def _listened(daemons: Daemons) -> Figure:
    name = "time to the certificate with every event followed, of that with the plain ones"
    with_ms, without_ms = (statistics.median(each.to_certificate) for each in (daemons.listened, daemons.at_node))
    (with_cpu_ms, _), (without_cpu_ms, _) = (each.cpu_per_round() for each in (daemons.listened, daemons.at_node))
    anchor = f"{without_ms:.1f} ms; CPU of the asked node {with_cpu_ms:.1f} ms, without {without_cpu_ms:.1f} ms"
    return Figure(name=name, value=with_ms / without_ms, anchor=anchor, at_most=LISTENED_MAX)


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def measure(settings: Settings) -> Iterator[Figure]:
    """Run the benchmark: about a minute."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    return iter(trio.run(compare, settings))


BENCH = Bench("round", measure, Settings(), Settings(nodes=3, pairs=1, blocks=1, rounds=2, warm_up=0, hops=1))

if __name__ == "__main__":
    BENCH.main()
