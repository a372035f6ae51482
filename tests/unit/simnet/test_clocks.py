"""Rounds among nodes whose clocks are off: half a second is nothing, five minutes cost the node its own part."""

import pytest

from protocol.types import Outcome
from tests.simulation.worlds import Watched
from tests.unit.simnet.test_machine import ANSWERED_MS, ASKED_MS, answered, member, world


def off_by(watched: Watched, node: int, off_ms: int) -> None:
    """Set one node's clock before anything happens."""
    watched.machines[node]._skew_ms = off_ms


@pytest.mark.parametrize("sign", [-1, 1])
def test_half_a_second_is_nothing(sign: int) -> None:
    """Given clocks that are off by up to a second from each other, then all answers count and nobody is blamed."""
    watched = world()
    for node in range(5):
        off_by(watched, node, sign * 500 if node % 2 else -sign * 500)
    watched.simulate()
    assert watched.findings == []
    assert answered(watched) == set(range(5))
    (certificate,) = watched.certificates
    assert certificate.full


@pytest.mark.parametrize("off_ms", [-300_000, 300_000])
def test_a_member_that_is_five_minutes_off_costs_its_own_part_alone(off_ms: int) -> None:
    """Given one such member, then the round decides without it and does not wait for it until its budgets end."""
    watched = world()
    off = member(watched)
    off_by(watched, off, off_ms)
    watched.simulate()
    assert watched.checkers.violations == []
    assert answered(watched) == set(range(5)) - {off}
    assert watched.certificates[0].ranking.outcome is Outcome.DECIDED
    assert max(each.at_ms for each in watched.notes("requester finished")) < ASKED_MS + 60_000


@pytest.mark.parametrize("jump_ms", [-300_000, 300_000])
def test_budgets_are_counted_by_one_clock_whatever_the_wall_says(jump_ms: int) -> None:
    """Given a member whose clock is set in mid-round, as only a broken one is (`node.clock` is monotonic), then no rule
    breaks and the others decide."""
    watched = world()
    node = member(watched)

    def jump() -> None:
        watched.machines[node]._skew_ms += jump_ms

    watched.clock.at(ANSWERED_MS - 500, jump)
    watched.simulate()
    assert watched.checkers.violations == []
    assert set(range(5)) - {node} <= answered(watched)
