"""The simulated models: what they write can be told apart, and what they prefer follows from what they see."""

import itertools
import math
import tomllib
from dataclasses import replace
from importlib import resources
from typing import Any

import msgspec
import numpy as np
import pytest

from consensus.ranking.clusters import canonical_form
from protocol.types import ONE, TaskType
from simnet.oracle import Candidate, Oracle, content_of
from simnet.preset import Preset, presets_from
from simnet.scenario import ScenarioError

NODES = 12


def shipped() -> dict[str, Any]:
    return tomllib.loads(resources.files("configs").joinpath("presets.toml").read_text())


def preset(name: str = "final-answer", **changes: Any) -> Preset:
    return msgspec.structs.replace(presets_from(shipped())[name], **changes)


def plain_judges(**changes: Any) -> Oracle:
    """An oracle whose judges see only the answers' appeal, without any noise."""
    clear = {"position_mean": 0.0, "position_spread": 0.0, "self_preference": 0.0, "noise": 0.0, "slip": 0.0}
    return Oracle(preset(**{**clear, "confidence": 1.0, **changes}), seed=5, nodes=NODES)


def test_the_shipped_presets_can_be_read() -> None:
    presets = presets_from(shipped())
    assert {name: each.task for name, each in presets.items()} == {
        "final-answer": TaskType.FINAL,
        "open-ended": TaskType.OPEN,
        "hard-to-judge": TaskType.FINAL,
        "easy-to-check": TaskType.FINAL,
        "code-testable": TaskType.CODE,
        "code-partly": TaskType.CODE,
    }


@pytest.mark.parametrize(
    ("name", "changes", "fault"),
    [
        ("final-answer", {"colour": "red"}, "colour"),
        ("final-answer", {"slip": 1.5}, "slip"),
        ("final-answer", {"noise": "loud"}, "noise"),
        ("final-answer", {"options": 1}, "two options"),
        ("final-answer", {"concentration": 0.0}, "concentration"),
        ("final-answer", {"idiom": 0.5}, "only code"),
        ("code-testable", {"options": 1}, "two options"),
        ("code-testable", {"concentration": 0.0}, "concentration"),
        ("open-ended", {"options": 3}, "neither"),
        ("open-ended", {"difficulty_mean": 0.5}, "neither"),
    ],
)
def test_a_preset_that_makes_no_sense_is_refused_by_name(name: str, changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ScenarioError, match=f"^preset strange: .*{fault}"):
        presets_from({"strange": {**shipped()[name], **changes}})


def test_a_preset_with_a_missing_parameter_is_refused() -> None:
    table = shipped()["final-answer"]
    del table["margin"]
    with pytest.raises(ScenarioError, match="margin"):
        presets_from({"strange": table})


@pytest.mark.parametrize("name", ["final-answer", "open-ended"])
def test_answers_differ_in_text_and_agree_in_form_where_they_say_the_same(name: str) -> None:
    oracle = Oracle(preset(name), seed=1, nodes=NODES)
    for number in range(20):
        question = oracle.question(number)
        answers = [oracle.answer(question, node) for node in range(NODES)]
        assert len({answer.text for answer in answers}) == NODES
        assert {len(answer.text.encode()) for answer in answers} == {oracle.preset.answer_bytes}
        forms = {(answer.option, canonical_form(question.task, answer.text)) for answer in answers}
        assert len(forms) == len({answer.option for answer in answers}) == len({form for _, form in forms})
        if question.task is TaskType.FINAL:
            assert all(answer.right == (answer.option == 0) for answer in answers)


@pytest.mark.parametrize("name", ["final-answer", "open-ended"])
def test_a_text_gives_back_its_candidate_and_a_strange_one_nothing(name: str) -> None:
    oracle = Oracle(preset(name), seed=1, nodes=NODES)
    question, other = oracle.question(3), oracle.question(4)
    assert oracle.asked(question.text) == question
    for known in (oracle.answer(question, 7), oracle.wrong(question, "ring"), oracle.wrong(question, "inverse-7")):
        assert oracle.candidate(question, known.text) == known
        assert oracle.candidate(other, known.text) is None
        assert oracle.candidate(question, known.text + " ") is None
    for text in ("", "Answer: 0", "Node 12 on question 3: no such node", "Node 1 on question 3:"):
        assert oracle.candidate(question, text) is None
    with pytest.raises(ValueError, match="no question"):
        oracle.asked("What is the time?")


