"""Streams of events that break and go on: what is kept meanwhile, and what is said of what is not."""

from __future__ import annotations

import msgspec
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from node.api.events import Asked, BaseEvent, Certified, Strengths
from node.rounds.following import ring
from node.rounds.following.hub import Resumed, RoundEvents, UnknownRoundError
from node.rounds.following.ring import BYTES_MAX, EVENTS_MAX, RESUME_S
from protocol.types import Digest, Outcome
from tests.unit.node.rounds.following.test_observer import heard

QUERY = Digest(b"q" * 32)
OTHER = Digest(b"o" * 32)


def publish(hub: RoundEvents, query: Digest = QUERY, members: int = 0) -> None:
    def build(seq: int) -> BaseEvent:
        return Asked(query_id=query.hex(), members=members * ("ab" * 32,), seq=seq)

    hub.publish(query, "requester", Asked, build)


def read(resumed: Resumed) -> list[int]:
    """Numbers of all that a stream has."""
    return [each.seq for each in (*resumed.earlier, *heard(resumed.live))]


async def test_a_stream_goes_on_where_it_broke() -> None:
    hub = RoundEvents()
    with hub.resume() as stream:
        for _ in range(3):
            publish(hub)
        first = read(stream)
    publish(hub)
    with hub.resume(hub.id_of(first[1])) as stream:
        publish(hub)
        assert (stream.missed, read(stream)) == (0, [first[2], first[2] + 1, first[2] + 2])


async def test_without_an_id_a_stream_begins_now() -> None:
    hub = RoundEvents()
    with hub.resume():
        publish(hub)
        with hub.resume() as stream:
            assert (stream.missed, read(stream)) == (0, [])


async def test_events_are_kept_for_a_while_and_then_not_even_built(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    hub, built = RoundEvents(), []

    def count(seq: int) -> BaseEvent:
        built.append(seq)
        return Certified(query_id=QUERY.hex(), outcome=Outcome.DECIDED, bytes=1, seq=seq)

    def tell() -> None:
        hub.publish(QUERY, "requester", Certified, count)

    tell()
    assert not built and not hub.wants(QUERY, "member", Strengths)
    with hub.resume() as stream:
        assert hub.wants(QUERY, "member", Strengths)
        tell()
        (last,) = read(stream)
    await trio.sleep(RESUME_S - 1)
    tell()
    with hub.resume(hub.id_of(last)) as stream:
        assert (stream.missed, read(stream)) == (0, [last + 1])
    await trio.sleep(RESUME_S + 1)
    tell()
    assert len(built) == 2 and not hub.wants(QUERY, "member", Strengths)
    with hub.resume(hub.id_of(last + 1)) as stream:
        tell()
        assert stream.missed == 1, "at least: nobody counted them"
        assert len(read(stream)) == 1


@pytest.mark.parametrize(
    "last_id", ["0" * 16 + "-3", "nonsense", "-1", "{life}-99999", "{life}--1", "{life}-" + "9" * 99]
)
async def test_another_life_s_number_is_none_of_this_one(last_id: str) -> None:
    hub = RoundEvents()
    with hub.resume():
        publish(hub)
        with hub.resume(last_id.format(life=hub.life)) as stream:
            assert stream.missed is None
            assert len(read(stream)) == 1, "all of this life"
    assert RoundEvents().life != hub.life


async def test_the_ring_is_bounded_in_events_and_bytes() -> None:
    hub = RoundEvents()
    with hub.resume():
        publish(hub)
        first = hub.id_of(2)
        for _ in range(EVENTS_MAX + 5):
            publish(hub)
        with hub.resume(first) as stream:
            assert (len(stream.earlier), stream.missed) == (EVENTS_MAX, 5)
            assert stream.floor + 1 == stream.earlier[0].seq
        big = 60_000 // 66
        for _ in range(EVENTS_MAX):
            publish(hub, members=big)
        with hub.resume(first) as stream:
            sizes = [len(msgspec.json.encode(each)) for each in stream.earlier]
            assert BYTES_MAX - 2 * sizes[0] < sum(sizes) <= BYTES_MAX


async def test_one_round_s_stream_ends_with_it_and_is_then_unknown() -> None:
    hub = RoundEvents()
    with pytest.raises(UnknownRoundError), hub.resume("", QUERY):
        pass
    assert not hub.wants(QUERY, "member", Strengths), "a wrong request keeps nothing"
    hub.begin(QUERY)
    with hub.resume("", QUERY) as stream:
        publish(hub)
        publish(hub, OTHER)
        publish(hub)
        hub.end(QUERY)
        one, two = read(stream)
    with hub.resume(hub.id_of(one), QUERY) as stream:
        assert read(stream) == [two], "what it lacks, and the end"
        with pytest.raises(trio.EndOfChannel):
            stream.live.receive_nowait()
    with pytest.raises(UnknownRoundError), hub.resume(hub.id_of(two), QUERY):
        pass


steps = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.booleans()), max_size=20)
"""Events published, events read of them, and whether the stream breaks then."""


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(1, 12))
def test_what_was_read_and_what_was_missed_is_what_was_published(
    bursts: list[tuple[int, int, bool]], events_max: int
) -> None:
    """However often a stream breaks, and however little is kept: nothing comes twice or out of order, and what is said
    to be missed is what did not come."""

    async def follow() -> None:
        hub, got, missed, last_id = RoundEvents(), [], 0, ""
        with hub.resume():
            left = list(bursts)
            while left:
                with hub.resume(last_id) as stream:
                    missed += stream.missed or 0
                    # As the id of what says so.
                    last_id = hub.id_of(stream.floor) if stream.missed else last_id
                    waiting = [each.seq for each in stream.earlier]
                    broken = False
                    while left and not broken:
                        count, reads, broken = left.pop(0)
                        for _ in range(count):
                            publish(hub)
                        waiting += [each.seq for each in heard(stream.live)]
                        reads = min(reads, len(waiting))
                        got += waiting[:reads]
                        del waiting[:reads]
                        last_id = hub.id_of(got[-1]) if got and reads else last_id
                    if not left:
                        got += waiting
        assert got == sorted(set(got))
        if got:
            assert len([seq for seq in range(got[0], got[-1] + 1) if seq not in got]) == missed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ring, "EVENTS_MAX", events_max)
        trio.run(follow)
