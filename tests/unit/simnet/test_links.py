"""Packets arrive as the table of links says."""

from statistics import mean, median

import pytest

from simnet.links import Links
from simnet.scenario import LinkTable

PACKETS = 4_000
STILL = LinkTable(latency_ms=40, spread=0.0, jitter_ms=0)
"""Every packet takes 40 ms."""


def links(nodes: int = 4, seed: int = 1, table: LinkTable = STILL) -> Links:
    return Links(table, seed, nodes)


def test_without_chance_every_packet_takes_the_latency() -> None:
    assert {links().arrivals(0, 1, 1_000) for _ in range(10)} == {(1_040,)}


def test_no_packet_arrives_before_it_has_left() -> None:
    instant = links(table=LinkTable(latency_ms=0, jitter_ms=0))
    assert instant.arrivals(0, 1, 1_000) == (1_001,)


def test_a_pair_has_a_latency_of_its_own_in_both_directions() -> None:
    spread = links(nodes=200, table=LinkTable(latency_ms=100, spread=0.4, jitter_ms=0))
    ways = {(one, one + 1): spread.arrivals(one, one + 1, 0) for one in range(199)}
    assert {(one, other): spread.arrivals(other, one, 0) for one, other in ways} == ways
    assert len(set(ways.values())) > 50
    assert 85 <= median(arrival for (arrival,) in ways.values()) <= 115


def test_jitter_is_an_exponential_delay_of_its_mean() -> None:
    jittery = links(table=LinkTable(latency_ms=40, spread=0.0, jitter_ms=50))
    delays = [jittery.arrivals(0, 1, 0)[0] - 40 for _ in range(PACKETS)]
    assert min(delays) == 0
    assert 47 <= mean(delays) <= 53
    # An exponential's median is ln 2 of its mean.
    assert 32 <= median(delays) <= 37


@pytest.mark.parametrize(("setting", "copies"), [("loss", 0), ("duplicate", 2)])
def test_a_share_of_packets_is_lost_or_comes_twice(setting: str, copies: int) -> None:
    table = LinkTable(**{setting: 0.2})
    unsure = links(table=table)
    arrivals = [len(unsure.arrivals(0, 1, 0)) for _ in range(PACKETS)]
    assert set(arrivals) == {1, copies}
    assert 0.18 <= arrivals.count(copies) / PACKETS <= 0.22


def test_some_packets_are_held_back() -> None:
    unruly = links(table=LinkTable(latency_ms=40, spread=0.0, jitter_ms=0, reorder=0.1, reorder_ms=500))
    arrivals = [unruly.arrivals(0, 1, 0)[0] for _ in range(PACKETS)]
    assert 0.88 <= arrivals.count(40) / PACKETS <= 0.92
    assert 480 <= max(arrivals) <= 540


def test_a_cut_parts_both_ways_and_only_across_until_it_heals() -> None:
    parted = links()
    first, second = parted.cut({0, 1}), parted.cut({1})
    assert not parted.arrivals(0, 2, 0)
    assert not parted.arrivals(2, 0, 0)
    assert not parted.arrivals(0, 1, 0)
    assert parted.arrivals(2, 3, 0)
    parted.heal(first)
    assert parted.arrivals(0, 2, 0)
    assert not parted.arrivals(1, 2, 0)
    parted.heal(second)
    assert parted.arrivals(1, 2, 0)


def test_an_uplink_sends_one_packet_after_the_other() -> None:
    # 8 kbit/s: a byte takes a millisecond.
    narrow = links(table=LinkTable(uplink_kbit_s=8))
    assert [narrow.depart(0, 100, 1_000), narrow.depart(0, 50, 1_000)] == [1_100, 1_150]
    assert narrow.depart(1, 100, 1_000) == 1_100, "another node's uplink is its own"
    assert narrow.depart(0, 100, 5_000) == 5_100, "and it rests when nothing is to be sent"


def test_packets_shorter_than_a_millisecond_add_up() -> None:
    fast = links(table=LinkTable(uplink_kbit_s=8_000))
    assert max(fast.depart(0, 300, 0) for _ in range(10)) == 3


def test_an_uplink_without_limit_takes_no_time() -> None:
    assert links().depart(0, 10**9, 1_000) == 1_000
