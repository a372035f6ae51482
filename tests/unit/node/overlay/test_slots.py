"""Slots: who gets an inbound connection, and who gives way. Time is a number, a connection is a flag."""

from __future__ import annotations

import pytest

from node.overlay import slots as module
from node.overlay.addresses import exempt_networks, parse_ip
from node.overlay.slots import ConnectionPlace, Slots

FRIEND = bytes([255]) * 32


class World:
    """Slots with a clock of their own; `ended` are the places that had to give way."""

    def __init__(self, limit: int = 96, private: tuple[str, ...] = ()) -> None:
        self.now = 0.0
        self.ended: list[ConnectionPlace] = []
        self.slots = Slots(limit, exempt_networks(private), {FRIEND}, lambda: self.now)
        self._keys = 0

    def open(self, address: str) -> ConnectionPlace | None:
        place: ConnectionPlace | None = None
        place = self.slots.enter(parse_ip(address), lambda: self.ended.append(place))  # type: ignore[arg-type]
        return place

    def connect(self, address: str, key: bytes | None = None) -> ConnectionPlace | None:
        """A connection with a fresh key; None where it was refused."""
        self._keys += 1
        self.now += 0.3  # no slower than what one subnet may do
        place = self.open(address)
        if place is None:
            return None
        if self.slots.admit(place, key or self._keys.to_bytes(32, "big")):
            return place
        self.slots.leave(place)
        return None


def test_a_slot_goes_with_its_connection() -> None:
    world = World(limit=2)
    for number in range(100):
        place = world.connect(f"10.0.{number}.1")
        assert place is not None
        world.slots.leave(place)
    counts = world.slots.counts()
    assert (counts.inbound, counts.half_open, counts.refused) == (0, 0, {})


def test_one_address_and_one_subnet_get_only_so_many() -> None:
    world = World()
    assert sum(world.connect("1.2.3.4") is not None for _ in range(20)) == module.PER_ADDRESS_MAX
    assert sum(world.connect(f"1.2.3.{host}") is not None for host in range(100, 130)) == 8
    assert world.connect("1.2.4.1") is not None
    assert sum(world.connect(f"2001:db8:1:{host:x}::1") is not None for host in range(40)) == module.PER_SUBNET_MAX
    assert set(world.slots.counts().refused) == {"address", "subnet"}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "::ffff:10.1.2.3"])
def test_loopback_and_named_networks_know_no_caps(address: str) -> None:
    world = World(private=("10.1.0.0/16",))
    assert all(world.connect(address) is not None for _ in range(96))
    assert world.connect(address) is None
    assert world.slots.counts().refused == {"full": 1}


def test_a_trusted_peer_takes_the_slot_of_the_youngest_stranger_of_the_largest_subnet() -> None:
    world = World(limit=4)
    alone = world.connect("5.5.5.5")
    crowd = [world.connect("6.6.6.6") for _ in range(3)]
    friend = world.connect("6.6.6.6", FRIEND)
    assert friend is not None
    assert world.ended == [crowd[-1]]
    assert alone is not None
    assert world.slots.counts().inbound == 4


def test_strangers_of_one_host_do_not_keep_a_trusted_peer_of_it_out() -> None:
    world = World()
    strangers = [world.connect("1.2.3.4") for _ in range(8)]
    assert world.connect("1.2.3.4") is None
    assert world.connect("1.2.3.4", FRIEND) is not None
    assert world.ended == [strangers[-1]]


def test_a_peer_known_for_long_is_not_pushed_out_and_comes_back() -> None:
    world = World(limit=2)
    old_key = bytes([7]) * 32
    old = world.connect("6.6.6.1", old_key)
    assert old is not None
    world.now += module.LONG_S
    young = world.connect("8.8.8.8")
    assert world.connect("7.7.7.7") is None, "one of each subnet is fair"
    world.slots.leave(old)
    other = world.connect("9.9.9.9")
    assert None not in (young, other)
    assert world.connect("6.6.6.1", old_key) is not None
    assert world.ended == [other]


def test_a_stranger_of_another_subnet_takes_a_slot_of_a_crowd() -> None:
    world = World(limit=6)
    crowd = [world.connect("6.6.6.6") for _ in range(6)]
    assert world.connect("7.7.7.7") is not None
    assert world.ended == [crowd[-1]]
    assert world.connect("6.6.6.7") is None


def test_one_key_gets_two_connections_and_the_newest_stay() -> None:
    world = World()
    first, second, third = (world.connect("1.1.1.1", FRIEND) for _ in range(3))
    assert None not in (first, second, third)
    assert world.ended == [first]
    assert world.slots.counts().inbound == 2


def test_half_open_connections_are_bounded_for_an_address_and_for_all() -> None:
    world = World()
    first = [world.open("1.1.1.1") for _ in range(9)]
    assert first[8] is None
    for number in range(module.HALF_OPEN_MAX):
        world.now += 0.001
        assert world.open(f"9.9.{number}.9") is not None
    assert world.slots.counts().half_open == module.HALF_OPEN_MAX
    assert len(world.ended) == 8, "the oldest of the largest crowd go first"
    assert set(world.ended) == set(first[:8])
    assert not world.slots.admit(world.ended[0], FRIEND), "who was ended gets no slot"


def test_handshakes_of_a_subnet_are_paced() -> None:
    world = World()
    served = 0
    for number in range(200):
        place = world.open(f"1.1.1.{number}")
        if place is not None:
            served += 1
            world.slots.leave(place)
    assert served == module.HANDSHAKES.burst
    assert world.open("1.1.2.1") is not None
    world.now += 1.0
    assert world.open("1.1.1.1") is not None
