"""What a node remembers of newcomers when there are too many."""

from consensus.learning.challenge_weight import ChallengeRecord
from node.rounds.learning.challenge_records import NEWCOMERS_MAX, ChallengeRecords
from tests.support.updates import key

OPEN = ChallengeRecord()
REFUSED = ChallengeRecord(closed_ms=1)
EARNED = ChallengeRecord(closed_ms=1, earned_at=0)


def test_fresh_keys_push_out_neither_who_passed_nor_who_was_refused() -> None:
    challenges = ChallengeRecords()
    challenges.put(key("passed"), EARNED)
    challenges.put(key("refused"), REFUSED)
    for number in range(2 * NEWCOMERS_MAX):
        challenges.put(key(f"fresh {number}"), OPEN)
    assert len(challenges.records) == NEWCOMERS_MAX
    assert {key("passed"), key("refused")} <= set(challenges.records)


def test_of_decided_ones_who_passed_stays_longest() -> None:
    challenges = ChallengeRecords()
    challenges.put(key("passed"), EARNED)
    for number in range(2 * NEWCOMERS_MAX):
        challenges.put(key(f"refused {number}"), REFUSED)
    assert len(challenges.records) == NEWCOMERS_MAX and key("passed") in challenges.records
