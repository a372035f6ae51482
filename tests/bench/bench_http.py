"""The HTTP interface under requests: `python -P -m tests.bench.bench_http`.

Three nodes with scripted engines stand on this machine, and beside them the same server with an empty handler, in a
process of its own. Blocks of requests alternate between the two, over the same number of connections that stay open,
so that a busy machine disturbs both alike. Then connections that never finish their first line are opened to the node,
and an honest request is timed while they are.
"""

import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import trio

from node.api.events import Certified
from node.client import Client, Question, connect
from node.inference import EngineConfig
from node.inference.supervision import end_with_stdin
from node.local.nodes import NodeSpec
from node.local.swarm import open_swarm
from tests.bench.harness import Bench, Figure

START_S = 60.0
REPLY_S = 30.0
HALF_OPEN_S_MAX = 1.0
"""The aim: an honest request beside the half-open connections."""

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)\r\n")


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is measured."""

    nodes: int = 3
    connections: int = 8
    """that send requests at once, one after another each"""
    blocks: int = 8
    block_s: float = 2.0
    rounds: int = 40
    askers: int = 4
    """who ask at once: as many rounds of one node as the network allows"""
    half_open: int = 300
    honest: int = 20
    """requests beside the half-open connections"""


PATHS = ("/api/status", "/v1/models")
"""What is asked of the node; the empty handler replies to each path alike."""


async def request(stream: trio.SocketStream, raw: bytes) -> None:
    """One request and its whole reply, on a connection that stays open."""
    await stream.send_all(raw)
    reply = b""
    while (end := reply.find(b"\r\n\r\n")) < 0:
        reply += await _more(stream)
    found = _LENGTH.search(reply)
    if not reply.startswith(b"HTTP/1.1 200 ") or found is None:
        raise RuntimeError(f"not what was asked for: {reply[:200]!r}")
    left = int(found[1]) - (len(reply) - end - 4)
    while left > 0:
        left -= len(await _more(stream))


async def _more(stream: trio.SocketStream) -> bytes:
    data = bytes(await stream.receive_some(65_536))
    if not data:
        raise RuntimeError("the server has closed the connection")
    return data


async def per_second(url: str, path: str, settings: Settings) -> float:
    """Requests a second over all connections in one block."""
    done, host = 0, url.removeprefix("http://")
    raw = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()

    async def ask() -> None:
        nonlocal done
        async with await _open(url) as stream:
            while True:
                await request(stream, raw)
                done += 1

    began_s = time.perf_counter()
    with trio.move_on_after(settings.block_s):
        async with trio.open_nursery() as nursery:
            for _ in range(settings.connections):
                nursery.start_soon(ask)
    return done / (time.perf_counter() - began_s)


async def rounds_per_second(client: Client, settings: Settings, numbers: Iterable[int]) -> float:
    """Whole rounds a second, each followed to its certificate."""
    left = iter(range(settings.rounds))

    async def ask() -> None:
        for _ in left:
            text = f"Write a Rust function that folds a slice of integers, number {next(iter(numbers))}."
            async with aclosing(client.ask(Question.single(text, pairs_per_judge=1), REPLY_S)) as events:
                if not [event async for event in events if isinstance(event, Certified)]:
                    raise RuntimeError("a round of three idle nodes got no certificate")

    began_s = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(settings.askers):
            nursery.start_soon(ask)
    return settings.rounds / (time.perf_counter() - began_s)


async def honest_s(url: str, half_open: int, honest: int) -> list[float]:
    """Seconds of honest requests, each on a connection of its own, while so many others are half open."""
    told = []
    async with AsyncExitStack() as stack:
        for _ in range(half_open):
            await (await stack.enter_async_context(await _open(url))).send_all(b"GET / HT")
        for _ in range(honest):
            began_s = time.perf_counter()
            async with await _open(url) as stream:
                await request(stream, b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            told.append(time.perf_counter() - began_s)
    return told


async def _open(url: str) -> trio.SocketStream:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return await trio.open_tcp_stream(host, int(port))


async def start_skeleton(stack: AsyncExitStack) -> str:
    """Start the empty server; return its URL."""
    command = [sys.executable, "-P", "-m", "tests.bench.skeleton_http"]
    process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    stack.push_async_callback(partial(end_with_stdin, process, 5.0))
    assert process.stdout is not None
    line = b""
    with trio.fail_after(START_S):
        while not line.endswith(b"\n"):
            line += await process.stdout.receive_some(1024)
    return line.decode().strip()


async def compare(settings: Settings) -> list[Figure]:
    """Start all, alternate, and tell."""
    with tempfile.TemporaryDirectory(prefix="strand-bench-") as folder:
        async with AsyncExitStack() as stack:
            specs = [
                NodeSpec(Path(folder) / str(number), EngineConfig(kind="scripted"), seed=number)
                for number in range(settings.nodes)
            ]
            node = (await stack.enter_async_context(open_swarm(specs))).nodes[0].url
            empty = await start_skeleton(stack)
            client = await stack.enter_async_context(connect(node))
            await client.wait_offers(settings.nodes, START_S)
            numbers = count()
            rates: dict[str, list[float]] = {name: [] for name in ("empty", *PATHS, "rounds")}
            for _ in range(settings.blocks):
                rates["empty"].append(await per_second(empty, "/", settings))
                for path in PATHS:
                    rates[path].append(await per_second(node, path, settings))
            for _ in range(2):
                rates["rounds"].append(await rounds_per_second(client, settings, numbers))
            idle = await honest_s(node, 0, settings.honest)
            beside = await honest_s(node, settings.half_open, settings.honest)
    return _figures(settings, rates, idle, beside)


def _figures(settings: Settings, rates: dict[str, list[float]], idle: list[float], beside: list[float]) -> list[Figure]:
    middle = {name: statistics.median(values) for name, values in rates.items()}
    for name, values in rates.items():
        print(f"{name}: {', '.join(f'{value:.1f}' for value in values)} a second")
    empty = middle["empty"]
    told = []
    for path in PATHS:
        rate = middle[path]
        told.append(Figure(name=f"GET {path}", value=rate, unit="/s", anchor=f"empty handler {empty:,.0f}/s"))
        told.append(Figure(name=f"GET {path}, share of the empty handler's", value=100 * rate / empty, unit=" %"))
    rounds = middle["rounds"]
    told.append(
        Figure(
            name=f"whole rounds of {settings.nodes} nodes, {settings.askers} at once",
            value=rounds,
            unit="/s",
            anchor=f"one takes as long as {empty / rounds:,.0f} empty requests",
        )
    )
    told.append(
        Figure(
            name=f"an honest request beside {settings.half_open} half-open connections, slowest of {settings.honest}",
            value=max(beside),
            unit=" s",
            at_most=HALF_OPEN_S_MAX,
            anchor=f"without them {max(idle):.3f} s",
        )
    )
    return told


def measure(settings: Settings) -> list[Figure]:
    """Measure."""
    return trio.run(compare, settings)


BENCH = Bench(
    name="http",
    measure=measure,
    whole=Settings(),
    smallest=Settings(blocks=1, block_s=0.3, rounds=4, half_open=20, honest=2),
)

if __name__ == "__main__":
    BENCH.main()