def test_accomplices_agree_on_a_wrong_answer_by_label() -> None:
    oracle = Oracle(preset(), seed=1, nodes=NODES)
    wrong = [oracle.wrong(oracle.question(number), "ring") for number in range(30)]
    assert wrong == [oracle.wrong(oracle.question(number), "ring") for number in range(30)]
    assert not any(each.right for each in wrong)
    assert len({each.option for each in wrong}) == oracle.preset.options - 1
    assert oracle.wrong(oracle.question(0), "another").text != wrong[0].text


def test_an_open_answer_that_is_bad_on_purpose_is_worse_than_what_models_write() -> None:
    oracle = Oracle(preset("open-ended", margin=5.0), seed=1, nodes=NODES)
    for number in range(20):
        question = oracle.question(number)
        bad = oracle.wrong(question, "ring")
        assert bad.option not in range(NODES)
        assert bad.quality < min(oracle.answer(question, node).quality for node in range(NODES))


def test_draws_do_not_depend_on_what_was_asked_before() -> None:
    first, second = (Oracle(preset(), seed=9, nodes=NODES) for _ in range(2))
    numbers = list(range(40))

    def judged(oracle: Oracle, number: int) -> tuple[Candidate, int]:
        question = oracle.question(number)
        one, other = oracle.answer(question, 1), oracle.answer(question, 2)
        return one, oracle.preference(question, 3, one, other)

    forward = {number: judged(first, number) for number in numbers}
    backward = {number: judged(second, number) for number in reversed(numbers)}
    assert forward == backward
    assert forward != {number: judged(Oracle(preset(), seed=10, nodes=NODES), number) for number in numbers}


