"""Many clients of one node's HTTP interface at once, whose rounds are real: each has a nonce that its answer must hold.

Three nodes have scripted engines, each with an answer of its own to every question. All clients ask the first, every
second question by OpenAI's chat completions, as a stream. The node
gives turns to so many rounds at once as the network allows, lets so many more wait as its configuration says, and
refuses the rest with 503; a refused client asks again after the time that the node named.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

import httpx2
import trio

from node.api.events import Asked, Decided, Ended
from node.client import Client, Question, UnavailableError, connect
from node.config import CapacityTable, load_params
from node.inference import EngineConfig
from node.local.nodes import Child, NodeSpec
from node.local.swarm import open_swarm
from protocol.types import Outcome
from tests.support.counted_node import rss_mib

NETWORK = "devnet"

NODES = 3

RETRY_S = 1.0
"""what the node's Retry-After says"""

SILENCE_S = 120.0
"""longest silence of a round that waits for its turn"""

COMPLETED_MIN = 0.8
"""of the rounds that the turns allow in the time"""

GROWTH_MIB_MAX = 16.0
"""by which the asked node's memory may grow from a fifth of the rounds to their end"""

SETTLED = 0.2
"""share of the rounds after which memory is first looked at: caches and histories of bounded size are full by then"""

FULL_WORDS = "wait already"
"""in the refusal of a node whose queue is full"""


@dataclass(frozen=True, slots=True)
class Load:
    """How many ask, and how much."""

    clients: int = 200
    rounds: int = 5_000
    seed: int = 1


@dataclass
class LoadReport:
    """What became of it."""

    load: Load
    turns: int
    waiting_max: int
    began_s: float = 0.0
    ended_s: float = 0.0
    completed: int = 0
    refusals: int = 0
    held_ms: list[int] = field(default_factory=list)
    """of each completed round that the native API asked for: how long it had its turn"""
    waited_s: list[float] = field(default_factory=list)
    """of each completed round: from the request that was not refused to the answer"""
    first_mib: float = 0.0
    last_mib: float = 0.0
    complaints: list[str] = field(default_factory=list)

    @property
    def share_completed(self) -> float:
        """Completed rounds, of those for which all turns together had time."""
        held_s = statistics.mean(self.held_ms or [0]) / 1000
        return self.completed * held_s / (self.turns * max(self.ended_s - self.began_s, 1e-9))

    def lines(self) -> list[str]:
        """The figures, and what is wrong."""
        seconds = self.ended_s - self.began_s
        rate = self.completed / max(seconds, 1e-9)
        waits = statistics.quantiles(self.waited_s, n=100) if len(self.waited_s) > 1 else [0.0] * 99
        return [
            f"{self.load.clients} clients: {self.completed} rounds in {seconds:.0f} s, {rate:.1f}/s",
            f"{100 * self.share_completed:.0f} % of what {self.turns} turns allow; a round held its turn for "
            f"{statistics.median(self.held_ms or [0]):.0f} ms (median)",
            f"{self.refusals} refusals with 503, each while {self.waiting_max} or more others were under way",
            f"from request to answer: median {waits[49]:.2f} s, 99th percentile {waits[98]:.2f} s",
            f"memory of the asked node: {self.first_mib:.0f} MiB after {SETTLED:.0%} of the rounds, "
            f"{self.last_mib:.0f} MiB at the end",
            *self.complaints[:20],
            f"{len(self.complaints)} complaints",
        ]


