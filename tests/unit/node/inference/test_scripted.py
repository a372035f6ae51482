"""The scripted engine: deterministic answers, consistent preferences, scripts that are refused."""

import json
from pathlib import Path

import pytest
import trio

from node.inference import EngineConfig, EngineError, JudgePrompt, Sampling, open_engine
from protocol.conversation import single
from protocol.types import TaskType

SAMPLING = Sampling(temperature=0.8, top_p=0.95, seed=1, max_tokens=256)


async def answer_of(config: EngineConfig, query: str = "q", task: TaskType = TaskType.CODE) -> str:
    async with open_engine(config) as engine:
        return (await engine.answer(single(query), task, SAMPLING)).text


async def preference_of(config: EngineConfig, first: str, second: str) -> float | None:
    async with open_engine(config) as engine:
        return await engine.preference(JudgePrompt("", first, second))


async def test_engines_without_a_seed_do_not_answer_alike() -> None:
    """Twelve that drew the same of 2^32 seeds would be a fault."""
    assert len({await answer_of(EngineConfig(kind="scripted")) for _ in range(12)}) > 1


async def test_the_same_seed_and_query_give_the_same_answer_and_others_another() -> None:
    texts = [await answer_of(EngineConfig(kind="scripted", seed=seed)) for seed in range(8)]
    assert texts[3] == await answer_of(EngineConfig(kind="scripted", seed=3))
    assert len(set(texts)) == 8
    assert all(text.startswith("```rust\n") and "fn " in text for text in texts)
    assert await answer_of(EngineConfig(kind="scripted", seed=3), "another query") != texts[3]


async def test_all_judges_agree_on_the_better_answer_and_order_does_not_matter() -> None:
    good, bad = "// quality 0.90\nfn a() {}", "// quality 0.20\nfn b() {}"
    preferences = {await preference_of(EngineConfig(kind="scripted", seed=seed), good, bad) for seed in range(3)}
    (preference,) = preferences
    assert preference is not None
    assert preference > 0.99
    assert await preference_of(EngineConfig(kind="scripted"), bad, good) == pytest.approx(1 - preference)


async def test_an_answer_of_unknown_quality_is_an_abstention() -> None:
    assert await preference_of(EngineConfig(kind="scripted"), "// quality 0.90", "no mark") is None


async def test_final_answers_end_with_an_answer_line() -> None:
    text = await answer_of(EngineConfig(kind="scripted", seed=1), task=TaskType.FINAL)
    assert text.splitlines()[-1].startswith("Answer: ")


async def test_an_answer_is_cut_at_the_token_limit() -> None:
    async with open_engine(EngineConfig(kind="scripted", seed=1)) as engine:
        completion = await engine.answer(single("q"), TaskType.CODE, Sampling(0.8, 0.95, None, max_tokens=5))
    assert (completion.finish, completion.answer_tokens, len(completion.text)) == ("length", 5, 20)


async def test_latency_passes_in_trio_time(autojump_clock: trio.testing.MockClock) -> None:
    started = autojump_clock.current_time()
    await answer_of(EngineConfig(kind="scripted", latency_ms=90_000))
    assert autojump_clock.current_time() - started == pytest.approx(90)


@pytest.mark.parametrize("suffix", ["toml", "json"])
async def test_a_script_gives_answers_and_their_order(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"script.{suffix}"
    answers = [{"text": "good", "quality": 0.9}, {"text": "bad", "quality": 0}]
    toml = "".join(f'[[answers]]\ntext = "{a["text"]}"\nquality = {a["quality"]}\n' for a in answers)
    path.write_text(json.dumps({"answers": answers}) if suffix == "json" else toml)
    texts = {await answer_of(EngineConfig(kind="scripted", script=str(path), seed=seed)) for seed in range(10)}
    assert texts == {"good", "bad"}
    preference = await preference_of(EngineConfig(kind="scripted", script=str(path)), "bad", "good")
    assert preference is not None
    assert preference < 0.01


async def test_an_answer_may_name_its_query_and_the_others_are_for_all_others(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    answers = [
        {"text": "mine", "quality": 0.2, "query": "q"},
        {"text": "theirs", "quality": 0.9},
        {"text": "", "quality": 0.5, "query": "nothing"},
    ]
    path.write_text(json.dumps({"answers": answers}))
    configs = [EngineConfig(kind="scripted", script=str(path), seed=seed) for seed in range(8)]
    assert {await answer_of(config, "q") for config in configs} == {"mine"}
    assert {await answer_of(config, "nothing") for config in configs} == {""}
    assert {await answer_of(config, "another") for config in configs} == {"theirs"}
    preference = await preference_of(configs[0], "theirs", "mine")
    assert preference is not None
    assert preference > 0.99


async def test_a_script_of_named_queries_makes_up_answers_to_others(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"answers": [{"text": "mine", "quality": 0.2, "query": "q"}]}))
    assert (await answer_of(EngineConfig(kind="scripted", script=str(path), seed=1), "another")).startswith("```rust")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("answers = 3", "no list named answers"),
        ("answers = []", "no list named answers"),
        ("nonsense", "cannot be read"),
        ('[[answers]]\ntext = "x"', "answer 1 of the script"),
        ('[[answers]]\ntext = "x"\nquality = 1.5', "answer 1 of the script"),
        ('[[answers]]\ntext = "x"\nquality = nan', "answer 1 of the script"),
        ('[[answers]]\ntext = "x"\nquality = 0.5\nmore = 1', "and no more"),
        ('[[answers]]\ntext = "x"\nquality = 0.5\nquery = 1', "may have a query"),
        ('[[answers]]\ntext = "x"\nquality = 0.5\nquery = "q"\n' * 2, "two answers to one query"),
    ],
)
async def test_a_wrong_script_is_one_clear_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "script.toml"
    path.write_text(content)
    with pytest.raises(EngineError, match=message):
        await answer_of(EngineConfig(kind="scripted", script=str(path)))


async def test_a_missing_script_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"script: cannot read .*none\.toml: No such file"):
        await answer_of(EngineConfig(kind="scripted", script=str(tmp_path / "none.toml")))