def test_without_bias_and_noise_a_judge_prefers_what_appeals_more() -> None:
    oracle = plain_judges()
    for number in range(20):
        question = oracle.question(number)
        one, other = oracle.answer(question, 0), oracle.answer(question, 1)
        preference = oracle.preference(question, 2, one, other)
        assert 0 <= preference <= ONE
        assert (preference > ONE // 2) == (one.appeal > other.appeal)
        assert preference + oracle.preference(question, 2, other, one) == ONE


def test_position_self_preference_and_slips_move_a_judge() -> None:
    leaning, vain = plain_judges(position_mean=1.0), plain_judges(self_preference=1.0)
    question = vain.question(1)
    own = vain.answer(question, 2)
    twin, stranger = replace(own, text="twin"), replace(own, text="stranger", option=own.option + 1)
    assert leaning.preference(question, 2, twin, stranger) == leaning.preference(question, 2, stranger, twin) > ONE // 2
    assert vain.preference(question, 2, twin, stranger) > ONE // 2 > vain.preference(question, 2, stranger, twin)
    better = replace(own, text="better", appeal=own.appeal + 10.0)
    assert plain_judges(slip=1.0).preference(question, 2, better, stranger) == ONE // 2


def test_full_confidence_states_plain_choices_even_at_the_bounds() -> None:
    oracle = Oracle(preset(confidence=100.0, margin=10.0), seed=2, nodes=NODES)
    question = oracle.question(0)
    pairs = [(oracle.answer(question, one), oracle.answer(question, 11)) for one in range(10)]
    preferences = [oracle.preference(question, judge, *pair) for judge in range(NODES) for pair in pairs]
    assert {0, ONE} <= set(preferences)
    assert all(0 <= preference <= ONE for preference in preferences)


def test_worths_are_preferred_as_often_as_judges_prefer() -> None:
    """But for what one number for each text cannot say: a judge's position, and slips."""
    oracle = plain_judges(noise=1.0, self_preference=0.6, confidence=100.0)
    stated = worth = pairs = 0
    for number in range(30):
        question = oracle.question(number)
        answers = [oracle.answer(question, node) for node in range(NODES)]
        for judge in range(NODES):
            worths = [oracle.worth(question, judge, answer) for answer in answers]
            for first in range(NODES):
                for second in range(first):
                    # The better one first: half of all preferences would say nothing.
                    better, worse = sorted((first, second), key=lambda each: -answers[each].appeal)
                    stated += oracle.preference(question, judge, answers[better], answers[worse]) > ONE // 2
                    worth += worths[better] > worths[worse]
                    pairs += 1
    assert stated / pairs == pytest.approx(worth / pairs, abs=0.01)
    assert 0.6 < worth / pairs < 0.8


@pytest.mark.parametrize("name", ["final-answer", "open-ended"])
def test_a_poll_brings_what_single_judgements_bring(name: str) -> None:
    """The same distribution, from other draws: it is held against every judgement, asked one by one in both orders."""
    oracle = Oracle(presets_from(shipped())[name], seed=6, nodes=NODES)
    judges, authors = [0, 2, 3, 5, 7], [1, 2, 3, 4]
    polled, single = np.zeros((4, 4)), np.zeros((4, 4))
    for number in range(60):
        question = oracle.question(number)
        answers = [oracle.answer(question, author) for author in authors]
        # By what they are to judges, so that the means of the cells differ.
        order = sorted(range(4), key=lambda place: answers[place].appeal)
        answers, written = [answers[place] for place in order], [authors[place] for place in order]
        polled += oracle.poll(question, judges, answers, written)
        for judge in judges:
            for one, other in itertools.permutations(range(4), 2):
                if judge not in (written[one], written[other]):
                    share = oracle.preference(question, judge, answers[one], answers[other]) / ONE
                    single[one, other] += share / 2
                    single[other, one] += (1 - share) / 2
    np.testing.assert_allclose(polled + polled.T, single + single.T)
    np.testing.assert_allclose(
        polled / (polled + polled.T + np.eye(4)), single / (single + single.T + np.eye(4)), atol=0.1
    )
    assert polled[3, 0] > 1.5 * polled[0, 3]


def test_a_poll_of_clear_judges_finds_what_they_see() -> None:
    oracle = plain_judges()
    question = oracle.question(0)
    answers = [oracle.answer(question, node) for node in range(3)]
    wins = oracle.poll(question, [3, 4], answers, [0, 1, 2])
    one_by_one = sum(oracle.preference(question, judge, answers[0], answers[1]) / ONE for judge in (3, 4))
    assert wins[0, 1] == pytest.approx(one_by_one, abs=1e-4)
    assert oracle.poll(question, [0, 3, 4], answers, [0, 1, 2])[0, 1] == wins[0, 1], "nobody judges its own answer"


def test_without_noise_worths_differ_as_preferences_say() -> None:
    oracle = plain_judges()
    question = oracle.question(0)
    one, other = oracle.answer(question, 1), oracle.answer(question, 2)
    difference = oracle.worth(question, 3, one) - oracle.worth(question, 3, other)
    assert oracle.preference(question, 3, one, other) == round(ONE / (1 + math.exp(-difference)))


def test_skill_shows_in_right_answers() -> None:
    oracle = Oracle(preset(), seed=4, nodes=NODES)
    best, worst = max(range(NODES), key=oracle.skill), min(range(NODES), key=oracle.skill)
    right = {
        node: sum(oracle.answer(oracle.question(number), node).right for number in range(200)) for node in (best, worst)
    }
    assert right[best] > right[worst] + 20


def test_what_a_node_commits_to_is_the_same_in_both_layers() -> None:
    oracle = Oracle(preset(), seed=4, nodes=NODES)
    answer = oracle.answer(oracle.question(0), 0)
    assert content_of(answer) == content_of(replace(answer, quality=0.0))
    assert content_of(answer).text == answer.text
