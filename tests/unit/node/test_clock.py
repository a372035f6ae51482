"""The node's clock, and a wall clock that is set while it runs."""

import pytest
import trio
from trio.testing import MockClock

from node.clock import STEP_MS, Clock

JUMPS_MS = [-300_000, -500, 500, 300_000]


class Wall:
    """A wall clock in trio's time, which can be set."""

    def __init__(self) -> None:
        self.set_by_s = 1_700_000_000.0

    def __call__(self) -> float:
        return trio.current_time() + self.set_by_s


@pytest.mark.parametrize("jump_ms", JUMPS_MS)
async def test_a_budget_holds_when_the_wall_clock_is_set(jump_ms: int, autojump_clock: MockClock) -> None:
    assert trio.lowlevel.current_clock() is autojump_clock
    wall = Wall()
    clock = Clock(wall)
    began_ms, began_s = clock.now_ms(), trio.current_time()
    deadline = clock.trio_deadline(began_ms + 10_000)
    await trio.sleep(3)
    wall.set_by_s += jump_ms / 1000
    assert clock.now_ms() - began_ms == pytest.approx(3_000, abs=1)
    assert clock.trio_deadline(began_ms + 10_000) == deadline
    await trio.sleep_until(deadline)
    assert trio.current_time() - began_s == pytest.approx(10, abs=0.01)
    assert clock.now_ms() - began_ms == pytest.approx(10_000, abs=1)


async def test_a_clock_that_was_set_forward_is_followed_between_rounds(autojump_clock: MockClock) -> None:
    """As after sleep, in which the monotonic clock stands still. At 044b2f0 the node is off until it is restarted."""
    assert trio.lowlevel.current_clock() is autojump_clock
    wall = Wall()
    clock = Clock(wall)
    before_ms = clock.now_ms()
    assert clock.follow() == 0
    wall.set_by_s += 3_600
    assert clock.follow() == pytest.approx(3_600_000, abs=1)
    assert clock.now_ms() - before_ms == pytest.approx(3_600_000, abs=1)
    assert clock.trio_deadline(clock.now_ms()) == pytest.approx(trio.current_time(), abs=0.01)
    assert clock.follow() == 0


async def test_time_never_goes_back_and_that_is_told_once(autojump_clock: MockClock) -> None:
    assert trio.lowlevel.current_clock() is autojump_clock
    wall = Wall()
    clock = Clock(wall)
    before_ms = clock.now_ms()
    wall.set_by_s -= 300
    assert clock.follow() == pytest.approx(-300_000, abs=1)
    assert clock.follow() == 0
    assert clock.now_ms() >= before_ms
    wall.set_by_s -= 300
    assert clock.follow() == pytest.approx(-600_000, abs=1)
    wall.set_by_s += 600
    assert clock.follow() == 0
    wall.set_by_s -= 2 * STEP_MS / 1000
    assert clock.follow() == pytest.approx(-2 * STEP_MS, abs=1)
