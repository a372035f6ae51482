"""When our standing offer is said, and what no change of it may escape."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import trio
from trio.testing import MockClock

from consensus.rounds.participant import Participant
from node.clock import Clock
from node.config import NodeConfig
from node.inference import EngineConfig
from node.inference.scripted import open_scripted
from node.rounds.inbound import INBOX_MAX, InboundRouter, Offering, PeerChanged
from node.rounds.offers import GREET_MS, Offers
from node.signals import Signal
from node.storage import Health
from node.work.fitness import FAILED_ROUNDS_MAX
from node.work.worker import EngineWorker
from protocol.limits import ADDRESS_BYTES_MAX
from protocol.types import Key, Role
from tests.support.swarm import keypair, params

PARAMS = params()
BOTH = Role.ANSWER | Role.JUDGE


@dataclass
class World:
    """A node's offers, and the inbox that they come into."""

    inbound: InboundRouter
    worker: EngineWorker
    newcomer: Signal = field(default_factory=Signal)
    turned: Signal = field(default_factory=Signal)
    is_open: bool = True
    addresses: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()
    """The addresses of the last offer that came in."""

    async def said(self) -> tuple[float, Role]:
        """When the next offer comes in, s, and its roles."""
        async for event in self.inbound.inbox:
            if isinstance(event, Offering):
                self.offered = event.offer.addresses
                return trio.current_time(), event.offer.roles
        raise AssertionError("the inbox is closed")


@asynccontextmanager
async def world() -> AsyncIterator[tuple[World, Offers]]:
    config = EngineConfig(kind="scripted", seed=1)
    inbound = InboundRouter(Participant(keypair("a"), PARAMS), cast(Any, None), Clock())
    worker = EngineWorker(await open_scripted(config), config, inbound, Clock())
    at = World(inbound, worker)
    repeat_on = (at.newcomer, at.turned)
    yield at, Offers(inbound, worker, Health(), lambda: at.is_open, repeat_on, NodeConfig(), PARAMS)


async def test_the_offer_is_repeated_once_for_several_peers_that_come(autojump_clock: MockClock) -> None:  # noqa: ARG001 - it makes time pass
    async with world() as (at, offers), trio.open_nursery() as nursery:
        nursery.start_soon(offers.run, lambda: at.addresses)
        assert await at.said() == (0, BOTH)
        for _ in range(3):
            at.newcomer.fire()
        assert await at.said() == (GREET_MS / 1000, BOTH)
        assert await at.said() == (PARAMS.offer_interval_ms / 1000, BOTH)
        nursery.cancel_scope.cancel()


async def test_a_pause_is_told_as_soon_as_it_holds(autojump_clock: MockClock) -> None:  # noqa: ARG001 - it makes time pass
    async with world() as (at, offers), trio.open_nursery() as nursery:
        nursery.start_soon(offers.run, lambda: at.addresses)
        assert await at.said() == (0, BOTH)
        at.is_open = False
        at.turned.fire()
        assert await at.said() == (GREET_MS / 1000, Role(0))
        nursery.cancel_scope.cancel()


async def test_what_changes_while_the_offer_is_being_said_is_not_missed(autojump_clock: MockClock) -> None:  # noqa: ARG001 - it makes time pass
    """Given an inbox that is full, so that the offer waits, when a role is withdrawn and a pause begins meanwhile,
    then the next offers say so, long before the renewal."""
    async with world() as (at, offers), trio.open_nursery() as nursery:
        for _ in range(INBOX_MAX):
            assert at.inbound.post(PeerChanged(Key(bytes(32)), True))
        nursery.start_soon(offers.run, lambda: at.addresses)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(FAILED_ROUNDS_MAX):
            at.worker.fitness.failed(Role.JUDGE, "ab" * 32, "why")
        assert await at.said() == (0, BOTH), "it was made before"
        assert await at.said() == (0, Role.ANSWER)
        at.is_open = False
        at.turned.fire()
        at_s, roles = await at.said()
        assert (at_s, roles) == (GREET_MS / 1000, Role(0))
        nursery.cancel_scope.cancel()


async def test_an_offer_has_the_addresses_of_its_time(autojump_clock: MockClock) -> None:  # noqa: ARG001 - it makes time pass
    """Given a network that becomes another, then peers are told soon if we know it, and else at the renewal."""
    async with world() as (at, offers), trio.open_nursery() as nursery:
        at.addresses = ("/ip4/192.168.1.5/tcp/4211", "/ip4/192.168.1.6/tcp/" + "1" * ADDRESS_BYTES_MAX)
        nursery.start_soon(offers.run, lambda: at.addresses)
        await at.said()
        assert at.offered == ("/ip4/192.168.1.5/tcp/4211",), "what no message can hold is left out"
        at.addresses = ("/ip4/10.0.0.5/tcp/4211",)
        at.turned.fire()
        assert (await at.said())[0] == GREET_MS / 1000
        assert at.offered == ("/ip4/10.0.0.5/tcp/4211",)
        at.addresses = ()
        assert (await at.said())[0] == PARAMS.offer_interval_ms / 1000
        assert at.offered == ()
        nursery.cancel_scope.cancel()
