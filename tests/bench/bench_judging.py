"""Judging one round's pairs, beside slower ways and beside a full server: `python -P -m tests.bench.bench_judging`.

Four ways take turns within each repetition, so that a busy machine disturbs them alike; medians are printed:

- uncached: one prompt at a time, each read from its beginning (of some pairs only, since every prompt costs the same)
- one at a time: both orders of each pair, all prompts shuffled, with the server's prefix cache as it comes
- ours: `node.work.judging.judge`, with as many prompts in flight as the node has at this server
- saturated: the same prompts in our order, all in flight at once

Each measurement asks another query, so that of a round nothing is cached when it begins; the examples, which stand
before the query in all prompts, always are, but for the uncached ones. More pairs on llama.cpp take long: `--pairs 64
--answers 16 --repetitions 1` five to ten minutes.
"""

import logging
import os
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import structlog
import trio

from node.cli.demo import JUDGE_ANSWER_BYTES_MAX
from node.inference import Engine, EngineConfig, JudgePrompt, JudgingMethod, open_engine
from node.inference.abilities import raw_request
from node.inference.discovery import TOP_LOGPROBS
from node.inference.embedded import embedded_server
from node.inference.http_json import JsonClient, open_json_client
from node.work.judging import PromptLimits, asking_order, judge, prompt_limits
from protocol.conversation import single
from tests.bench.harness import Bench, Figure, tree_cpu_s
from tests.support.engine_server import StandIn, serving
from tests.support.prompts import judge_prompt
from tests.vllm import servers

IN_FLIGHT_MAX = 256
"""More than the prompts of the largest case: what waits then waits at the server."""

REQUEST_TIMEOUT_MS = 1_200_000
"""The last of all prompts in flight waits for all others."""

VLLM_CONTEXT_TOKENS = 4096
"""The configuration's own: no answer is cut."""

UNCACHED_PAIRS = 2
"""Of all pairs: each of its prompts costs the same, and more than any other way's."""

SATURATED_LEAST = 0.9
ONE_AT_A_TIME_LEAST = 2.0
"""on vLLM, which works on several prompts at once"""
NODE_SHARE_MAX = 0.05
"""Aims of ours, by CPU time of the engine: of what a full server does, of what it does with one prompt at a time, and
how much CPU the node may add."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is judged, and where."""

    pairs: int = 16
    answers: int = 8
    repetitions: int = 1
    embedded: bool = True
    """llama.cpp with the packaged model; otherwise a server of the tests that has no model"""
    vllm: bool = True
    vllm_repetitions: int = 3
    """of the same round; one of 64 pairs follows"""


BODIES = (
    "    values.iter().copied().map(i64::from).sum()\n",
    "    values.iter().fold(0, |total, &value| total + i64::from(value))\n",
    "    let mut total = 0;\n    for &value in values {\n        total += i64::from(value);\n    }\n    total\n",
    "    let mut total = 0;\n    let mut index = 0;\n    while index < values.len() {\n"
    "        total += i64::from(values[index]);\n        index += 1;\n    }\n    total\n",
    "    match values {\n        [] => 0,\n        [first, rest @ ..] => i64::from(*first) + NAME(rest),\n    }\n",
    "    values.chunks(8).map(|chunk| chunk.iter().map(|&value| i64::from(value)).sum::<i64>()).sum()\n",
)
NAMES = ("sum_slice", "total_of", "add_all")
WORDS = (
    "The function borrows the slice, so the caller keeps it and may go on to use it.",
    "Every element is widened to 64 bits before it is added: no slice that fits in memory can overflow the total.",
    "An empty slice gives zero, as the sum over nothing should.",
    "With optimisations the compiler turns this into vector instructions, and nothing here is unsafe.",
    "It runs in linear time and allocates nothing on the heap.",
    "If you prefer an error to a wider type, checked_add returns an Option, which the question mark hands on.",
    "The same works for any iterator, since only the order of the elements is used and not their place.",
    "Indices are checked at run time unless the compiler can prove that they are always within bounds.",
    "A recursive version is shorter to read, but its depth grows with the slice and may exhaust the stack.",
    "Write a test with an empty slice, one element, and the largest values on both sides of zero.",
)


