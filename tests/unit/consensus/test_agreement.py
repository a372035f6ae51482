"""Statistics of judges without truth."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from consensus.learning.agreement import measure
from consensus.learning.dataset import NO_AUTHOR, Dataset, JudgedQuestion, PairwiseJudgement
from protocol.types import ONE


def question(name: int, verdicts: list[tuple[int, int]]) -> JudgedQuestion:
    """Two answers; per judge the winner when 0 is shown first, and when 1 is."""
    judgements = []
    for judge, (forth, back) in enumerate(verdicts):
        judgements.append(PairwiseJudgement(judge, 0, 1, ONE if forth == 0 else 0))
        judgements.append(PairwiseJudgement(judge, 1, 0, ONE if back == 1 else 0))
    return JudgedQuestion(str(name), ("a", "b"), (0, 1), (NO_AUTHOR, NO_AUTHOR), tuple(judgements), {}, {})


def dataset(*questions: JudgedQuestion) -> Dataset:
    judges = 1 + max(each.judge for question in questions for each in question.judgements)
    return Dataset(questions, tuple(map(str, range(judges))), (), clustered=False)


def test_who_repeats_itself_is_reliable_and_who_only_looks_at_the_position_is_not() -> None:
    steady_and_first_slot = [question(n, [(n % 2, n % 2), (0, 1)]) for n in range(100)]
    agreement = measure(dataset(*steady_and_first_slot))
    steady, first_slot = agreement.reliability.tolist()
    assert steady > 0.95
    # It never varies beyond its lean: nothing is known of its opinions, and the prior remains.
    assert first_slot == pytest.approx(0.5)
    assert agreement.opinion[1].tolist() == pytest.approx([0.0, 0.0])


def test_a_coin_is_unreliable_and_weighs_little() -> None:
    coin = [(n % 2, (n // 2) % 2) for n in range(100)]
    agreement = measure(dataset(*(question(n, [(n % 2, n % 2), coin[n]]) for n in range(100))))
    steady, tossed = agreement.default_weights().tolist()
    assert tossed < steady / 40
    assert (steady + tossed) / 2 == pytest.approx(1.0)


def test_a_constant_lean_beside_an_opinion_costs_no_reliability() -> None:
    """Opinions of three sizes; the judge answers by opinion + lean, as preferences."""
    rows = []
    for n in range(300):
        opinion = (n % 3 - 1) * 0.4
        rows.append(
            JudgedQuestion(
                str(n),
                ("a", "b"),
                (0, 1),
                (NO_AUTHOR, NO_AUTHOR),
                (
                    PairwiseJudgement(0, 0, 1, round(ONE * (0.5 + (opinion + 0.5) / 2))),
                    PairwiseJudgement(0, 1, 0, round(ONE * (0.5 + (-opinion + 0.5) / 2))),
                ),
                {},
                {},
            )
        )
    assert measure(dataset(*rows)).reliability[0] > 0.9


def test_without_repetition_all_judges_weigh_the_same() -> None:
    one = JudgedQuestion(
        "q",
        ("a", "b"),
        (0, 1),
        (NO_AUTHOR, NO_AUTHOR),
        (PairwiseJudgement(0, 0, 1, ONE), PairwiseJudgement(1, 1, 0, ONE)),
        {},
        {},
    )
    assert measure(dataset(one)).default_weights().tolist() == [1.0, 1.0]


def test_clones_share_one_direction() -> None:
    """Of two clones and one stranger, the prior of the weights knows two directions, not three."""
    rows = [question(n, [(n % 2, n % 2), (n % 2, n % 2), (n // 2 % 2, n // 2 % 2)]) for n in range(200)]
    spread = measure(dataset(*rows)).spread()
    covariance = spread @ spread.T
    assert np.linalg.matrix_rank(covariance, tol=0.2) == 2
    assert covariance[0, 1] == pytest.approx(covariance[0, 0], rel=1e-6)
    assert abs(covariance[0, 2]) < 0.05


def test_a_pool_is_as_reliable_as_its_members_are_and_not_as_their_mean_is() -> None:
    """Judges that repeat three of four verdicts: the mean of fifty would repeat nearly all of them."""
    rng = Random(5)

    def verdict(opinion: int) -> int:
        return opinion if rng.random() < 0.9 else 1 - opinion

    rows = [question(n, [(verdict(n % 2), verdict(n % 2)) for _ in range(50)]) for n in range(60)]
    alone = measure(dataset(*rows))
    shared = measure(replace(dataset(*rows), weight_of=(0,) * 50))
    assert shared.reliability.shape == (1,)
    assert shared.reliability[0] == pytest.approx(alone.reliability.mean(), abs=0.05)
    assert shared.opinion[0, 0] == pytest.approx(np.diagonal(alone.opinion).mean(), abs=0.1)
    assert shared.default_weights().tolist() == [1.0]


def test_a_pool_beside_judges_of_their_own() -> None:
    """The mean over all judges is 1, whoever shares; steady judges outweigh a pool of coins."""
    rng = Random(6)
    rows = [question(n, [(n % 2, n % 2), *((rng.randrange(2), rng.randrange(2)) for _ in range(9))]) for n in range(60)]
    agreement = measure(replace(dataset(*rows), weight_of=(0, *(1,) * 9)))
    steady, coins = agreement.default_weights().tolist()
    assert steady > 20 * coins
    assert (steady + 9 * coins) / 10 == pytest.approx(1.0)
    assert agreement.opinion[0, 1] == agreement.opinion[1, 0] == pytest.approx(0.0, abs=0.1)


def test_a_weight_for_each_judge_is_the_same_as_no_pool() -> None:
    rng = Random(7)
    rows = [question(n, [(rng.randrange(2), n % 2) for _ in range(4)]) for n in range(40)]
    without, named = measure(dataset(*rows)), measure(replace(dataset(*rows), weight_of=(0, 1, 2, 3)))
    assert without.reliability.tobytes() == named.reliability.tobytes()
    assert without.opinion.tobytes() == named.opinion.tobytes()
    assert without.default_weights().tobytes() == named.default_weights().tobytes()
