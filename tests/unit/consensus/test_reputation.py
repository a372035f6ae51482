"""What is held of a node: what raises it, what only lowers it, and what a roster may carry of it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.learning.reputation import (
    AGREEMENT,
    DECAY,
    GOLD,
    PRIOR,
    REFUTED_COST,
    REFUTED_MAX,
    ROUNDS_MAX,
    VOTE_MAX,
    VOTE_MIN,
    NodeStats,
    RoundObservation,
    Scale,
    Score,
    after,
    scale_of,
)
from consensus.ranking.judges import FRESH
from protocol.limits import WEIGHT_MAX
from protocol.types import ONE

HONEST, INVERSE, COIN = (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0)
EVEN = Scale(typical=0.5, reference=0.5)

shares = st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4).map(lambda sizes: [size / sum(sizes) for size in sizes])
characters = st.none() | shares
gold_conducts = st.builds(RoundObservation, right=st.none() | st.booleans(), character=characters)
plain_conducts = st.builds(RoundObservation, agreed=st.none() | st.floats(-1.0, 1.0), character=characters)
histories = st.lists(st.tuples(gold_conducts, st.just(True)) | st.tuples(plain_conducts, st.just(False)), max_size=60)
scores = st.builds(Score, st.floats(0.0, 1e6), st.floats(0.0, 1e6))
four = st.tuples(*[st.floats(0.0, 1e6)] * 4)
standings = st.builds(NodeStats, st.integers(0, 9), st.integers(0, 9), scores, scores, four, four, st.integers(0, 1))


def lived(history: list[tuple[RoundObservation, bool]]) -> NodeStats:
    standing = NodeStats()
    for observation, gold in history:
        standing = after(standing, observation, gold=gold)
    return standing


def honesty(standing: NodeStats) -> float:
    """The share of honesty that a roster states."""
    return standing.counts[0] / sum(standing.counts)


def test_evidence_is_added_and_the_older_fades() -> None:
    assert Score(1.0, 2.0).after(2.0, 0.0) == Score(DECAY + 2.0, 2.0 * DECAY)
    once = after(NodeStats(), RoundObservation(right=True, character=INVERSE), gold=True)
    assert once == NodeStats(1, 1, Score(GOLD, 0.0), judged=(0.0, GOLD, 0.0, 0.0))
    twice = after(once, RoundObservation(right=False, character=COIN), gold=True)
    assert twice == NodeStats(2, 2, Score(DECAY * GOLD, GOLD), judged=(0.0, DECAY * GOLD, GOLD, 0.0))


def test_half_of_the_evidence_is_gone_after_23_more_pieces() -> None:
    score = Score(1.0, 0.0)
    for _ in range(23):
        score = score.after(0.0, 1.0)
    assert score.good == pytest.approx(0.5, abs=0.005)


def test_agreement_counts_by_how_sure_the_consensus_is() -> None:
    agreed = after(NodeStats(), RoundObservation(agreed=0.6, character=HONEST), gold=False)
    assert agreed == NodeStats(1, 0, agreed=Score(AGREEMENT * 0.6, 0.0), seemed=(AGREEMENT, 0.0, 0.0, 0.0))
    assert after(NodeStats(), RoundObservation(agreed=-0.6), gold=False) == NodeStats(
        1, 0, agreed=Score(0.0, AGREEMENT * 0.6)
    )


def test_what_a_round_does_not_show_changes_nothing_but_its_number() -> None:
    before = lived(
        [(RoundObservation(right=True, character=HONEST), True), (RoundObservation(agreed=1.0, character=COIN), False)]
    )
    for gold in (True, False):
        assert after(before, RoundObservation(), gold=gold) == NodeStats(
            3, 1, before.answers, before.agreed, before.judged, before.seemed
        )


def test_gold_tests_who_answered_or_judged() -> None:
    assert after(NodeStats(), RoundObservation(right=False), gold=True).has_gold
    assert after(NodeStats(), RoundObservation(character=COIN), gold=True).has_gold
    assert not after(NodeStats(), RoundObservation(equivocated=True), gold=True).has_gold
    assert not after(NodeStats(), RoundObservation(agreed=1.0, character=HONEST), gold=False).has_gold


@given(history=histories)
def test_agreement_never_raises_a_vote_or_the_share_of_honesty(history: list[tuple[RoundObservation, bool]]) -> None:
    """The same life without its rounds of agreement is the bound."""
    with_agreement, gold_only = lived(history), lived([each for each in history if each[1]])
    assert EVEN.vote(with_agreement) <= EVEN.vote(gold_only)
    # Counts are rounded to 2^-16.
    assert honesty(with_agreement) <= honesty(gold_only) + 8 / ONE
    assert with_agreement.has_gold == gold_only.has_gold


def test_agreement_lowers_a_vote_and_the_share_of_honesty() -> None:
    tested = [(RoundObservation(right=True, character=HONEST), True)] * 3
    doubted = lived([*tested, *[(RoundObservation(agreed=-1.0, character=COIN), False)] * 10])
    assert EVEN.vote(doubted) < EVEN.vote(lived(tested))
    assert honesty(doubted) < honesty(lived(tested))


def test_no_amount_of_agreement_outweighs_gold() -> None:
    """A ring that agrees with itself for ever is worth what gold says, which is nothing."""
    ring = [(RoundObservation(right=False, character=INVERSE), True)] * 8 + [
        (RoundObservation(agreed=1.0, character=HONEST), False)
    ] * 500
    assert Scale(0.7, 0.75).vote(lived(ring)) == 0.0
    assert honesty(lived(ring)) < 0.25


@given(history=histories)
def test_evidence_is_bounded(history: list[tuple[RoundObservation, bool]]) -> None:
    standing = lived(history * 20)
    most = {
        GOLD: (standing.answers.total, sum(standing.judged)),
        AGREEMENT: (standing.agreed.total, sum(standing.seemed)),
    }
    for piece, totals in most.items():
        assert max(totals) <= piece / (1.0 - DECAY) + 1e-9


def test_numbers_of_rounds_are_bounded() -> None:
    """They come from files of others, too, and stand in the store as integers."""
    most = NodeStats(ROUNDS_MAX, ROUNDS_MAX, equivocations=ROUNDS_MAX)
    assert after(most, RoundObservation(right=True, equivocated=True), gold=True).rounds == ROUNDS_MAX
    assert after(most, RoundObservation(right=True, equivocated=True), gold=True).gold_rounds == ROUNDS_MAX
    assert after(most, RoundObservation(right=True, equivocated=True), gold=True).equivocations == ROUNDS_MAX


@given(standing=standings)
def test_what_a_roster_states_of_a_character_is_within_its_limits(standing: NodeStats) -> None:
    assert all(isinstance(count, int) and 1 <= count <= WEIGHT_MAX for count in standing.counts)


def test_a_character_that_nobody_knows_is_that_of_a_stranger() -> None:
    assert NodeStats().counts == FRESH


def test_a_large_count_keeps_its_shares_within_the_limits() -> None:
    many = NodeStats(judged=(60.0, 30.0, 0.0, 0.0))
    honest, inverse, _, _ = many.counts
    assert honest == WEIGHT_MAX
    assert honest / inverse == pytest.approx((4.0 + 60.0) / (0.3 + 30.0), rel=0.001)


def test_a_vote_is_one_at_the_reference_and_nothing_at_half_of_it() -> None:
    scale = Scale(typical=0.6, reference=0.8)
    assert scale.vote(NodeStats(answers=Score(8e5, 2e5))) == pytest.approx(1.0, abs=1e-4)
    assert scale.vote(NodeStats(answers=Score(6e5, 4e5))) == pytest.approx(0.5, abs=1e-4)
    assert scale.vote(NodeStats(answers=Score(3.9e5, 6.1e5))) == 0.0
    assert Scale(0.3, 0.3).vote(NodeStats(answers=Score(1e6, 0.0))) == VOTE_MAX


@pytest.mark.parametrize(
    ("judged", "least"),
    [((7.0, 1.0, 1.0, 1.0), VOTE_MIN), ((5.0, 0.0, 1.0, 4.0), 0.0), ((0.0, 0.0, 0.0, 0.0), 0.0)],
    ids=["honest", "accomplice", "never judged"],
)
def test_an_honest_judge_keeps_a_small_vote_however_seldom_it_is_right(
    judged: tuple[float, float, float, float], least: float
) -> None:
    """Else it would lose its seat where few are right, and the round its judgements."""
    assert EVEN.vote(NodeStats(answers=Score(0.0, 60.0), judged=judged)) == least


def test_who_contradicted_itself_has_no_vote() -> None:
    assert EVEN.vote(NodeStats(answers=Score(60.0, 0.0))) > 1.0
    assert EVEN.vote(NodeStats(answers=Score(60.0, 0.0), equivocations=1)) == 0.0


def reported(*rounds: tuple[int, int]) -> NodeStats:
    """A node of one right gold answer, and what was confirmed and refuted of its findings, round by round."""
    stats = after(NodeStats(), RoundObservation(right=True), gold=True)
    for confirmed, refuted in rounds:
        stats = after(stats, RoundObservation(confirmed=confirmed, refuted=refuted), gold=False)
    return stats


def test_refuted_findings_lower_a_vote_by_half_at_most() -> None:
    honest, once, always = reported((3, 0)), reported((2, 1)), reported(*[(0, 60)] * 200)
    assert EVEN.vote(honest) == EVEN.vote(reported())
    assert EVEN.vote(honest) > EVEN.vote(once) > EVEN.vote(always) > (1.0 - REFUTED_COST) * EVEN.vote(honest)
    assert always.equivocations == 0 and once.answers == honest.answers


def test_one_refuted_finding_is_forgiven_two_of_two_are_not() -> None:
    assert not reported((0, 1)).is_refuted
    assert reported((0, 2)).is_refuted and reported((0, 1), (0, 1)).is_refuted
    assert not reported((30, 2)).is_refuted
    assert reported((0, 1)).refuted < REFUTED_MAX < reported((0, 2)).refuted


def test_refuted_findings_fade_in_rounds_in_which_a_node_tests_nothing() -> None:
    """Else it would never test again, since who does not test can confirm nothing."""
    assert reported((0, 3), *[(0, 0)] * 10).is_refuted
    assert not reported((0, 3), *[(0, 0)] * 60).is_refuted


def test_a_rate_is_shrunk_towards_the_typical_one() -> None:
    assert Score().rate(0.7) == 0.7
    assert Score(2.0, 0.0).rate(0.7) == pytest.approx((PRIOR * 0.7 + 2.0) / (PRIOR + 2.0))
    assert Score(1e6, 0.0).rate(0.7) == pytest.approx(1.0, abs=1e-4)


def test_without_gold_the_scale_is_the_prior_of_the_design() -> None:
    """Beta(3, 1.2), and who was not tested counts in no scale."""
    assert scale_of([]) == scale_of([NodeStats(agreed=Score(0.0, 9.0))]) == Scale(3.0 / 4.2, 3.0 / 4.2)


def test_the_scale_of_a_crowd() -> None:
    """The plain sums once more: pooled accuracy, and the mean accuracy of the author of a right answer."""
    rng = random.Random(5)
    crowd = [NodeStats(answers=Score(rng.uniform(0.0, 20.0), rng.uniform(0.0, 20.0))) for _ in range(30)]
    good = 3.0 + sum(each.answers.good for each in crowd)
    typical = good / (4.2 + sum(each.answers.total for each in crowd))
    rates = [(4.0 * typical + each.answers.good) / (4.0 + each.answers.total) for each in crowd]
    found = scale_of(crowd)
    assert found.typical == pytest.approx(typical)
    assert found.reference == pytest.approx(sum(rate**2 for rate in rates) / sum(rates))


def test_attackers_hardly_move_what_an_honest_vote_is_worth() -> None:
    good, bad = NodeStats(answers=Score(16.0, 4.0)), NodeStats(answers=Score(0.0, 20.0))
    alone, among_them = scale_of([good] * 12), scale_of([good] * 12 + [bad] * 8)
    assert among_them.typical < alone.typical - 0.2
    assert among_them.vote(good) == pytest.approx(alone.vote(good), abs=0.15)
    assert among_them.vote(bad) == 0.0
