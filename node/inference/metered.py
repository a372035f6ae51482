"""An engine that is watched: what was asked of it, what failed, how long it takes."""

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
from protocol.limits import COUNT_MAX
from protocol.types import TaskType

MEMORY = 0.9
"""What an average keeps at each new value: it follows some ten of them, a round's worth."""

SPEEDS_MAX = 8
"""Speeds that are remembered, of probes and answers: some minutes of work, or four of idleness."""


@dataclass(slots=True)
class EngineCounts:
    """Since the node's start."""

    answers: int = 0
    judgements: int = 0
    abstentions: int = 0
    """Judgements in whose reply there was no preference."""
    failures: int = 0
    last_failure: str = ""
    in_flight: int = 0


class _Around:
    """What an engine that stands before another passes on as it is."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def concurrency(self) -> int:
        """See Engine."""
        return self._engine.concurrency

    @property
    def cache(self) -> CacheCounts | None:
        """See Engine."""
        return self._engine.cache

    @property
    def server(self) -> ServerStatus | None:
        """See Engine."""
        return self._engine.server

    def doubt(self) -> None:
        """See Engine."""
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
        """The best that was seen lately; 0 before anything was.

        Several nodes may share a server: what waits in their line is slow once, and says nothing of the next request.
        """
        return max(self._speeds, default=0.0)

    async def probe(self) -> EngineInfo:
        """See Engine."""
        with self._watched():
            info = await self._engine.probe()
        self._speeds.append(info.tokens_per_second)
        self._judging_tokens = info.judging_tokens
        return info

    async def answer(self, query: str, task: TaskType, sampling: Sampling) -> Completion:
        """See Engine."""
        self.counts.answers += 1
        started_s = trio.current_time()
        with self._watched():
            completion = await self._engine.answer(query, task, sampling)
        self._speeds.append(completion.answer_tokens / max(trio.current_time() - started_s, 0.001))
        return completion

    async def preference(self, prompt: JudgePrompt) -> float | None:
        """See Engine."""
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
        # How much was written is not told. A plan adds the full length again: the sum is what was seen, or more.
        writing_s = tokens / self.tokens_per_second if self.tokens_per_second else 0.0
        reading_s = max(elapsed_s - writing_s, 0.0)
        self.prompt_byte_s = _follow(self.prompt_byte_s, reading_s / max(len(text.encode()), 1))
        return preference

    def forget_pace(self) -> None:
        """What was seen may be over, and a node that stays out of work sees no more: the next request starts anew."""
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
    """Who pays for what is asked of the engine, and waits for a turn at it."""

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
        """See Engine; nobody pays."""
        return await self._engine.probe()

    async def answer(self, query: str, task: TaskType, sampling: Sampling) -> Completion:
        """See Engine."""
        async with self._paid(len(query.encode()) // BYTES_PER_TOKEN) as bill:
            completion = await self._engine.answer(query, task, sampling)
            bill.tokens = min(max(completion.prompt_tokens, 0) + max(completion.answer_tokens, 0), COUNT_MAX)
        return completion

    async def preference(self, prompt: JudgePrompt) -> float | None:
        """See Engine."""
        reasoning = 0 if prompt.reasoning is None else prompt.reasoning.tokens_max
        async with self._paid(len(prompt.text.encode()) // BYTES_PER_TOKEN + reasoning):
            return await self._engine.preference(prompt)

    @asynccontextmanager
    async def _paid(self, tokens: int) -> AsyncIterator["_Bill"]:
        """Around one request: its time counts for the share of the engine that it takes, also if it fails."""
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
    """Tokens of one request; an estimate until the engine tells."""

    tokens: int


def _follow(average: float | None, value: float) -> float:
    return value if average is None else MEMORY * average + (1 - MEMORY) * value
