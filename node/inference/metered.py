"""An engine with measurements: requests, failures and durations."""

from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Protocol

import trio

from node.inference.ports import (
    BYTES_PER_TOKEN,
    CacheCounts,
    Completion,
    Engine,
    EngineError,
    EngineInfo,
    JudgePrompt,
    Sampling,
)
from node.inference.status import ServerStatus
from protocol.conversation import bytes_of
from protocol.limits import COUNT_MAX
from protocol.messages import Turn
from protocol.types import TaskType

MEMORY = 0.9
"""Weight of the old average at each new value: it follows some ten of them, a round's worth."""

SPEEDS_MAX = 8
"""Remembered speeds, of probes and answers: some minutes of work, or four of idleness."""


TIMED_S_MIN = 0.01
"""Shortest time of an answer, s, whose speed is remembered: a scripted engine's, which replies at once, has none."""


@dataclass(slots=True)
class EngineCounts:
    """Counts since the node's start."""

    answers: int = 0
    judgements: int = 0
    abstentions: int = 0
    """Judgements whose reply contained no preference."""
    failures: int = 0
    last_failure: str = ""
    in_flight: int = 0


class _Around:
    """What an engine that stands before another passes on as it is."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def concurrency(self) -> int:
        """Concurrent requests of the wrapped engine."""
        return self._engine.concurrency

    @property
    def cache(self) -> CacheCounts | None:
        """Prompt cache counts of the wrapped engine."""
        return self._engine.cache

    @property
    def server(self) -> ServerStatus | None:
        """State of the wrapped engine's server."""
        return self._engine.server

    def doubt(self) -> None:
        """Pass the doubt on to the wrapped engine, as Engine describes."""
        self._engine.doubt()


class Metered(_Around):
    """Engine that counts what goes through another. Times are those of requests that were given a reply."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.counts = EngineCounts()
        self._speeds: deque[float] = deque(maxlen=SPEEDS_MAX)
        self._judging_tokens = 0
        """What the engine may write for a letter, as of the last probe."""
        self.judgement_s: float | None = None
        """Seconds for one preference, its wait in line included."""
        self.prompt_byte_s: float | None = None
        """The same for each byte of its prompt, less the time that reasoning of the full length takes: of reading."""

    @property
    def tokens_per_second(self) -> float:
        """Best speed observed lately; 0 before any observation.

        Several nodes may share a server: a wait in its queue slows one request, and says nothing about the next.
        """
        return max(self._speeds, default=0.0)

    async def probe(self) -> EngineInfo:
        """Probe the wrapped engine and record its speed."""
        with self._watched():
            info = await self._engine.probe()
        self._speeds.append(info.tokens_per_second)
        self._judging_tokens = info.judging_tokens
        return info

    async def answer(self, turns: tuple[Turn, ...], task: TaskType, sampling: Sampling) -> Completion:
        """Answer with the wrapped engine and record its speed."""
        self.counts.answers += 1
        started_s = trio.current_time()
        with self._watched():
            completion = await self._engine.answer(turns, task, sampling)
        if (elapsed_s := trio.current_time() - started_s) >= TIMED_S_MIN:
            self._speeds.append(completion.answer_tokens / elapsed_s)
        return completion

    async def preference(self, prompt: JudgePrompt) -> float | None:
        """Compare with the wrapped engine and record its durations."""
        self.counts.judgements += 1
        started_s = trio.current_time()
        with self._watched():
            preference = await self._engine.preference(prompt)
        self.counts.abstentions += preference is None
        elapsed_s = trio.current_time() - started_s
        self.judgement_s = _follow(self.judgement_s, elapsed_s)
        text, tokens = prompt.text, 0
        if prompt.reasoning is not None:
            text, tokens = prompt.reasoning.text, prompt.reasoning.tokens_max
        tokens += self._judging_tokens
        # The number of written tokens is unknown. A plan adds the full length again, so the sum is at least the
        # observed time.
        writing_s = tokens / self.tokens_per_second if self.tokens_per_second else 0.0
        reading_s = max(elapsed_s - writing_s, 0.0)
        self.prompt_byte_s = _follow(self.prompt_byte_s, reading_s / max(len(text.encode()), 1))
        return preference

    def forget_pace(self) -> None:
        """Forget the reading speed: it may be outdated, and a node that declines work measures no new one."""
        self.prompt_byte_s = None

    @contextmanager
    def _watched(self) -> Iterator[None]:
        self.counts.in_flight += 1
        try:
            yield
        except EngineError as error:
            self.counts.failures += 1
            self.counts.last_failure = str(error)
            raise
        finally:
            self.counts.in_flight -= 1


class Account(Protocol):
    """The payer for requests to the engine, and the queue for a turn at it."""

    def slot(self, concurrency: int) -> AbstractAsyncContextManager[None]:
        """Wait for a turn, and hold it for the block."""
        ...

    def charge(self, tokens: int, engine_ms: int) -> None:
        """Pay for a request, whether it succeeded or not."""
        ...


class Charged(_Around):
    """The engine as one payer uses it."""

    def __init__(self, engine: Engine, account: Account) -> None:
        super().__init__(engine)
        self._account = account

    async def probe(self) -> EngineInfo:
        """Probe the engine; nobody pays."""
        return await self._engine.probe()

    async def answer(self, turns: tuple[Turn, ...], task: TaskType, sampling: Sampling) -> Completion:
        """Answer in the payer's turn, and charge for it."""
        async with self._paid(bytes_of(turns) // BYTES_PER_TOKEN) as bill:
            completion = await self._engine.answer(turns, task, sampling)
            bill.tokens = min(max(completion.prompt_tokens, 0) + max(completion.answer_tokens, 0), COUNT_MAX)
        return completion

    async def preference(self, prompt: JudgePrompt) -> float | None:
        """Compare in the payer's turn, and charge for it."""
        reasoning = 0 if prompt.reasoning is None else prompt.reasoning.tokens_max
        async with self._paid(len(prompt.text.encode()) // BYTES_PER_TOKEN + reasoning):
            return await self._engine.preference(prompt)

    @asynccontextmanager
    async def _paid(self, tokens: int) -> AsyncIterator["_Bill"]:
        """Charge for one request: its time counts for its share of the engine, even if it fails."""
        bill = _Bill(tokens)
        async with self._account.slot(self.concurrency):
            started_s = trio.current_time()
            try:
                yield bill
            finally:
                elapsed_ms = 1000 * (trio.current_time() - started_s)
                self._account.charge(bill.tokens, round(elapsed_ms / self.concurrency))


@dataclass(slots=True)
class _Bill:
    """Tokens of one request; an estimate until the engine reports them."""

    tokens: int


def _follow(average: float | None, value: float) -> float:
    return value if average is None else MEMORY * average + (1 - MEMORY) * value
