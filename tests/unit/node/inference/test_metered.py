"""What is counted of an engine, and what is not."""

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from node.inference import EngineConfig, EngineError, JudgePrompt, Sampling, open_engine
from node.inference.metered import MEMORY, SPEEDS_MAX, Metered
from node.inference.ports import Reasoning
from node.inference.scripted import TOKENS_PER_SECOND, open_scripted
from protocol.conversation import single
from protocol.types import TaskType

SAMPLING = Sampling(0.8, 0.95, None, max_tokens=100)
PROMPT = JudgePrompt("A or B?", "// quality 0.9", "// quality 0.1")


async def metered(latency_ms: int = 0) -> Metered:
    return Metered(await open_scripted(EngineConfig(kind="scripted", seed=1, latency_ms=latency_ms)))


async def test_answers_and_judgements_are_counted_and_handed_on() -> None:
    engine = await metered()
    completion = await engine.answer(single("q"), TaskType.CODE, SAMPLING)
    assert completion.text
    assert await engine.preference(PROMPT) is not None
    assert await engine.preference(PROMPT) is not None
    assert (engine.counts.answers, engine.counts.judgements, engine.counts.failures) == (1, 2, 0)
    assert (await engine.probe()).kind == "scripted"
    assert engine.concurrency == 1
    assert engine.cache is None


async def test_an_answer_that_took_no_time_has_no_speed(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    """Else a scripted engine would say tens of thousands of tokens a second."""
    engine = await metered()
    await engine.answer(single("q"), TaskType.CODE, SAMPLING)
    assert engine.tokens_per_second == 0
    await engine.probe()
    await engine.answer(single("q"), TaskType.CODE, SAMPLING)
    assert engine.tokens_per_second == TOKENS_PER_SECOND


async def test_a_failure_is_counted_with_its_line_and_goes_on() -> None:
    """Nobody listens on the discard port."""
    async with open_engine(EngineConfig(kind="openai", url="http://127.0.0.1:9")) as away:
        engine = Metered(away)
        with pytest.raises(EngineError) as caught:
            await engine.preference(PROMPT)
    assert (engine.counts.failures, engine.counts.last_failure, engine.counts.in_flight) == (1, str(caught.value), 0)
    assert engine.judgement_s is None


async def test_what_was_cancelled_is_no_failure_and_no_time(autojump_clock: MockClock) -> None:
    engine = await metered(latency_ms=60_000)
    with trio.move_on_after(1):
        await engine.preference(PROMPT)
    assert autojump_clock.current_time() == pytest.approx(1)
    assert (engine.counts.failures, engine.counts.in_flight, engine.judgement_s) == (0, 0, None)


async def test_times_are_followed(autojump_clock: MockClock) -> None:
    engine = await metered(latency_ms=1_000)
    await engine.preference(PROMPT)
    assert engine.judgement_s == pytest.approx(1)
    slower = await metered(latency_ms=2_000)
    slower.judgement_s = 1.0
    await slower.preference(PROMPT)
    assert slower.judgement_s == pytest.approx(MEMORY + 2 * (1 - MEMORY))
    assert slower.prompt_byte_s == pytest.approx(2 / len(PROMPT.text))
    assert autojump_clock.current_time() == pytest.approx(3)


@pytest.mark.parametrize(("tokens", "reading_s"), [(400, 0.6), (1_000, 0.0), (100_000, 0.0)])
async def test_the_time_to_write_reasoning_is_no_time_to_read(
    autojump_clock: MockClock, tokens: int, reading_s: float
) -> None:
    engine = await metered(latency_ms=1_000)
    reasoned = replace(PROMPT, reasoning=Reasoning("Why A or B?", tokens, str))
    await engine.preference(reasoned)
    # Nothing was timed that tells how fast it writes.
    assert engine.prompt_byte_s == pytest.approx(1 / len("Why A or B?"))
    await engine.probe()
    engine.forget_pace()
    await engine.preference(reasoned)
    assert engine.prompt_byte_s == pytest.approx(reading_s / len("Why A or B?"))
    assert engine.judgement_s == pytest.approx(1)
    assert autojump_clock.current_time() == pytest.approx(2)


async def test_one_slow_answer_does_not_make_a_slow_engine(autojump_clock: MockClock) -> None:
    engine = Metered(await open_scripted(EngineConfig(kind="scripted", seed=1, latency_ms=100_000)))
    assert engine.tokens_per_second == 0
    completion = await engine.answer(single("q"), TaskType.CODE, SAMPLING)
    assert engine.tokens_per_second == pytest.approx(completion.answer_tokens / 100)
    await engine.probe()
    assert engine.tokens_per_second == TOKENS_PER_SECOND
    for _ in range(SPEEDS_MAX - 1):
        await engine.answer(single("q"), TaskType.CODE, SAMPLING)
    assert engine.tokens_per_second == TOKENS_PER_SECOND
    await engine.answer(single("q"), TaskType.CODE, SAMPLING)
    assert engine.tokens_per_second == pytest.approx(completion.answer_tokens / 100)
    assert autojump_clock.current_time() > 100 * SPEEDS_MAX
