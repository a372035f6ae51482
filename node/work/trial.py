"""A trial of an engine: one real answer and one real judgement, by the way that rounds take.

A probe shows that a server replies; a trial shows that it can do a member's work. It is for whoever sets a node up, or
wonders what is wrong with one, so nothing that the engine does is an exception here.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from node.inference import Engine, EngineConfig, EngineError, EngineInfo, JudgingMethod, Sampling
from node.work.judging import NONCE_BYTES, judge, prompt_limits
from protocol.conversation import single
from protocol.types import ONE, TaskType

QUERY: Final = single("Write a Rust function that returns the larger of two numbers.")

ANSWER_TOKENS: Final = 128
"""Longest answer of a trial in tokens: the function and a sentence. A slow CPU writes ten tokens a second."""

TRIAL_S: Final = 120.0
"""Seconds for each part of a trial: a server may load a model of 30 GB from a slow disk at its first request."""

CANNOT_JUDGE: Final = "in no way of asking does it say A or B about a plain pair: it can answer, and judges nothing"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One part of a trial: what came of it, or why nothing did, and the time that it took."""

    ms: int
    text: str = ""
    """The answer; of a judgement, what was preferred, in words."""
    error: str = ""
    """One line for the user; empty: it worked."""

    @property
    def works(self) -> bool:
        """Whether it gave what a round needs."""
        return not self.error


@dataclass(frozen=True, slots=True)
class EngineTrial:
    """The result of a trial. A part that needs one that failed is not tried: None."""

    probe: Attempt
    answer: Attempt | None = None
    judgement: Attempt | None = None
    info: EngineInfo | None = None
    """What the probe found."""

    @property
    def works(self) -> bool:
        """Whether the engine can both answer and judge."""
        return self.judgement is not None and self.judgement.works

    @property
    def error(self) -> str:
        """Why it cannot, in one line; empty if it can."""
        parts = (
            ("", self.probe),
            ("it gives no answer: ", self.answer),
            ("it answers, but cannot judge: ", self.judgement),
        )
        return next((f"{words}{part.error}" for words, part in parts if part is not None and part.error), "")


async def try_engine(engine: Engine, config: EngineConfig, *, timeout_s: float = TRIAL_S) -> EngineTrial:
    """Probe an engine, let it answer one question, and let it compare that answer with its first half, in both orders.

    `timeout_s` bounds each of the three. Faults of the engine are values of the result.
    """
    found: list[EngineInfo] = []

    async def probe() -> str:
        found.append(await engine.probe())
        return found[0].model

    async def answer() -> str:
        tokens = min(ANSWER_TOKENS, config.max_tokens)
        sampling = Sampling(config.temperature, config.top_p, config.seed, tokens)
        return (await engine.answer(QUERY, TaskType.CODE, sampling)).text

    probed = await _attempt(probe, timeout_s)
    if not probed.works:
        return EngineTrial(probed)
    (info,) = found
    answered = await _attempt(answer, timeout_s)
    if not answered.works:
        return EngineTrial(probed, answered, info=info)
    compare = partial(_compare, engine, config, info, answered.text)
    return EngineTrial(probed, answered, await _attempt(compare, timeout_s), info)


async def _compare(engine: Engine, config: EngineConfig, info: EngineInfo, text: str) -> str:
    """Let the engine compare its answer with the first half of it, and return what it prefers. Raises EngineError."""
    if info.judging is JudgingMethod.NONE:
        raise EngineError(CANNOT_JUDGE)
    limits = prompt_limits(info.context_tokens, config.judge_answer_bytes_max, config.reasoning_tokens)
    pairs = ((text, text[: len(text) // 2]),)
    nonce = secrets.token_bytes(NONCE_BYTES)
    async with judge(engine, QUERY, pairs, nonce=nonce, limits=limits, told=info.control_tokens) as judgements:
        async for judgement in judgements:
            if judgement.preference is None:
                raise EngineError(f"it abstains: {judgement.reason}")
            return f"{judgement.preference / ONE:.0%} for its answer against the first half of it"
    raise AssertionError("a pair of two texts is judged")


async def _attempt(work: Callable[[], Awaitable[str]], timeout_s: float) -> Attempt:
    """Do one part within the time, and return its result or its error as a value."""
    began_s = trio.current_time()
    text, error = "", f"nothing came within {timeout_s:.0f} s"
    with trio.move_on_after(timeout_s):
        try:
            text, error = await work(), ""
        except EngineError as failure:
            error = str(failure)
    return Attempt(round(1000 * (trio.current_time() - began_s)), text, error)
