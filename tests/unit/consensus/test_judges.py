"""The mixture of judges: what it finds of each, and that any order, orientation or sign tells the same."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from consensus.ranking.bradley_terry import (
    COMPARISONS_MAX,
    Comparison,
    Fit,
    Item,
    PriorParameters,
    maximum_a_posteriori,
    quantise,
)
from consensus.ranking.judges import FRESH, JudgedComparison, JudgePrior, posterior
from protocol.limits import WEIGHT_MAX
from protocol.types import ONE
from tests.support.effort import cases

MODEL = PriorParameters()


def found(
    items: Sequence[Item],
    judge_priors: Sequence[JudgePrior],
    told: Sequence[JudgedComparison],
    model: PriorParameters = MODEL,
) -> Fit:
    return quantise(posterior(items, judge_priors, told, model))


def random_round(seed: int, count: int = 9) -> tuple[list[Item], list[JudgePrior], list[JudgedComparison]]:
    """Judges of every kind, soft and plain preferences."""
    rng = random.Random(seed)
    items = [
        Item(index % min(3, count), rng.randrange(2 * ONE), rng.randint(-ONE // 2, ONE // 2)) for index in range(count)
    ]
    judge_priors = [
        JudgePrior(
            rng.randint(-2 * ONE, 2 * ONE), rng.choice((index, None)), tuple(rng.randint(1, 4 * ONE) for _ in range(4))
        )
        for index in range(count)
    ]
    told = [
        JudgedComparison(judge, *rng.sample(range(count), 2), rng.choice((0, ONE, rng.randint(0, ONE))))
        for judge in range(count)
        for _ in range(3)
    ]
    return items, judge_priors, told


def test_any_order_of_judgements_and_judges_gives_the_same_bits() -> None:
    for seed in range(cases(150, fast=50, soak=1_000)):
        items, judge_priors, told = random_round(seed, count=2 + seed % 5)
        expected = posterior(items, judge_priors, told, MODEL).theta.tobytes()
        rng = random.Random(seed)
        place = rng.sample(range(len(judge_priors)), len(judge_priors))
        seated = [judge_priors[place.index(seat)] for seat in range(len(judge_priors))]
        moved = [replace(each, judge=place[each.judge]) for each in rng.sample(told, len(told))]
        assert posterior(items, seated, moved, MODEL).theta.tobytes() == expected, seed


@pytest.mark.parametrize("seed", range(20))
def test_the_same_judgement_told_from_the_other_side(seed: int) -> None:
    items, judge_priors, told = random_round(seed)
    expected = posterior(items, judge_priors, told, MODEL)
    mirrored = [JudgedComparison(each.judge, each.second, each.first, ONE - each.preference) for each in told]
    # The other side of a tie is rounded elsewhere by one unit of 2^-16.
    pairs = zip(found(items, judge_priors, mirrored).strengths, quantise(expected).strengths, strict=True)
    assert all(abs(one - other) <= 100 for one, other in pairs)


@pytest.mark.parametrize("seed", range(20))
def test_a_negative_weight_turns_preferences_round(seed: int) -> None:
    items, judge_priors, told = random_round(seed)
    upright = [replace(judge, weight=abs(judge.weight)) for judge in judge_priors]
    turned = [
        replace(each, preference=ONE - each.preference) if judge_priors[each.judge].weight < 0 else each
        for each in told
    ]
    assert found(items, judge_priors, told) == found(items, upright, turned)


@pytest.mark.parametrize("seed", range(12))
def test_a_plain_reference_finds_the_same(seed: int) -> None:
    """The formulas of consensus/README.md once more, with floats and without care for bits."""
    items, judge_priors, told = random_round(seed)
    theta = posterior(items, judge_priors, told, MODEL).theta
    for one, other in zip(theta.tolist(), reference(items, judge_priors, told), strict=True):
        # Shares are rounded to 2^-16, and strengths between two expectations are known to a tenth.
        assert abs(one - other) < 0.02


def reference(items: list[Item], judge_priors: list[JudgePrior], told: list[JudgedComparison]) -> list[float]:
    answer_group = [None if judge.answer is None else items[judge.answer].cluster for judge in judge_priors]
    shares = [[count / sum(judge.counts) for count in judge.counts] for judge in judge_priors]
    theta = maximise(items, items, judge_priors, answer_group, told, shares)
    for _ in range(3):
        heard = [share if judge.weight else [0.0] * 4 for judge, share in zip(judge_priors, shares, strict=True)]
        sums = {
            name: [sum(heard[k][z] for k in range(len(judge_priors)) if answer_group[k] == name) for z in range(4)]
            for name in set(answer_group)
        }
        found = []
        for k, judge in enumerate(judge_priors):
            mates = [sums[answer_group[k]][z] - heard[k][z] for z in range(4)]
            counts = [count / ONE + mate for count, mate in zip(judge.counts, mates, strict=True)]
            logs = [math.log(count) for count in counts]
            for each in (each for each in told if each.judge == k):
                y = each.preference / ONE if judge.weight >= 0 else 1 - each.preference / ONE
                d = theta[each.first] - theta[each.second]
                win, loss = -math.log1p(math.exp(-d)), -math.log1p(math.exp(d))
                own = side(items, answer_group[k], each)
                logs[0] += y * win + (1 - y) * loss
                logs[1] += (1 - y) * win + y * loss
                logs[2] += math.log(0.5)
                loyal = y if own > 0 else 1 - y
                logs[3] += loyal * math.log(0.97) + (1 - loyal) * math.log(0.03) if own else y * win + (1 - y) * loss
            sizes = [math.exp(log - max(logs)) for log in logs]
            found.append([size / sum(sizes) for size in sizes])
        shares = found
        voting = list(items)
        for judge, share in zip(judge_priors, shares, strict=True):
            if judge.answer is not None:
                item = voting[judge.answer]
                voting[judge.answer] = replace(item, vote_weight=round(item.vote_weight * (1 - share[3])))
        theta = maximise(items, voting, judge_priors, answer_group, told, shares)
    return theta


def side(items: list[Item], answer_group: int | None, each: JudgedComparison) -> int:
    return (items[each.first].cluster == answer_group) - (items[each.second].cluster == answer_group)


def maximise(
    items: list[Item],
    voting: list[Item],
    judge_priors: list[JudgePrior],
    answer_group: list[int | None],
    told: list[JudgedComparison],
    shares: list[list[float]],
) -> list[float]:
    comparisons = []
    for each in told:
        weight, share = judge_priors[each.judge].weight, shares[each.judge]
        y = each.preference if weight >= 0 else ONE - each.preference
        honest = share[0] + (0 if side(items, answer_group[each.judge], each) else share[3])
        comparisons.append(Comparison(each.first, each.second, y, round(abs(weight) * honest)))
        comparisons.append(Comparison(each.first, each.second, ONE - y, round(abs(weight) * share[1])))
    theta: list[float] = maximum_a_posteriori(voting, comparisons, MODEL).theta.tolist()
    return theta


def peers(clusters: Sequence[int]) -> tuple[list[Item], list[JudgePrior]]:
    """Everyone answers and judges."""
    return [Item(cluster) for cluster in clusters], [JudgePrior(answer=index) for index in range(len(clusters))]


def round_robin(clusters: Sequence[int], says) -> list[JudgedComparison]:
    """Each judges all pairs across clusters without its own answer; `says(judge, first, second)` is the preference."""
    count = range(len(clusters))
    return [
        JudgedComparison(judge, first, second, says(judge, first, second))
        for judge in count
        for first in count
        for second in count
        if first < second and judge not in (first, second) and clusters[first] != clusters[second]
    ]


def test_a_ring_that_praises_itself_loses_to_fewer_who_are_praised_by_others() -> None:
    """Four say 0 and always prefer it; three say 1 and three say 2, and both find 1 better than 0."""
    clusters = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    order = {1: 2, 2: 1, 0: 0}

    def says(judge: int, first: int, second: int) -> int:
        one, other = clusters[first], clusters[second]
        if clusters[judge] == 0 and 0 in (one, other):
            return ONE if one == 0 else 0
        return ONE if order[one] > order[other] else 0

    items, judge_priors = peers(clusters)
    result = found(items, judge_priors, round_robin(clusters, says))
    assert result.p_best[1] > 0.9 * ONE
    assert result.cluster_strengths[0] < result.cluster_strengths[1]


def test_inverse_judges_speak_for_what_they_reject() -> None:
    """Two of seven prefer the worse of three answers; without them the order is the same, and less certain."""
    clusters = [0, 1, 2, *range(3, 7)]

    def says(judge: int, first: int, second: int) -> int:
        return ONE if (first < second) != (judge in (5, 6)) else 0

    items, judge_priors = peers(clusters)
    told = round_robin(clusters, says)
    everyone = posterior(items, judge_priors, told, MODEL).theta
    without = posterior(items, judge_priors, [each for each in told if each.judge < 5], MODEL).theta
    assert sorted(everyone.tolist(), reverse=True) == everyone.tolist()
    assert everyone[0] - everyone[3] > without[0] - without[3]


def test_a_judge_who_tosses_coins_is_not_heard() -> None:
    """Against six who agree on every pair, its contradictions weigh less than a fresh judge's would."""
    clusters = list(range(7))

    def says(judge: int, first: int, second: int) -> int:
        return ONE * ((first * 5 + second * 3) % 2) if judge == 6 else ONE

    items, judge_priors = peers(clusters)
    told = round_robin(clusters, says)
    mixed = posterior(items, judge_priors, told, MODEL).theta
    sure = [replace(judge, counts=(WEIGHT_MAX, 1, 1, 1)) for judge in judge_priors]
    believed = posterior(items, sure, told, MODEL).theta
    assert mixed[0] - mixed[5] > believed[0] - believed[5]


