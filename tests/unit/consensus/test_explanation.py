"""Figures behind a ranking: they follow from the record alone, and move as the model says."""

from dataclasses import replace

import pytest

from consensus.certificates.explanation import explain
from consensus.certificates.record import RoundRecord
from consensus.certificates.tally import rank
from protocol.types import ONE
from tests.support.hand import Hand


def judged(preference: int) -> RoundRecord:
    """A round whose judges all state this preference for the answer shown first."""
    hand = Hand().to_judging()
    judges = [name for name in hand.names if hand.key(name) in hand.record.assignment]
    closing = hand.close_tally([hand.ballot(name, preference) for name in judges])
    assert isinstance(hand.extend(closing), RoundRecord)
    return hand.record


def test_an_interval_lies_around_its_strength() -> None:
    record = judged(ONE)
    intervals = explain(record).intervals
    ranked = rank(record).ranked
    assert intervals.keys() == {each.answer for each in ranked}
    for each in ranked:
        low, high = intervals[each.answer]
        assert low < each.strength / 1e6 < high


def test_judgements_narrow_intervals() -> None:
    before, after = explain(Hand().to_judging().record), explain(judged(ONE // 2))
    for answer, (low, high) in after.intervals.items():
        assert high - low < before.intervals[answer][1] - before.intervals[answer][0]


def test_characters_are_shares_and_those_of_judges_that_said_nothing_are_the_prior() -> None:
    for record in (Hand().to_judging().record, judged(ONE)):
        characters = explain(record).characters
        assert characters.keys() == record.seats.keys()
        for each in characters.values():
            assert each.honest + each.inverse + each.coin + each.partisan == pytest.approx(1, abs=1e-4)
    silent = explain(Hand().to_judging().record).characters
    # 4 : 0.3 : 1 : 0.3, the prior of a judge without history.
    assert {round(each.honest, 3) for each in silent.values()} == {round(4 / 5.6, 3)}
    assert all(each.likeliest == ("honest", each.honest) for each in silent.values())


def test_a_removed_author_has_no_interval() -> None:
    record = judged(ONE)
    gone = record.answers[0]
    intervals = explain(replace(record, removed=frozenset({gone.author}))).intervals
    assert gone.id not in intervals and len(intervals) == len(record.answers) - 1