def answers(count: int) -> list[str]:
    """Different answers of 600 to 1,000 bytes, always the same."""
    rng = random.Random(count)
    found = []
    for index in range(count):
        name = NAMES[index // len(BODIES)]
        code = BODIES[index % len(BODIES)].replace("NAME", name)
        text = f"```rust\npub fn {name}(values: &[i32]) -> i64 {{\n{code}}}\n```\n"
        bytes_least = rng.randrange(600, 880)
        words = iter(rng.sample(WORDS, len(WORDS)))
        while len(text) < bytes_least:
            text += next(words) + " "
        found.append(text.strip())
    assert len(set(found)) == count and all(600 <= len(text) + 1 <= 1_000 for text in found)
    return found


@dataclass(frozen=True, slots=True)
class Case:
    """A round to be judged, and how often."""

    pairs: int
    answers: int
    repetitions: int

    def drawn(self) -> list[tuple[str, str]]:
        """Its pairs."""
        rng = random.Random(self.pairs)
        texts = answers(self.answers)
        all_pairs = [(first, second) for index, first in enumerate(texts) for second in texts[index + 1 :]]
        drawn = rng.sample(all_pairs, self.pairs)
        return [pair if rng.random() < 0.5 else pair[::-1] for pair in drawn]


@dataclass(frozen=True, slots=True)
class Round:
    """Pairs with a query that no server has seen."""

    query: str
    nonce: bytes
    pairs: Sequence[tuple[str, str]]

    def prompts(self, limits: PromptLimits, *, shuffled: bool) -> list[JudgePrompt]:
        """Both orders of each pair: in our order, or in none."""
        asks = asking_order(self.pairs)
        if shuffled:
            random.Random(len(asks)).shuffle(asks)
        shown = (self.pairs[ask.index][::-1] if ask.swapped else self.pairs[ask.index] for ask in asks)
        return [judge_prompt(single(self.query), *pair, nonce=self.nonce, limits=limits) for pair in shown]


@dataclass(slots=True)
class ServerBench:
    """One server."""

    engine: Engine
    """As a node has it."""
    wide: Engine
    """The same without a limit that matters."""
    client: JsonClient
    model: str
    limits: PromptLimits
    pid: int
    """All processes of the server descend from it, or are it."""
    rounds: int = 0

    def round(self, pairs: Sequence[tuple[str, str]]) -> Round:
        """The next round; all queries are of the same length and differ in their first words."""
        self.rounds += 1
        query = f"Task {self.rounds:04}: write a Rust function that adds up a slice of i32 and cannot overflow."
        return Round(query, self.rounds.to_bytes(8, "big"), pairs)

    def cached(self) -> tuple[int, int]:
        """Tokens of prompts so far, and how many of them were cached."""
        counts = [engine.cache for engine in (self.engine, self.wide) if engine.cache is not None]
        return sum(each.tokens for each in counts), sum(each.hits for each in counts)


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement."""

    judgements: int
    seconds: float
    node_s: float
    """CPU seconds of this process, which is all that a node does about judging."""
    engine_s: float
    cached: float
    """Share of the prompts' tokens."""

    @property
    def per_second(self) -> float:
        return self.judgements / self.seconds

    @property
    def per_cpu_second(self) -> float:
        return self.judgements / self.engine_s


@dataclass(slots=True)
class Samples:
    """All measurements of one way."""

    all: list[Sample] = field(default_factory=list)

    def median(self, name: str) -> float:
        return statistics.median(getattr(sample, name) for sample in self.all)


# -- the ways ----------------------------------------------------------------------------------------------------------


async def uncached(bench: ServerBench, round_: Round) -> int:
    """vLLM looks up what has the same salt alone; llama.cpp is told not to look."""
    some = replace(round_, pairs=round_.pairs[:UNCACHED_PAIRS])
    for index, prompt in enumerate(some.prompts(bench.limits, shuffled=True)):
        request = raw_request(bench.model, prompt.text, TOP_LOGPROBS[0])
        salt = {"cache_salt": f"{round_.query} {index}", "cache_prompt": False}
        await bench.client.post("/v1/completions", request | salt)
    return len(some.pairs)


async def one_at_a_time(bench: ServerBench, round_: Round) -> int:
    for prompt in round_.prompts(bench.limits, shuffled=True):
        await _ask(bench.engine, prompt)
    return len(round_.pairs)


async def ours(bench: ServerBench, round_: Round) -> int:
    told = 0
    judging = judge(bench.engine, single(round_.query), round_.pairs, nonce=round_.nonce, limits=bench.limits)
    async with judging as judgements:
        async for judgement in judgements:
            told += judgement.preference is not None
    if told < len(round_.pairs):
        raise RuntimeError(f"{len(round_.pairs) - told} of {len(round_.pairs)} judgements are abstentions")
    return told


async def saturated(bench: ServerBench, round_: Round) -> int:
    async with trio.open_nursery() as nursery:
        for prompt in round_.prompts(bench.limits, shuffled=False):
            nursery.start_soon(_ask, bench.wide, prompt)
    return len(round_.pairs)


async def _ask(engine: Engine, prompt: JudgePrompt) -> None:
    if await engine.preference(prompt) is None:
        raise RuntimeError("a judgement is an abstention")


Way = Callable[[ServerBench, Round], Awaitable[int]]

WAYS: dict[str, Way] = {
    "uncached": uncached,
    "one at a time": one_at_a_time,
    "ours": ours,
    "saturated": saturated,
}


# -- measuring ---------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def bench_at(config: EngineConfig, pid: int) -> AsyncIterator[ServerBench]:
    """The measurements of one server."""
    config = replace(config, request_timeout_ms=REQUEST_TIMEOUT_MS)
    async with (
        open_engine(config) as engine,
        open_engine(replace(config, concurrency=IN_FLIGHT_MAX)) as wide,
        open_json_client(config, timeout_ms=REQUEST_TIMEOUT_MS, concurrency=1) as client,
    ):
        info = await engine.probe()
        await wide.probe()
        if info.judging is not JudgingMethod.RAW:
            raise RuntimeError(f"{config.url} has no raw completions with logprobs")
        limits = prompt_limits(info.context_tokens, config.judge_answer_bytes_max)
        yield ServerBench(engine, wide, client, info.model, limits, pid)


async def measure_case(bench: ServerBench, case: Case) -> dict[str, Samples]:
    """All ways in turn, as often as the case says."""
    pairs = case.drawn()
    samples = {name: Samples() for name in WAYS}
    for _ in range(case.repetitions):
        for name, way in WAYS.items():
            samples[name].all.append(await _sample(bench, way, bench.round(pairs)))
    return samples


async def _sample(bench: ServerBench, way: Way, round_: Round) -> Sample:
    tokens, hits = bench.cached()
    node_s, engine_s, began_s = time.process_time(), tree_cpu_s(bench.pid), time.perf_counter()
    judgements = await way(bench, round_)
    seconds = time.perf_counter() - began_s
    node_s, engine_s = time.process_time() - node_s, tree_cpu_s(bench.pid) - engine_s
    tokens_then, hits_then = bench.cached()
    return Sample(judgements, seconds, node_s, engine_s, (hits_then - hits) / max(tokens_then - tokens, 1))


def _print(case: Case, samples: dict[str, Samples]) -> None:
    """By the clock, and by the CPU time of the engine, which on busy cores says more."""
    print(f"\n{case.pairs} pairs of {case.answers} answers, measured {case.repetitions} x")
    ratios = f"{'x uncached':>12}{'x one at a time':>17}{'of saturated':>14}"
    print(f"{'by the clock':16}{'seconds':>10}{'judgements/s':>14}{ratios}{'cached':>10}")
    rates = {name: each.median("per_second") for name, each in samples.items()}
    for name, each in samples.items():
        seconds, cached = each.median("seconds"), each.median("cached")
        print(f"{name:16}{seconds:10.2f}{rates[name]:14.3f}{_ratios(rates, name)}{cached:10.0%}")
    print(f"{'by CPU time':16}{'engine, s':>10}{'a judgement':>14}{ratios}{'node, s':>10}{'of the engine':>15}")
    rates = {name: each.median("per_cpu_second") for name, each in samples.items()}
    for name, each in samples.items():
        engine_s, node_s = each.median("engine_s"), each.median("node_s")
        cells = f"{engine_s:10.2f}{1 / rates[name]:14.3f}{_ratios(rates, name)}{node_s:10.3f}{node_s / engine_s:15.2%}"
        print(f"{name:16}{cells}", flush=True)


def _ratios(rates: dict[str, float], name: str) -> str:
    beside = (rates[name] / rates[other] for other in ("uncached", "one at a time", "saturated"))
    return "{:12.2f}{:17.2f}{:14.0%}".format(*beside)


def figures(
    case: Case, samples: dict[str, Samples], server: str, one_at_a_time_least: float | None
) -> Iterator[Figure]:
    """Our way beside the others, by the engine's CPU time."""
    ours, name = samples["ours"], f"{server}, {case.pairs} pairs"
    rates = {way: each.median("per_cpu_second") for way, each in samples.items()}
    yield Figure(
        name=f"{name}: judgements per CPU second, of a full server's",
        value=rates["ours"] / rates["saturated"],
        anchor=f"by the clock {ours.median('per_second') / samples['saturated'].median('per_second'):.2f}",
        at_least=SATURATED_LEAST,
    )
    yield Figure(
        name=f"{name}: the same, of one prompt at a time",
        value=rates["ours"] / rates["one at a time"],
        anchor=f"by the clock {ours.median('per_second') / samples['one at a time'].median('per_second'):.2f}",
        at_least=one_at_a_time_least,
    )
    yield Figure(
        name=f"{name}: CPU of the node, of the engine's",
        value=ours.median("node_s") / ours.median("engine_s"),
        anchor=f"engine {ours.median('engine_s'):.2f} s",
        at_most=NODE_SHARE_MAX,
    )


async def on_llama_cpp(case: Case, told: list[Figure]) -> None:
    """The embedded engine with its own default of slots, and answers cut as the demo cuts them."""
    config = EngineConfig(judge_answer_bytes_max=JUDGE_ANSWER_BYTES_MAX)
    async with embedded_server(config) as server:
        assert server.status.pid is not None
        print(
            f"llama.cpp, embedded: slots {config.slots}, the default, so the node has as many prompts in flight; "
            f"{config.prompt_threads} threads read; {config.judge_answer_bytes_max} bytes of each answer",
            flush=True,
        )
        async with bench_at(server.client_config, server.status.pid) as bench:
            samples = await measure_case(bench, case)
            _print(case, samples)
            told += figures(case, samples, "llama.cpp", None)


async def on_stand_in(case: Case) -> None:
    """A server in this process that has no model: nothing is learned but that all ways still work."""
    async with serving(StandIn()) as url:
        config = EngineConfig(kind="openai", url=url, api_key=StandIn.KEY)
        config = replace(config, judge_answer_bytes_max=JUDGE_ANSWER_BYTES_MAX)
        async with bench_at(config, os.getpid()) as bench:
            await measure_case(bench, case)


async def on_vllm(cases: Sequence[Case], told: list[Figure]) -> None:
    """vLLM's CPU build, where it is installed."""
    missing = next((path for path in (servers.BIN, servers.CHECKPOINT) if not path.is_dir()), None)
    if missing is not None:
        why = f"no {missing.name}: `make test-vllm` makes it"
        told.append(Figure(name="vLLM: of one prompt at a time", value=None, at_least=ONE_AT_A_TIME_LEAST, note=why))
        return
    async with servers.launched_vllm(VLLM_CONTEXT_TOKENS) as server:
        print(
            f"\nvLLM, CPU build, bfloat16: {server.config.concurrency} sequences at once, as many prompts in flight; "
            "whole answers",
            flush=True,
        )
        async with bench_at(server.config, server.pid) as bench:
            for case in cases:
                samples = await measure_case(bench, case)
                _print(case, samples)
                told += figures(case, samples, "vLLM", ONE_AT_A_TIME_LEAST)


def measure(settings: Settings) -> Iterator[Figure]:
    """Print the tables."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    told: list[Figure] = []
    case = Case(settings.pairs, settings.answers, settings.repetitions)
    if settings.embedded:
        trio.run(on_llama_cpp, case, told)
    else:
        trio.run(on_stand_in, case)
    if settings.vllm:
        large = Case(pairs=64, answers=16, repetitions=1)
        trio.run(on_vllm, [replace(case, repetitions=settings.vllm_repetitions), large], told)
    return iter(told)


SMALLEST = Settings(pairs=1, answers=2, embedded=False, vllm=False)
BENCH = Bench("judging", measure, Settings(), SMALLEST)

if __name__ == "__main__":
    BENCH.main()
