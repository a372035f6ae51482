from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from consensus.ranking.bradley_terry import Comparison, Item, PriorParameters, fit, maximum_a_posteriori
from protocol.limits import WEIGHT_MAX
from protocol.types import ONE

ROUNDING = 1
"""Units of 10^-6: two fits of one posterior in another order of items may fall on either side of a half."""

Round = tuple[list[Item], list[Comparison], PriorParameters]

weights = st.one_of(st.integers(0, 2 * ONE), st.sampled_from((0, 1, ONE, WEIGHT_MAX)))
models = st.sampled_from(
    (PriorParameters(), PriorParameters(beta=0.0), PriorParameters(0.7, 4.0, 1 / 16), PriorParameters(0.7, 1 / 16, 4.0))
)


@st.composite
def rounds(draw: st.DrawFn) -> Round:
    """Up to 8 items in any clustering and up to 24 comparisons, also none, repeated and of weight zero."""
    count = draw(st.integers(1, 8))
    raw = draw(st.lists(st.integers(0, count - 1), min_size=count, max_size=count))
    names = sorted(set(raw))
    items = [Item(names.index(name), draw(weights), draw(st.integers(-ONE, ONE))) for name in raw]
    if count == 1:
        return items, [], draw(models)
    pair = st.tuples(st.integers(0, count - 1), st.integers(1, count - 1))
    drawn = draw(st.lists(st.tuples(pair, st.integers(0, ONE), weights), max_size=24))
    return items, [Comparison(i, (i + shift) % count, y, w) for (i, shift), y, w in drawn], draw(models)


def close(left: tuple[int, ...], right: tuple[int, ...]) -> bool:
    return all(abs(one - other) <= ROUNDING for one, other in zip(left, right, strict=True))


@given(rounds(), st.randoms(use_true_random=False))
def test_any_order_of_comparisons_gives_the_same_bits(drawn: Round, rng):
    items, comparisons, model = drawn
    shuffled = rng.sample(comparisons, len(comparisons))
    assert fit(items, shuffled, model) == fit(items, comparisons, model)
    theta = maximum_a_posteriori(items, comparisons, model).theta
    assert maximum_a_posteriori(items, shuffled, model).theta.tobytes() == theta.tobytes()


@given(rounds())
def test_the_same_judgement_told_from_the_other_side(drawn: Round):
    items, comparisons, model = drawn
    mirrored = [Comparison(c.second, c.first, ONE - c.preference, c.weight) for c in comparisons]
    assert fit(items, mirrored, model) == fit(items, comparisons, model)


@given(rounds())
def test_two_equal_judgements_weigh_as_one_of_twice_the_weight(drawn: Round):
    items, comparisons, model = drawn
    halved = [replace(c, weight=c.weight // 2) for c in comparisons]
    doubled = [replace(c, weight=2 * c.weight) for c in halved]
    assert fit(items, halved + halved, model) == fit(items, doubled, model)


@given(rounds(), st.integers(0, ONE))
def test_a_judgement_of_weight_zero_has_no_effect(drawn: Round, preference: int):
    items, comparisons, model = drawn
    if len(items) > 1:
        more = [Comparison(0, 1, preference, 0), *comparisons]
        assert fit(items, more, model) == fit(items, comparisons, model)


@given(rounds(), st.randoms(use_true_random=False))
def test_renaming_items_and_clusters_renames_the_strengths(drawn: Round, rng):
    items, comparisons, model = drawn
    place = rng.sample(range(len(items)), len(items))
    count = max(item.cluster for item in items) + 1
    name = rng.sample(range(count), count)
    moved = [Item(0)] * len(items)
    for index, item in enumerate(items):
        moved[place[index]] = replace(item, cluster=name[item.cluster])
    told = [replace(c, first=place[c.first], second=place[c.second]) for c in comparisons]
    original, renamed = fit(items, comparisons, model), fit(moved, told, model)
    assert close(original.strengths, tuple(renamed.strengths[place[index]] for index in range(len(items))))
    assert close(original.cluster_strengths, tuple(renamed.cluster_strengths[name[index]] for index in range(count)))


@given(rounds())
def test_opposite_judgements_without_prior_means_negate_the_strengths(drawn: Round):
    items, comparisons, model = drawn
    neutral = [replace(item, author_weight=0) for item in items]
    opposite = [replace(c, preference=ONE - c.preference) for c in comparisons]
    model = replace(model, beta=0.0)
    forth, back = fit(neutral, comparisons, model), fit(neutral, opposite, model)
    assert close(forth.strengths, tuple(-strength for strength in back.strengths))


@given(rounds(), st.integers(1, ONE))
def test_one_more_win_raises_the_winner_and_lowers_the_loser(drawn: Round, weight: int):
    items, comparisons, model = drawn
    if len(items) == 1:
        return
    before = maximum_a_posteriori(items, comparisons, model).theta
    after = maximum_a_posteriori(items, [*comparisons, Comparison(0, 1, ONE, weight)], model).theta
    noise = 1e-9
    assert after[0] >= before[0] - noise
    assert after[1] <= before[1] + noise
    assert after[0] - after[1] >= before[0] - before[1] - noise


@given(rounds())
def test_the_prior_separates_items_that_nothing_else_separates(drawn: Round):
    items, _, model = drawn
    strengths = fit(items, [], model).strengths
    for one, other in zip(range(len(items)), range(1, len(items)), strict=False):
        if items[one].cluster == items[other].cluster:
            apart = (items[one].author_weight - items[other].author_weight) / ONE * 10**6
            assert abs(strengths[one] - strengths[other] - apart) <= 2 * ROUNDING


@settings(max_examples=50)
@given(rounds())
def test_p_best_is_a_distribution_over_clusters(drawn: Round):
    items, comparisons, model = drawn
    p_best = fit(items, comparisons, model).p_best
    assert len(p_best) == max(item.cluster for item in items) + 1
    assert sum(p_best) == ONE
    assert min(p_best) >= 0
