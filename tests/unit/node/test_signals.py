"""A signal's waiters miss nothing, however late they look."""

import trio
import trio.testing

from node.signals import Signal


async def test_a_change_between_the_look_and_the_wait_is_not_missed() -> None:
    """An event that is replaced when it is set loses this one: the waiter takes the new one, which nobody sets."""
    signal, state = Signal(), 0
    seen = signal.count
    looked = state
    state += 1
    signal.fire()
    with trio.fail_after(1):
        assert await signal.wait(seen) == 1
    assert (looked, state) == (0, 1)


async def test_whoever_wakes_finds_the_change_made() -> None:
    signal = Signal()
    state: list[int] = []
    found: list[int] = []

    async def look() -> None:
        await signal.wait(0)
        found.append(len(state))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(look)
        await trio.testing.wait_all_tasks_blocked()
        state.append(1)
        signal.fire()
    assert found == [1, 1, 1]


async def test_changes_while_the_waiter_is_busy_are_counted() -> None:
    signal = Signal()
    counted = 0

    async def count() -> None:
        nonlocal counted
        seen = 0
        while counted < 10:
            now = await signal.wait(seen)
            counted, seen = counted + now - seen, now
            await trio.testing.wait_all_tasks_blocked()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        for times in (1, 1, 3, 1, 4):
            signal.fire(times)
            await trio.lowlevel.checkpoint()
    assert counted == signal.count == 10


async def test_a_condition_is_looked_at_after_every_change_and_not_waited_for_if_it_holds() -> None:
    signal = Signal()
    looks: list[int] = []

    def holds() -> bool:
        looks.append(signal.count)
        return signal.count >= 2

    async with trio.open_nursery() as nursery:
        nursery.start_soon(signal.wait_until, holds)
        for _ in range(2):
            await trio.testing.wait_all_tasks_blocked()
            signal.fire()
    assert looks == [0, 1, 2]
    with trio.fail_after(1):
        await signal.wait_until(lambda: True)


async def test_a_waiter_may_be_cancelled() -> None:
    signal = Signal()
    with trio.move_on_after(0) as scope:
        await signal.wait(0)
    assert scope.cancelled_caught
    signal.fire()
    assert await signal.wait(0) == 1
