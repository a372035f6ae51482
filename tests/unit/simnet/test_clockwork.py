"""Virtual time passes in order, and only as far as it is let."""

import pytest

from simnet.clockwork import Clockwork


@pytest.fixture
def happened() -> list[tuple[int, str]]:
    return []


@pytest.fixture
def clock() -> Clockwork:
    return Clockwork(100)


def noting(clock: Clockwork, happened: list[tuple[int, str]], what: str) -> None:
    happened.append((clock.now_ms, what))


def test_what_is_scheduled_happens_in_the_order_of_time_then_of_scheduling(
    clock: Clockwork, happened: list[tuple[int, str]]
) -> None:
    clock.at(300, noting, clock, happened, "third")
    clock.after(50, noting, clock, happened, "first")
    clock.at(300, noting, clock, happened, "fourth")
    clock.at(200, noting, clock, happened, "second")
    clock.run(1_000)
    assert happened == [(150, "first"), (200, "second"), (300, "third"), (300, "fourth")]
    assert (clock.now_ms, clock.events) == (1_000, 4)


def test_time_stops_where_it_is_told_to_and_goes_on_from_there(
    clock: Clockwork, happened: list[tuple[int, str]]
) -> None:
    clock.at(200, noting, clock, happened, "at the end")
    clock.at(201, noting, clock, happened, "after it")
    clock.run(200)
    assert (happened, clock.now_ms) == ([(200, "at the end")], 200)
    clock.run(201)
    assert happened[1:] == [(201, "after it")]


def test_the_past_happens_now_and_never_turns_time_back(clock: Clockwork, happened: list[tuple[int, str]]) -> None:
    clock.at(150, lambda: clock.at(20, noting, clock, happened, "late"))
    clock.at(150, noting, clock, happened, "in time")
    clock.run(500)
    assert happened == [(150, "in time"), (150, "late")]
    clock.run(400)
    assert clock.now_ms == 500
