"""Who gets which events, what a slow subscriber loses, and that nothing is made for nobody."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from node.api.events import BaseEvent, Certified, Ended, Progress
from node.rounds.following.hub import (
    EVENTS_MAX,
    REQUESTER,
    SUBSCRIBERS_MAX,
    RoundEvents,
    RoundRole,
    Subscription,
    TooManySubscribersError,
)
from protocol.types import Digest, Outcome

QUERY: Final = Digest(b"q" * 32)
OTHER: Final = Digest(b"o" * 32)


def progress(hub: RoundEvents, query: Digest = QUERY, role: RoundRole = "requester") -> None:
    def build(seq: int) -> BaseEvent:
        return Progress(
            seq=seq, phase="answering", wave=0, received=(), expected=(), silent=(), refused={}, declined={}
        )

    hub.publish(query, role, Progress, build)


def certified(hub: RoundEvents, query: Digest = QUERY) -> None:
    hub.publish(query, "requester", Certified, lambda seq: Certified(seq=seq, outcome=Outcome.DECIDED, bytes=1))


def ended(hub: RoundEvents, query: Digest = QUERY, role: RoundRole = "requester") -> None:
    hub.publish(query, role, Ended, lambda seq: Ended(seq=seq, role=role, ending="left", outcome=None, fault=None))


def heard(subscription: Subscription) -> list[BaseEvent]:
    """All that waits."""
    events = []
    with pytest.raises((trio.WouldBlock, trio.EndOfChannel)):
        while True:
            events.append(subscription.receive_nowait())
    return events


def test_each_subscriber_gets_what_it_wants_and_all_the_same_numbers() -> None:
    hub = RoundEvents()
    with (
        hub.subscribe() as everything,
        hub.subscribe(QUERY) as of_round,
        hub.subscribe(kinds=[Ended]) as ends,
        hub.subscribe(QUERY, roles=REQUESTER) as asked,
    ):
        progress(hub)
        progress(hub, OTHER)
        ended(hub, QUERY, "member")
        ended(hub)
        assert [each.seq for each in heard(everything)] == [1, 2, 3, 4]
        assert [each.seq for each in heard(of_round)] == [1, 3, 4]
        assert [each.seq for each in heard(ends)] == [3, 4]
        assert [each.seq for each in heard(asked)] == [1, 4]


def test_nothing_is_made_for_nobody() -> None:
    hub = RoundEvents()

    def build(_: int) -> BaseEvent:
        raise AssertionError("nobody listens")

    with hub.subscribe(OTHER), hub.subscribe(kinds=[Ended]), hub.subscribe(QUERY, roles=["member"]):
        hub.publish(QUERY, "requester", Progress, build)
        assert not hub.wants(QUERY, "requester", Progress)
        assert hub.wants(QUERY, "requester", Progress, Ended)
    hub.publish(QUERY, "requester", Ended, build)
    assert not hub.wants(QUERY, "requester", Ended)


def test_a_slow_subscriber_loses_the_oldest_and_learns_how_many() -> None:
    hub = RoundEvents()
    with hub.subscribe(QUERY) as slow:
        for _ in range(EVENTS_MAX + 7):
            progress(hub)
        events = heard(slow)
        assert [each.seq for each in events] == list(range(8, EVENTS_MAX + 8))
        assert [each.missed for each in events] == [7] + [0] * (EVENTS_MAX - 1)
        progress(hub)
        assert [each.missed for each in heard(slow)] == [0]


def test_results_are_not_lost_to_progress_however_slow_the_subscriber() -> None:
    hub = RoundEvents()
    with hub.subscribe(QUERY) as slow:
        certified(hub)
        for _ in range(2 * EVENTS_MAX):
            progress(hub)
        ended(hub)
        for _ in range(2 * EVENTS_MAX):
            progress(hub)
        events = heard(slow)
    assert [type(each) for each in events if each.kept] == [Certified, Ended]
    assert [each.seq for each in events] == sorted(each.seq for each in events)
    assert len(events) == EVENTS_MAX


def test_where_only_results_wait_the_oldest_is_lost() -> None:
    hub = RoundEvents()
    with hub.subscribe() as slow:
        for number in range(EVENTS_MAX + 2):
            ended(hub, Digest(number.to_bytes(32, "big")))
        events = heard(slow)
    assert (len(events), events[0].seq, events[0].missed) == (EVENTS_MAX, 3, 2)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from((progress, certified, ended)), st.integers(1, 300), st.integers(0, 300))))
def test_what_a_subscriber_got_and_what_it_missed_is_what_was_published(
    bursts: list[tuple[Callable[[RoundEvents], None], int, int]],
) -> None:
    """However many are published before it reads, and however many it reads then: nothing comes twice or late."""
    hub, published = RoundEvents(), 0
    got: list[BaseEvent] = []
    with hub.subscribe(QUERY) as subscription:
        for publish, count, reads in bursts:
            for _ in range(count):
                publish(hub)
            published += count
            with suppress(trio.WouldBlock):
                for _ in range(reads):
                    got.append(subscription.receive_nowait())
        progress(hub)
        got += heard(subscription)
    assert len(got) + sum(each.missed for each in got) == published + 1
    numbers = [each.seq for each in got]
    assert numbers == sorted(set(numbers))


def test_subscribers_are_few() -> None:
    hub = RoundEvents()
    following = [hub.subscribe(QUERY) for _ in range(SUBSCRIBERS_MAX)]
    for each in following:
        each.__enter__()
    with pytest.raises(TooManySubscribersError, match="512 follow"), hub.subscribe():
        pass
    for each in following:
        each.__exit__(None, None, None)
    with hub.subscribe() as again:
        progress(hub)
        assert len(heard(again)) == 1


async def test_a_subscription_to_a_round_ends_with_it_and_is_read_to_its_end() -> None:
    hub = RoundEvents()
    with hub.subscribe(QUERY) as of_round, hub.subscribe() as of_all:
        ended(hub)
        hub.end(QUERY)
        assert [type(event) async for event in of_round] == [Ended]
        with pytest.raises(trio.EndOfChannel):
            of_round.receive_nowait()
        assert len(heard(of_all)) == 1
        with pytest.raises(trio.WouldBlock):
            of_all.receive_nowait()


async def test_a_subscriber_that_waits_is_woken_by_the_next_event_and_by_the_end() -> None:
    hub = RoundEvents()
    got: list[int] = []

    async def read(subscription: Subscription) -> None:
        async for event in subscription:
            got.append(event.seq)

    with hub.subscribe(QUERY) as subscription:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, subscription)
            await trio.testing.wait_all_tasks_blocked()
            progress(hub)
            await trio.testing.wait_all_tasks_blocked()
            assert got == [1]
            hub.end(QUERY)
