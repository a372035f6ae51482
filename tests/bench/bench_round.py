"""A round of seven real nodes beside one that only carries bytes: `python -P -m tests.bench.bench_round`.

Two swarms of seven processes stand on this machine: `strand run` with the scripted engine at zero latency, and the
skeletons of skeleton_node.py, which pass as many messages of the same sizes in the same pattern over the same overlay.
Blocks of rounds alternate between the two, so that a busy machine disturbs both alike. Beside them stands what one hop
takes while nothing else happens: an answer is six hops away (query, commitments, closing, openings, closing, ballots),
a certificate eight (tally, co-signatures).
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import trio

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from node.cli.client import Client, open_client
from node.cli.options import Source
from node.cli.processes import READY_BYTES_MAX, STOP_S, Child, NodeSpec, start_node
from node.inference import EngineConfig
from node.inference.supervision import end_with_stdin
from protocol import codec
from protocol.messages import Certificate, Commit, Notice
from protocol.signing import Keypair, seal
from protocol.types import CLOSINGS, Kind
from tests.bench.skeleton_node import MEMBERS

NODES = MEMBERS + 1
WARM_UP = 5
"""Rounds of each swarm that are not counted: streams are opened, caches filled."""
BLOCKS = 8
ROUNDS_PER_BLOCK = 5
PAUSE_S = 0.25
"""Between two rounds: the members fetch and verify the certificate meanwhile, which delays no answer of this round."""
HOPS = 30
START_S = 60.0
ROUND_S = 20.0

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Times:
    """Of one swarm's rounds, in ms, and the CPU time of its processes over them, the asked node's first."""

    to_answer: list[float] = field(default_factory=list)
    to_certificate: list[float] = field(default_factory=list)
    cpu: list[list[float]] = field(default_factory=list)

    def cpu_per_round(self) -> tuple[float, float]:
        """The asked node's, and the mean member's."""
        asked, *members = map(sum, zip(*self.cpu, strict=True))
        rounds = BLOCKS * ROUNDS_PER_BLOCK
        return asked / rounds, statistics.mean(members) / rounds


@dataclass(slots=True)
class Daemons:
    """The real swarm, asked over HTTP. `at_client` is what the client's clock says, `at_node` the events' `at_ms`."""

    children: list[Child]
    client: Client
    at_node: Times = field(default_factory=Times)
    at_client: Times = field(default_factory=Times)
    rounds: int = 0

    def pids(self) -> list[int]:
        """The asked node's first."""
        return [child.process.pid for child in self.children]

    async def round(self, *, counted: bool) -> bytes:
        """One round; its certificate's bytes."""
        self.rounds += 1
        question = {"query": f"Write a Rust function that folds a slice of integers, number {self.rounds:06}."}
        began = time.perf_counter()
        query_id = ""
        marks: dict[str, tuple[float, float]] = {}
        async for event in self.client.ask(question, ROUND_S):
            query_id = event.get("query_id", query_id)
            marks[event["event"]] = (event["at_ms"], 1000 * (time.perf_counter() - began))
        if counted:
            for index, times in enumerate((self.at_node, self.at_client)):
                times.to_answer.append(marks["decided"][index])
                times.to_certificate.append(marks["certified"][index])
        return await self.client.certificate(query_id)


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

    async def hops(self, sizes: "Sizes") -> dict[str, list[float]]:
        """What single hops take, with the sizes of an answer and of the closing that asks for it."""
        gossip_bytes, stream_bytes = sizes.phases[1]
        command = {"do": "hop", "gossip_bytes": gossip_bytes, "stream_bytes": stream_bytes}
        told = []
        for _ in range(HOPS):
            told.append(await _tell(self.processes[0], command))
            await trio.sleep(PAUSE_S / 5)
        return {name: [each[name] for each in told] for name in told[0]}


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of a real round's envelopes: for each phase what is gossiped, and what each member replies."""

    phases: list[tuple[int, int]]
    notice: int


def sizes_of(raw: bytes) -> Sizes:
    """From a certificate; what is not in it, commitment and notice, has fields of fixed size and is made again."""
    verified = verify_certificate(raw)
    certificate = codec.decode(Certificate, raw)
    if not isinstance(verified, VerifiedCertificate) or not isinstance(certificate, Certificate):
        raise RuntimeError(f"the swarm certified a round that does not hold: {verified}")
    record = verified.record
    if len(record.seats) != NODES or len(record.answers) != NODES or len(record.closings) != 3:
        raise RuntimeError("not a round of seven answers and one wave: the skeleton's pattern is another one")
    keypair = Keypair(bytes(32))
    on = {"author": keypair.public, "query": record.id, "on": record.head}
    commit = seal(keypair, record.params.digest, Commit(**on, commitment=record.id))
    notice = seal(keypair, record.params.digest, Notice(**on, certificate_digest=record.id, certificate_bytes=len(raw)))
    gossiped = [len(message.envelope) for message in (record.message, *record.closings)]
    replied = [
        len(commit.envelope),
        _middle(message.envelope for message in record.answers),
        _middle(message.envelope for message in record.ballots),
        _middle(certificate.cosigns),
    ]
    assert {message.kind for message in record.closings} <= CLOSINGS - {Kind.CLOSE_WAVE}
    return Sizes(list(zip(gossiped, replied, strict=True)), len(notice.envelope))


def _middle(envelopes: Iterable[bytes]) -> int:
    return round(statistics.median(map(len, envelopes)))


# -- the two swarms ----------------------------------------------------------------------------------------------------


