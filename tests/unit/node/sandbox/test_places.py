"""Who gets a place of the sandbox, and when."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from node.sandbox.places import WAITING_MAX, NoPlaceError, Places
from node.sandbox.ports import Urgency


class Commands:
    """Commands of one second each, and the order in which they began."""

    def __init__(self, places: int) -> None:
        self.places = Places(places)
        self.began: list[str] = []
        self.running = 0
        self.most = 0

    async def run(self, name: str, urgency: Urgency) -> None:
        async with self.places.hold(urgency):
            self.began.append(name)
            self.running += 1
            self.most = max(self.most, self.running)
            await trio.sleep(1)
            self.running -= 1


async def test_the_most_urgent_goes_first_and_among_equals_who_came_first(autojump_clock: MockClock) -> None:
    commands = Commands(2)
    waiting = [
        ("stranger 1", Urgency.STRANGER),
        ("stranger 2", Urgency.STRANGER),
        ("stranger 3", Urgency.STRANGER),
        ("known 1", Urgency.KNOWN),
        ("known 2", Urgency.KNOWN),
        ("own 1", Urgency.OWN),
        ("stranger 4", Urgency.STRANGER),
        ("own 2", Urgency.OWN),
    ]
    async with trio.open_nursery() as nursery:
        for name, urgency in waiting:
            nursery.start_soon(commands.run, name, urgency)
            await wait_all_tasks_blocked()
    first, then = ["stranger 1", "stranger 2"], ["own 1", "own 2", "known 1", "known 2", "stranger 3", "stranger 4"]
    assert commands.began == first + then, "who runs is not interrupted"
    assert commands.most == 2 and autojump_clock.current_time() == pytest.approx(4.0)


async def test_who_gives_up_waiting_holds_nobody_up(autojump_clock: MockClock) -> None:  # noqa: ARG001 - the time
    commands = Commands(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(commands.run, "first", Urgency.STRANGER)
        await wait_all_tasks_blocked()
        with trio.move_on_after(0.5):
            await commands.run("impatient", Urgency.OWN)
        nursery.start_soon(commands.run, "second", Urgency.STRANGER)
    await commands.run("third", Urgency.STRANGER)
    assert commands.began == ["first", "second", "third"]


async def test_a_place_is_free_again_whatever_ends_its_command(autojump_clock: MockClock) -> None:  # noqa: ARG001
    commands = Commands(1)
    with trio.move_on_after(0.5):
        await commands.run("cancelled", Urgency.OWN)
    with pytest.raises(ZeroDivisionError):
        async with commands.places.hold(Urgency.OWN):
            raise ZeroDivisionError
    await commands.run("next", Urgency.OWN)
    assert commands.began == ["cancelled", "next"]


async def test_the_queue_has_an_end(autojump_clock: MockClock) -> None:  # noqa: ARG001
    commands = Commands(1)
    async with trio.open_nursery() as nursery:
        for number in range(1 + WAITING_MAX):
            nursery.start_soon(commands.run, str(number), Urgency.STRANGER)
        await wait_all_tasks_blocked()
        with pytest.raises(NoPlaceError, match=f"more than {WAITING_MAX}"):
            await commands.run("one too many", Urgency.OWN)
        nursery.cancel_scope.cancel()
