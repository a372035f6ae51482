"""The trial of an engine: what works, what does not, and that it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from node.inference import EngineConfig, EngineInfo, JudgePrompt, JudgingMethod, Sampling
from node.inference.scripted import ScriptedEngine, open_scripted
from node.work.trial import ANSWER_TOKENS, CANNOT_JUDGE, try_engine
from protocol.types import TaskType


async def test_an_engine_that_can_both_is_timed_in_both(autojump_clock: MockClock) -> None:
    config = EngineConfig(kind="scripted", seed=1, latency_ms=1500)
    trial = await try_engine(await open_scripted(config), config)
    assert (trial.works, trial.error) == (True, "")
    assert trial.info is not None and trial.info.model == "scripted"
    assert trial.answer is not None and trial.judgement is not None
    assert "pub fn" in trial.answer.text
    # An answer is one request, a judgement two: one for each order.
    assert (trial.answer.ms, trial.judgement.ms) == (1500, 3000)
    assert autojump_clock.current_time() == pytest.approx(4.5)
    # Both texts carry the same quality.
    assert trial.judgement.text == "50% for its answer against the first half of it"


async def test_an_engine_without_an_opinion_can_answer_alone(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"answers": [{"text": "fn main() {}", "quality": 0.5}]}))
    config = EngineConfig(kind="scripted", script=str(script))
    trial = await try_engine(await open_scripted(config), config)
    assert not trial.works
    assert trial.answer is not None and trial.answer.works
    assert trial.error == "it answers, but cannot judge: it abstains: the reply does not say A or B"


async def test_a_context_too_small_to_judge_in_is_told() -> None:
    config = EngineConfig(kind="scripted", seed=1, context_tokens=500)
    trial = await try_engine(await open_scripted(config), config)
    assert trial.answer is not None and trial.answer.works
    assert trial.error == "it answers, but cannot judge: a context of 500 tokens is too small to judge answers with"


class Odd(ScriptedEngine):
    """A scripted engine with one more fault."""

    def __init__(self, judging: JudgingMethod = JudgingMethod.SCRIPT, latency_ms: int = 0) -> None:
        super().__init__(1, (), latency_ms, 4096)
        self._judging = judging
        self.asked: list[Sampling] = []

    async def probe(self) -> EngineInfo:
        return EngineInfo("scripted", "scripted", 4096, 10.0, self._judging)

    async def answer(self, query: Any, task: TaskType, sampling: Sampling) -> Any:
        self.asked.append(sampling)
        return await super().answer(query, task, sampling)

    async def preference(self, prompt: JudgePrompt) -> float | None:
        assert self._judging is not JudgingMethod.NONE
        return await super().preference(prompt)


async def test_a_server_that_can_be_asked_in_no_way_is_not_asked() -> None:
    engine = Odd(JudgingMethod.NONE)
    trial = await try_engine(engine, EngineConfig(max_tokens=10_000))
    assert trial.error == f"it answers, but cannot judge: {CANNOT_JUDGE}"
    assert [each.max_tokens for each in engine.asked] == [ANSWER_TOKENS]


@pytest.mark.parametrize(("latency_s", "error"), [(100, "it gives no answer: "), (7, "it answers, but cannot judge: ")])
async def test_every_part_ends_in_its_time(autojump_clock: MockClock, latency_s: int, error: str) -> None:
    trial = await try_engine(Odd(latency_ms=1000 * latency_s), EngineConfig(), timeout_s=10)
    assert trial.error == f"{error}nothing came within 10 s"
    assert autojump_clock.current_time() == pytest.approx(10 if latency_s == 100 else 17)
