"""A swarm of node processes as one value."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import trio

from node.client import Client, connect
from node.inference import EngineConfig
from node.local.nodes import NODES_MAX, START_S, Child, NodeSpec, start_node, start_swarm

SCRIPTED: Final = EngineConfig(kind="scripted")
"""An engine without a model, which replies at once."""


class LocalSwarm:
    """Running nodes; the others joined through the first."""

    def __init__(self, specs: Sequence[NodeSpec], nodes: list[Child], stack: AsyncExitStack) -> None:
        """Wrap running nodes. `stack`: stops them, and those that are restarted."""
        self.nodes = nodes
        self._specs = specs
        self._stack = stack

    def connect(self, node: int = 0) -> AbstractAsyncContextManager[Client]:
        """Return a client of one node."""
        return connect(self.nodes[node].url)

    async def meet(self) -> None:
        """Wait until every node has the offers of all others. Raises TimedOutError after START_S."""
        async with trio.open_nursery() as nursery:
            for node in range(len(self.nodes)):
                nursery.start_soon(self.wait_known, node)

    async def wait_known(self, node: int) -> None:
        """Wait until one node has the offers of all others. Raises TimedOutError after START_S."""
        async with self.connect(node) as client:
            await client.wait_offers(len(self._specs), START_S)

    async def kill(self, node: int) -> None:
        """End a node by SIGKILL, whatever it is doing."""
        self.nodes[node].process.kill()
        await self.nodes[node].process.wait()

    async def restart(self, node: int) -> None:
        """Restart a node that has ended, with the contents of its folder. Raises LocalNodeError."""
        # Its address is new, so no node can find it, and the first peer it knew may be down as well.
        known = tuple(each.addresses[0] for number, each in enumerate(self.nodes) if number != node)
        self.nodes[node] = await start_node(replace(self._specs[node], bootstrap=known), self._stack)


@asynccontextmanager
async def open_swarm(specs: Sequence[NodeSpec]) -> AsyncIterator[LocalSwarm]:
    """Start a node for each spec, and stop them at the end; they may not know each other yet (`meet`).

    Raises LocalNodeError if one does not start, UnwritableError for a folder.
    """
    async with AsyncExitStack() as stack:
        yield LocalSwarm(specs, await start_swarm(specs, stack), stack)


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
