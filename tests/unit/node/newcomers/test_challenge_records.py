"""What a node remembers of newcomers when there are too many."""

from consensus.learning.challenge_weight import ChallengeStanding
from node.rounds.learning.challenge_records import NEWCOMERS_MAX, Newcomers
from tests.support.updates import key

OPEN = ChallengeStanding()
REFUSED = ChallengeStanding(closed_ms=1)
EARNED = ChallengeStanding(closed_ms=1, earned_at=0)


def test_fresh_keys_push_out_neither_who_passed_nor_who_was_refused() -> None:
    newcomers = Newcomers()
    newcomers.put(key("passed"), EARNED)
    newcomers.put(key("refused"), REFUSED)
    for number in range(2 * NEWCOMERS_MAX):
        newcomers.put(key(f"fresh {number}"), OPEN)
    assert len(newcomers.standings) == NEWCOMERS_MAX
    assert {key("passed"), key("refused")} <= set(newcomers.standings)


def test_of_decided_ones_who_passed_stays_longest() -> None:
    newcomers = Newcomers()
    newcomers.put(key("passed"), EARNED)
    for number in range(2 * NEWCOMERS_MAX):
        newcomers.put(key(f"refused {number}"), REFUSED)
    assert len(newcomers.standings) == NEWCOMERS_MAX and key("passed") in newcomers.standings