async def start_daemons(folder: Path, stack: AsyncExitStack) -> Daemons:
    """Seven nodes that know each other's offers."""
    children: dict[int, Child] = {}

    async def start(index: int, bootstrap: tuple[str, ...]) -> None:
        spec = NodeSpec(folder / f"node-{index}", EngineConfig(kind="scripted"), bootstrap, seed=index)
        children[index] = await start_node(spec, stack)

    await start(0, ())
    async with trio.open_nursery() as nursery:
        for index in range(1, NODES):
            nursery.start_soon(start, index, children[0].addresses[:1])
    client = await stack.enter_async_context(open_client(Source(), children[0].url))
    told = await client.get("/api/wait", timeout_s=START_S, offers=NODES, timeout_ms=round(1000 * START_S))
    if told["offers"] < NODES:
        raise RuntimeError(f"only {told['offers']} of {NODES} nodes offer to work after {START_S:.0f} s")
    return Daemons([children[index] for index in range(NODES)], client)


async def start_skeletons(folder: Path, stack: AsyncExitStack) -> Skeletons:
    """Seven skeletons, each connected to all before it: daemons learn the same from offers."""
    processes: list[trio.Process] = []
    addresses: list[str] = []
    for index in range(NODES):
        command = [sys.executable, "-P", "-m", "tests.bench.skeleton_node", *addresses]
        with (folder / f"skeleton-{index}.log").open("wb") as log:
            process = await trio.lowlevel.open_process(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        stack.push_async_callback(partial(end_with_stdin, process, STOP_S))
        processes.append(process)
        addresses.append((await _read_line(process))["addresses"][0])
    await _tell(processes[0], {"do": "settle"})
    return Skeletons(processes)


async def _tell(process: trio.Process, command: dict[str, Any]) -> Any:
    assert process.stdin is not None
    await process.stdin.send_all(json.dumps(command).encode() + b"\n")
    with trio.fail_after(ROUND_S):
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


async def measure() -> None:
    """Start both, alternate between them, print the table."""
    with tempfile.TemporaryDirectory(prefix="strand-bench-") as folder:
        async with AsyncExitStack() as stack:
            daemons = await start_daemons(Path(folder), stack)
            skeletons = await start_skeletons(Path(folder), stack)
            sizes = sizes_of(await daemons.round(counted=False))
            for _ in range(WARM_UP):
                await daemons.round(counted=False)
                await skeletons.round(sizes, counted=False)
            hops = await skeletons.hops(sizes)
            for _ in range(BLOCKS):
                await _block(daemons.pids(), partial(daemons.round, counted=True), daemons.at_node)
                await _block(skeletons.pids(), partial(skeletons.round, sizes, counted=True), skeletons.times)
    _print(sizes, hops, daemons, skeletons)


async def _block(pids: list[int], one_round: Callable[[], Any], times: Times) -> None:
    before = [_cpu_ms(pid) for pid in pids]
    for _ in range(ROUNDS_PER_BLOCK):
        await one_round()
        await trio.sleep(PAUSE_S)
    times.cpu.append([_cpu_ms(pid) - then for pid, then in zip(pids, before, strict=True)])


def _cpu_ms(pid: int) -> float:
    """User and system time of a process and its threads (fields 14 and 15 of proc(5)'s stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _print(sizes: Sizes, hops: dict[str, list[float]], daemons: Daemons, skeletons: Skeletons) -> None:
    phases = ", ".join(f"{gossiped} > {MEMBERS} x {replied}" for gossiped, replied in sizes.phases)
    print(f"bytes, gossip > replies: {phases}; notice {sizes.notice}")
    print(f"{BLOCKS} x {ROUNDS_PER_BLOCK} rounds of each, {NODES} processes each, {os.cpu_count()} cores\n")
    print(f"{'ms':26}{'answer: median':>15}{'p95':>8}{'certificate: median':>21}{'p95':>8}")
    rows = {"round, at the node": daemons.at_node, "round, at the client": daemons.at_client}
    for name, times in {**rows, "skeleton": skeletons.times}.items():
        answer, certificate = times.to_answer, times.to_certificate
        print(
            f"{name:26}{statistics.median(answer):15.1f}{_p95(answer):8.1f}"
            f"{statistics.median(certificate):21.1f}{_p95(certificate):8.1f}"
        )
    for name, times in rows.items():
        ratios = [
            statistics.median(getattr(times, mark)) / statistics.median(getattr(skeletons.times, mark))
            for mark in ("to_answer", "to_certificate")
        ]
        print(f"{name + ' / skeleton':32}{ratios[0]:9.2f}{ratios[1]:29.2f}")
    gossip, stream = statistics.median(hops["gossip_ms"]), statistics.median(hops["stream_ms"])
    answer, certificate = (
        statistics.median(marks) / hops_to
        for marks, hops_to in (
            (skeletons.times.to_answer, 3 * (gossip + stream)),
            (skeletons.times.to_certificate, 4 * (gossip + stream)),
        )
    )
    print(f"{'skeleton / idle hops':32}{answer:9.2f}{certificate:29.2f}\n")
    print(
        f"idle hops, ms: gossip {gossip:.1f} (the last of {MEMBERS} {statistics.median(hops['gossip_last_ms']):.1f}), "
        f"stream one way {stream:.1f}, there and back {statistics.median(hops['request_ms']):.1f}"
    )
    for name, times in (("round, with its notice and certificate", daemons.at_node), ("skeleton", skeletons.times)):
        asked, member = times.cpu_per_round()
        print(f"CPU, ms a round: {name}: asked node {asked:.0f}, each member {member:.0f}")


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def main() -> None:
    """Run the benchmark: about a minute."""
    trio.run(measure)


if __name__ == "__main__":
    main()
