"""What other ways to choose pick, against plain recomputation from the oracle."""

from collections import Counter

import choix
import numpy as np
import pytest

from consensus.certificates.record import RoundRecord
from consensus.learning.experience import Experience
from simnet import aggregate
from simnet.baselines import OPEN_RIGHT_RANK, plain_bradley_terry, verdicts_of
from simnet.results import Verdicts
from tests.support.simulated import plan_of

WINS = np.array([[0.0, 3.0, 2.0, 0.5], [1.0, 0.0, 2.0, 1.0], [1.0, 1.0, 0.0, 2.0], [0.5, 1.0, 1.0, 0.0]])


def texts(record: RoundRecord) -> dict[bytes, str]:
    return {id: content.text for id, content in record.contents.items()}


def test_the_plain_fit_is_the_maximum_likelihood_where_there_is_one() -> None:
    data = [(row, column) for row, column in np.argwhere(WINS > 0) for _ in range(round(2 * WINS[row, column]))]
    expected = np.exp(choix.ilsr_pairwise(4, data))
    np.testing.assert_allclose(plain_bradley_terry(WINS), expected / expected.sum(), atol=1e-4)


def test_without_a_prior_the_undefeated_take_all_and_the_winless_and_unseen_nothing() -> None:
    wins = np.zeros((4, 4))
    wins[0, 1] = wins[1, 2] = 1.0
    strengths = plain_bradley_terry(wins)
    assert np.argmax(strengths) == 0
    assert strengths[2] == strengths[3] == 0.0
    assert np.isfinite(strengths).all()


def test_nothing_compared_gives_no_strengths() -> None:
    assert plain_bradley_terry(np.zeros((3, 3))).tolist() == [0.0, 0.0, 0.0]


def test_a_final_answers_verdicts_follow_from_the_counted_options() -> None:
    plan = plan_of(nodes=9, rounds=30)
    seen = set()
    for number in range(plan.scenario.rounds):
        asking = plan.asking(number)
        record, ranking = aggregate.decide(plan, asking, Experience())
        verdicts = verdicts_of(plan, asking, record, ranking)
        seen.add(verdicts)
        # Everybody is honest and nothing is lost, so that what is counted is what the models write.
        answers = [plan.oracle.answer(asking.question, node) for node in range(9)]
        sizes = Counter(answer.option for answer in answers)
        largest = {option for option, size in sizes.items() if size == max(sizes.values())}
        assert verdicts.majority == (0 in largest) or len(largest) > 1
        assert verdicts.oracle == (0 in sizes)
        assert verdicts.best_single == answers[max(range(9), key=plan.oracle.skill)].right
        assert verdicts.swarm == texts(record)[ranking.ranked[0].answer].endswith("Answer: 0")
    assert len(seen) > 4


def test_an_open_answer_is_right_among_the_best_honest_ones() -> None:
    plan = plan_of(nodes=9, rounds=20, preset="open-ended", byzantine={"inverse": 0.34})
    right = 0
    for number in range(plan.scenario.rounds):
        asking = plan.asking(number)
        record, ranking = aggregate.decide(plan, asking, Experience())
        honest = sorted(plan.oracle.answer(asking.question, node).quality for node in plan.honest)
        verdicts = verdicts_of(plan, asking, record, ranking)
        winner = plan.oracle.candidate(asking.question, texts(record)[ranking.ranked[0].answer])
        assert winner is not None
        assert verdicts.swarm == (winner.quality >= honest[-OPEN_RIGHT_RANK])
        assert verdicts.oracle
        right += verdicts.swarm
    assert 0 < right < plan.scenario.rounds


def test_a_lost_tie_of_the_majority_is_the_same_lot_every_time() -> None:
    plan = plan_of(nodes=4, rounds=40)
    first, second = (
        [
            verdicts_of(plan, asking, *aggregate.decide(plan, asking, Experience())).majority
            for asking in map(plan.asking, range(40))
        ]
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("preset", ["final-answer", "open-ended"])
def test_a_round_without_answers_is_wrong_but_for_the_best_single_node(preset: str) -> None:
    plan = plan_of(nodes=5, rounds=1, preset=preset, mute=range(5))
    asking = plan.asking(0)
    record, ranking = aggregate.decide(plan, asking, Experience())
    assert record.answers == ()
    verdicts = verdicts_of(plan, asking, record, ranking)
    assert verdicts == Verdicts(False, False, False, best_single=verdicts.best_single, oracle=False)