def test_history_outweighs_a_round() -> None:
    """A judge of known honesty is believed where a fresh one would seem inverse."""
    items, judge_priors = peers([0, 1, 2, 3])
    told = [JudgedComparison(judge, first, second, ONE) for judge, first, second in ((2, 0, 1), (3, 0, 1), (0, 1, 2))]
    told += [JudgedComparison(1, 3, 0, ONE), JudgedComparison(1, 2, 0, ONE)]
    known = [
        replace(judge, counts=(WEIGHT_MAX, 1, 1, 1)) if index == 1 else judge
        for index, judge in enumerate(judge_priors)
    ]
    assert found(items, known, told).strengths[0] < found(items, judge_priors, told).strengths[0]


def test_who_has_no_weight_says_nothing_of_its_camp() -> None:
    """Whatever judges without weight prefer: free identities must not make an honest judge look like a partisan."""
    clusters = [0, 0, 0, 0, 1, 1, 2]
    items, judge_priors = peers(clusters)
    sybils = (2, 3)
    items = [replace(item, vote_weight=0) if index in sybils else item for index, item in enumerate(items)]
    judge_priors = [replace(judge, weight=0) if index in sybils else judge for index, judge in enumerate(judge_priors)]

    def says(sign: int, judge: int, first: int, second: int) -> int:
        return ONE if (first < second) != (judge in sybils and sign < 0) else 0

    one, other = (found(items, judge_priors, round_robin(clusters, partial(says, sign))) for sign in (1, -1))
    assert one == other


