"""Our standing offer: made when the engine replies, renewed in time, repeated for new peers, withdrawn on failure."""

from collections.abc import Callable, Sequence

import structlog
import trio

from node.config import NodeConfig
from node.inference import EngineInfo
from node.inference.status import ServerStatus
from node.rounds.inbound import InboundRouter, Offering
from node.signals import Signal
from node.storage import Health
from node.work.node_tester import NodeTesterState
from node.work.worker import EngineWorker
from protocol.limits import ADDRESS_BYTES_MAX, ADDRESSES_MAX, COUNT_MAX, NAME_BYTES_MAX
from protocol.messages import Offer
from protocol.params import NetworkParams
from protocol.types import Key, Role

PROBE_RETRY_MS = 2_000
"""Milliseconds between probes of an engine that does not reply: soon enough after its start, rare enough for its log.
"""

GREET_MS = 300
"""Milliseconds to collect several changes, such as new peers, before we repeat our offer for all of them."""

TOOLS_S_MAX = 60.0
"""Seconds that the first offer waits for the sandbox's trial and the harness: two on a quiet machine, some ten the
first time. After them it is made without, and repeated later."""

Addresses = Callable[[], tuple[str, ...]]
"""Function that returns where peers may dial this node; called at each offer, because the machine's network may change.
"""

log = structlog.get_logger()


class Offers:
    """Publishes what this node can do, and keeps it current."""

    def __init__(
        self,
        inbound: InboundRouter,
        worker: EngineWorker,
        disk: Health,
        is_open: Callable[[], bool],
        repeat_on: Sequence[Signal],
        config: NodeConfig,
        params: NetworkParams,
    ) -> None:
        """Build the publisher of our offer.

        Args:
            inbound: queues offers for the driver.
            worker: probes the engine.
            disk: while it is blocked, the node offers nothing.
            is_open: whether the node works for others now; if not, the offer has no role.
            repeat_on: signals that call for a repetition: a peer without our offer, a change of
                `is_open`, other addresses, or other tool versions.
            config: names shard and specialty.
            params: gives the interval of renewal.
        """
        self._inbound = inbound
        self._worker = worker
        self._disk = disk
        self._is_open = is_open
        self._repeat_on = repeat_on
        self._config = config
        self._params = params

    async def run(self, addresses: Addresses) -> None:
        """Offer until cancelled. Probe the engine before each renewal, but not while it works on a round."""
        server = self._worker.engine.server
        await self._know_tools()
        while True:
            info = self._worker.info
            if info is None or not self._worker.queue:
                info = await self._worker.probe()
            if self._disk.blocked:
                await self._say(None, addresses)
                await self._disk.wait(blocked=False)
                continue
            withdrawn = self._worker.fitness.withdrawn
            seen = {signal: signal.count for signal in (*self._repeat_on, withdrawn)}
            await self._say(info, addresses)
            if info is not None:
                await self._stand(info, addresses, server, seen)
            elif server is None or server.ready:
                await trio.sleep(PROBE_RETRY_MS / 1000)
            else:
                await server.wait_ready()

    async def _know_tools(self) -> None:
        """Wait until it is known whether this node can test, so that its first offer says it; rounds seat by offers."""
        node_tester = self._worker.round_tester.node_tester
        with trio.move_on_after(TOOLS_S_MAX):
            await node_tester.changed.wait_until(lambda: node_tester.state is not NodeTesterState.OPENING)

    async def _stand(
        self, info: EngineInfo, addresses: Addresses, server: ServerStatus | None, seen: dict[Signal, int]
    ) -> None:
        """Repeat the offer until its renewal or withdrawal is due.

        `seen`: the signals' counts before the offer was made.
        """
        with trio.move_on_after(self._params.offer_interval_ms / 1000):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._end_when_blocked, nursery.cancel_scope)
                nursery.start_soon(self._end_when_unfit, nursery.cancel_scope, seen)
                if server is not None:
                    nursery.start_soon(self._withdraw, server, nursery.cancel_scope)
                for signal in self._repeat_on:
                    nursery.start_soon(self._repeat, signal, seen[signal], info, addresses)

    async def _end_when_blocked(self, renewal: trio.CancelScope) -> None:
        """End the offer when the disk blocks: nobody may count on a node that cannot keep what it signs."""
        await self._disk.wait(blocked=True)
        renewal.cancel()

    async def _end_when_unfit(self, renewal: trio.CancelScope, seen: dict[Signal, int]) -> None:
        """End the offer when a role is withdrawn because the engine failed in it round after round."""
        withdrawn = self._worker.fitness.withdrawn
        await withdrawn.wait(seen[withdrawn])
        renewal.cancel()

    async def _withdraw(self, server: ServerStatus, renewal: trio.CancelScope) -> None:
        """End the offer when our own server ends, so that nobody counts on it until the next probe."""
        await server.wait_until(lambda: not server.ready)
        self._worker.lose_engine()
        renewal.cancel()

    async def _repeat(self, signal: Signal, seen: int, info: EngineInfo, addresses: Addresses) -> None:
        while True:
            await signal.wait(seen)
            await trio.sleep(GREET_MS / 1000)
            seen = signal.count
            await self._say(info, addresses)

    async def _say(self, info: EngineInfo | None, addresses: Addresses) -> None:
        await self._inbound.deliver(Offering(self._offer(info, addresses), self._config.node.shard))

    def _offer(self, info: EngineInfo | None, addresses: Addresses) -> Offer:
        fitting = tuple(address for address in addresses() if len(address.encode()) <= ADDRESS_BYTES_MAX)
        return Offer(
            author=Key(bytes(32)),
            sequence=0,
            sent_at_ms=0,
            roles=self._worker.fitness.roles(info) if self._is_open() else Role(0),
            specialties=(self._config.node.specialty,),
            model="" if info is None else _clip(info.model),
            context_tokens=0 if info is None else min(info.context_tokens, COUNT_MAX),
            milli_tokens_per_second=0 if info is None else min(round(info.tokens_per_second * 1000), COUNT_MAX),
            queue=self._worker.queue,
            tool_versions=self._worker.round_tester.tool_versions,
            addresses=fitting[:ADDRESSES_MAX],
        )


def _clip(name: str) -> str:
    """Return the end of a model's name, within the wire's limit; the end says more than the folder."""
    return name.encode()[-NAME_BYTES_MAX:].decode(errors="ignore")
