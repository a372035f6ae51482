"""A swarm of node processes as one value."""

import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import trio

from consensus.rounds.backoff import Backoff, Restarts
from node.client import Client, connect
from node.inference import EngineConfig
from node.local.nodes import (
    NODES_MAX,
    START_S,
    Child,
    LocalNodeError,
    NodeSpec,
    end_node,
    last_words,
    launch,
)

SCRIPTED: Final = EngineConfig(kind="scripted")
"""An engine without a model, which replies at once."""

RESTART_PAUSES_S: Final = Backoff(1.0, 60.0)
"""Seconds before a node that ended is started again; the longest is short beside what a model takes to load."""

STABLE_S: Final = 60.0
"""Seconds after which a node's end is no longer one in a row of failures."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a node that nobody asked for."""

    name: str
    why: str
    pause_s: float
    """Seconds until it is started again."""


TakesCount = Callable[[int], None]
"""Is told how many nodes have come to a state, each time that one more has."""


def _ignore(_: int) -> None:
    """Take a count that nobody wants."""


class LocalSwarm:
    """Running nodes; the others joined through the first."""

    def __init__(self, specs: Sequence[NodeSpec]) -> None:
        """Describe a swarm; `open_swarm` starts and stops it."""
        self.nodes: list[Child] = []
        """The nodes in the order of their specs."""
        self._specs = specs
        self._started: dict[int, Child] = {}

    def connect(self, node: int = 0) -> AbstractAsyncContextManager[Client]:
        """Return a client of one node."""
        return connect(self.nodes[node].url, self.nodes[node].token)

    async def reached(self) -> dict[str, Any]:
        """Return how programs reach the swarm, by its first node, as plain values. Raises ClientError."""
        async with self.connect() as client:
            link = await client.ui_link()
        first = self.nodes[0]
        return {
            "api": first.url,
            "openai": f"{first.url}/v1",
            "token": first.token or None,
            "ui": link.url,
            "nodes": [{"url": node.url, "key": node.key, "address": node.addresses[0]} for node in self.nodes],
        }

    async def meet(self, on_known: TakesCount = _ignore) -> None:
        """Wait until every node has the offers of all others. Raises TimedOutError after START_S."""
        known = 0

        async def wait(node: int) -> None:
            nonlocal known
            await self.wait_known(node)
            known += 1
            on_known(known)

        async with trio.open_nursery() as nursery:
            for node in range(len(self.nodes)):
                nursery.start_soon(wait, node)

    async def wait_known(self, node: int) -> None:
        """Wait until one node has the offers of all others. Raises TimedOutError after START_S."""
        async with self.connect(node) as client:
            await client.wait_offers(len(self._specs), START_S)

    async def kill(self, node: int) -> None:
        """End a node by SIGKILL, whatever it is doing."""
        self.nodes[node].process.kill()
        await self.nodes[node].process.wait()

    async def restart(self, node: int, *, same_url: bool = False) -> None:
        """Restart a node that has ended, with the contents of its folder. Raises LocalNodeError.

        `same_url`: where its HTTP interface was, also if its port was any that was free.
        """
        # Its address is new, so no node can find it, and the first peer it knew may be down as well.
        known = tuple(each.addresses[0] for number, each in enumerate(self.nodes) if number != node)
        ended, spec = self.nodes[node], replace(self._specs[node], bootstrap=known)
        await end_node(ended)
        if same_url:
            spec = replace(spec, settings={**spec.settings, "api.bind": ended.url.removeprefix("http://")})
        self.nodes[node] = self._started[node] = await launch(spec)

    async def watch(self, on_end: Callable[[Ended], None]) -> None:
        """Start nodes again that end, after growing pauses, until cancelled; `on_end` is told of each end."""
        async with trio.open_nursery() as nursery:
            for node in range(len(self.nodes)):
                nursery.start_soon(self._watch, node, on_end)

    async def _watch(self, node: int, on_end: Callable[[Ended], None]) -> None:
        restarts, began_s = Restarts(RESTART_PAUSES_S, STABLE_S), trio.current_time()
        while True:
            code = await self.nodes[node].process.wait()
            why = f"signal {-code}" if code < 0 else f"code {code}: {last_words(self.nodes[node].log)}"
            pause_s = restarts.ended(trio.current_time() - began_s)
            while True:
                on_end(Ended(self._specs[node].name, why, pause_s))
                await trio.sleep(pause_s)
                began_s = trio.current_time()
                try:
                    await self.restart(node, same_url=True)
                    break
                except LocalNodeError as error:
                    why, pause_s = str(error), restarts.ended(0.0)

    async def start(self, on_ready: TakesCount = _ignore) -> None:
        """Start the first node alone, then the others, which find each other through it. Raises LocalNodeError."""
        await self._start(0, self._specs[0], on_ready)
        async with trio.open_nursery() as nursery:
            for index, spec in enumerate(self._specs[1:], 1):
                joining = replace(spec, bootstrap=self._started[0].addresses[:1])
                nursery.start_soon(self._start, index, joining, on_ready)
        self.nodes = [self._started[index] for index in range(len(self._specs))]

    async def finish(self, within_s: float) -> None:
        """Ask all nodes to finish what they hold, and wait until they have ended, at most this many seconds."""
        for child in self._started.values():
            child.process.send_signal(signal.SIGTERM)
        with trio.move_on_after(within_s):
            for child in self._started.values():
                await child.process.wait()

    async def stop(self) -> None:
        """End all nodes at once, in order; those that take more than STOP_S are killed."""
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                for child in self._started.values():
                    nursery.start_soon(end_node, child)

    async def _start(self, index: int, spec: NodeSpec, on_ready: TakesCount) -> None:
        self._started[index] = await launch(spec)
        on_ready(len(self._started))


@asynccontextmanager
async def open_swarm(specs: Sequence[NodeSpec], on_ready: TakesCount = _ignore) -> AsyncIterator[LocalSwarm]:
    """Start a node for each spec, and stop them at the end; they may not know each other yet (`meet`).

    `on_ready`: is told how many nodes are ready. Raises LocalNodeError if one does not start, UnwritableError for a
    folder.
    """
    swarm = LocalSwarm(specs)
    try:
        await swarm.start(on_ready)
        yield swarm
    finally:
        await swarm.stop()


@asynccontextmanager
async def local_swarm(
    nodes: int = 5, *, engine: EngineConfig = SCRIPTED, folder: Path | None = None
) -> AsyncIterator[LocalSwarm]:
    """Start `nodes` equal nodes, at most NODES_MAX, wait until all know each other, and stop them at the end.

    `folder` gets a folder for each node, with its key, store and log; None: a temporary one, removed at the end. Raises
    ValueError, LocalNodeError, TimedOutError or OSError.
    """
    if not 1 <= nodes <= NODES_MAX:
        raise ValueError(f"a local swarm has 1 to {NODES_MAX} nodes, not {nodes}")
    async with AsyncExitStack() as stack:
        home = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="strand-swarm-")))
        specs = [NodeSpec(home / f"node-{number}", engine, seed=number) for number in range(nodes)]
        swarm = await stack.enter_async_context(open_swarm(specs))
        await swarm.meet()
        yield swarm