def test_without_judgements_the_prior_speaks() -> None:
    items, judge_priors = peers([0, 0, 1])
    assert found(items, judge_priors, []).cluster_strengths[0] > found(items, judge_priors, []).cluster_strengths[1]


def test_the_heaviest_inputs_converge() -> None:
    rng = random.Random(4)
    items, _ = peers([index % 7 for index in range(30)])
    judge_priors = [JudgePrior(WEIGHT_MAX, index, (WEIGHT_MAX, 1, 1, 1)) for index in range(30)]
    told = [JudgedComparison(rng.randrange(30), *rng.sample(range(30), 2), ONE) for _ in range(COMPARISONS_MAX)]
    assert sum(found(items, judge_priors, told).p_best) == ONE


@pytest.mark.parametrize(
    ("judge_priors", "told"),
    [
        ([JudgePrior(WEIGHT_MAX + 1)], []),
        ([JudgePrior(-WEIGHT_MAX - 1)], []),
        ([JudgePrior(counts=(ONE, 0, ONE, ONE))], []),
        ([JudgePrior()], [JudgedComparison(1, 0, 1, ONE)]),
        ([JudgePrior()], [JudgedComparison(-1, 0, 1, ONE)]),
        ([JudgePrior()], [JudgedComparison(0, 0, 2, ONE)]),
        ([JudgePrior()], [JudgedComparison(0, 0, 0, ONE)]),
        ([JudgePrior()], [JudgedComparison(0, 0, 1, ONE + 1)]),
        ([JudgePrior()], [JudgedComparison(0, 0, 1, ONE)] * (COMPARISONS_MAX + 1)),
    ],
)
def test_out_of_bounds_is_a_bug_of_the_caller(judge_priors: list[JudgePrior], told: list[JudgedComparison]) -> None:
    with pytest.raises(ValueError):
        found([Item(0), Item(1)], judge_priors, told)


def test_a_fresh_judge_is_probably_honest() -> None:
    assert FRESH[0] > sum(FRESH[1:])