class _Clients:
    """All clients, which share the numbers of the questions and the count of those who wait."""

    def __init__(self, report: LoadReport, nonces: list[str], asked: Child) -> None:
        self._report = report
        self._nonces = enumerate(nonces)
        self._asked = asked
        self._under_way = 0
        self._begun = 0

    async def run_one(self) -> None:
        """Ask one question after another until there are none."""
        async with (
            connect(self._asked.url) as client,
            httpx2.AsyncClient(base_url=self._asked.url, timeout=SILENCE_S, trust_env=False) as http,
        ):
            for number, nonce in self._nonces:
                follow = partial(self._complete, http) if number % 2 else partial(self._follow, client)
                while True:
                    if await self._ask(follow, nonce):
                        break
                    await trio.sleep(RETRY_S)
                self._note_memory()

    async def _ask(self, follow: Callable[[str, float], Awaitable[None]], nonce: str) -> bool:
        """Ask, and judge what comes; return whether it was not refused."""
        others, begun_before = self._under_way, self._begun
        self._under_way += 1
        self._begun += 1
        began_s = time.monotonic()
        try:
            await follow(nonce, began_s)
        except UnavailableError as error:
            self._report.refusals += 1
            # At the moment of the refusal so many waited; each of them was under way at some time of this request.
            overlapped = others + self._begun - begun_before - 1
            if FULL_WORDS not in str(error) or overlapped < self._report.waiting_max:
                self._report.complaints.append(f"refused beside {overlapped} others: {error}")
            return False
        finally:
            self._under_way -= 1
        return True

    async def _follow(self, client: Client, nonce: str, began_s: float) -> None:
        report, decided, ended = self._report, None, None
        async with aclosing(client.ask(question(nonce), SILENCE_S)) as events:
            async for event in events:
                match event:
                    case Asked():
                        report.began_s = report.began_s or time.monotonic()
                    case Decided():
                        decided = event
                        report.waited_s.append(time.monotonic() - began_s)
                    case Ended():
                        ended = event
        if decided is None or ended is None or decided.outcome is not Outcome.DECIDED:
            report.complaints.append(f"{nonce}: {decided}, {ended}")
            return
        if nonce not in decided.answer:
            report.complaints.append(f"{nonce}: its answer is another's: {decided.answer}")
        report.held_ms.append(ended.at_ms)
        self._note_completed()

    async def _complete(self, http: httpx2.AsyncClient, nonce: str, began_s: float) -> None:
        """Ask by OpenAI's API."""
        wanted = {
            "model": "strand-rust:members",
            "messages": [{"role": "user", "content": question(nonce).turns[0].text}],
            "stream": True,
            "strand": {"pairs_per_judge": 1},
        }
        text = ""
        async with http.stream("POST", "/v1/chat/completions", json=wanted) as response:
            if response.status_code == 503:
                await response.aread()
                raise UnavailableError(response.json()["error"]["message"], 503)
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    chunk = json.loads(line.removeprefix("data: "))
                    text += "".join(each["delta"].get("content") or "" for each in chunk.get("choices", ()))
        if nonce not in text:
            self._report.complaints.append(f"{nonce}: {response.status_code}, its text is another's: {text}")
            return
        self._report.waited_s.append(time.monotonic() - began_s)
        self._note_completed()

    def _note_completed(self) -> None:
        self._report.completed += 1
        self._report.ended_s = time.monotonic()

    def _note_memory(self) -> None:
        self._report.last_mib = rss_mib(self._asked.process.pid)
        if not self._report.first_mib and self._report.completed >= SETTLED * self._report.load.rounds:
            self._report.first_mib = self._report.last_mib


async def play(load: Load, folder: Path, say: Callable[[str], None] = print) -> LoadReport:
    """Start the nodes, let all clients ask, and report."""
    capacity = CapacityTable()
    report = LoadReport(load, load_params(NETWORK).open_rounds_per_key_max, capacity.waiting_queries_max)
    random = Random(load.seed)
    nonces = [f"nonce-{number:05}-{random.randbytes(8).hex()}" for number in range(load.rounds)]
    specs = list(_specs(folder, nonces))
    async with AsyncExitStack() as stack:
        asked = (await stack.enter_async_context(open_swarm(specs))).nodes[0]
        async with connect(asked.url) as client:
            await client.wait_offers(NODES, SILENCE_S)
        clients = _Clients(report, nonces, asked)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_tell, report, say)
            async with trio.open_nursery() as asking:
                for _ in range(load.clients):
                    asking.start_soon(clients.run_one)
            nursery.cancel_scope.cancel()
        if asked.process.returncode is not None:
            report.complaints.append("the asked node has ended")
    if report.completed != load.rounds:
        report.complaints.append(f"{report.completed} of {load.rounds} rounds were completed")
    return report


def question(nonce: str) -> Question:
    """The question with this nonce, which the engines' scripts name."""
    return Question.single(f"Write a Rust constant that holds {nonce}.", pairs_per_judge=1)


def _specs(folder: Path, nonces: list[str]) -> Iterator[NodeSpec]:
    """Nodes, each with a script of its own answers; which of them is best differs from question to question."""
    for number in range(NODES):
        answers = []
        for index, nonce in enumerate(nonces):
            quality = 0.2 + 0.3 * ((index + number) % NODES)
            text = f'const NONCE: &str = "{nonce}"; // of node {number}'
            answers.append({"text": text, "quality": quality, "query": question(nonce).turns[0].text})
        script = folder / f"script-{number}.json"
        script.write_text(json.dumps({"answers": answers}))
        yield NodeSpec(folder / str(number), EngineConfig(kind="scripted", script=str(script)), network=NETWORK)


async def _tell(report: LoadReport, say: Callable[[str], None]) -> None:
    """Say now and then how far it is."""
    while True:
        await trio.sleep(30)
        say(f"{report.completed} rounds, {report.refusals} refusals, {report.last_mib:.0f} MiB")


def judge_figures(report: LoadReport) -> None:
    """Complain also of the figures, which mean something only if the machine has little else to do."""
    if report.share_completed < COMPLETED_MIN:
        report.complaints.append(f"only {report.share_completed:.2f} of what the turns allow was completed")
    if report.last_mib > report.first_mib + GROWTH_MIB_MAX:
        report.complaints.append(f"memory grew from {report.first_mib:.0f} to {report.last_mib:.0f} MiB")
