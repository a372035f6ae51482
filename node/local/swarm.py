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
"""An engine without a model, which answers at once."""


class LocalSwarm:
    """Running nodes, the first of which the others joined through."""

    def __init__(self, specs: Sequence[NodeSpec], nodes: list[Child], stack: AsyncExitStack) -> None:
        """`stack`: stops them, and those that are started again."""
        self.nodes = nodes
        self._specs = specs
        self._stack = stack

    def connect(self, node: int = 0) -> AbstractAsyncContextManager[Client]:
        """A client of one of the nodes."""
        return connect(self.nodes[node].url)

    async def meet(self) -> None:
        """Wait until every node knows what all others offer. Raises TimedOutError after START_S."""
        async with trio.open_nursery() as nursery:
            for node in range(len(self.nodes)):
                nursery.start_soon(self.wait_known, node)

    async def wait_known(self, node: int) -> None:
        """Wait until one node knows what all others offer. Raises TimedOutError after START_S."""
        async with self.connect(node) as client:
            await client.wait_offers(len(self._specs), START_S)

    async def kill(self, node: int) -> None:
        """End a node by SIGKILL, in the midst of whatever it does."""
        self.nodes[node].process.kill()
        await self.nodes[node].process.wait()

    async def restart(self, node: int) -> None:
        """Start a node that has ended again, with what its folder holds. Raises LocalNodeError."""
        # Its address is new, so nobody can find it, and whom it knew first may be down as well.
        known = tuple(each.addresses[0] for number, each in enumerate(self.nodes) if number != node)
        self.nodes[node] = await start_node(replace(self._specs[node], bootstrap=known), self._stack)


@asynccontextmanager
async def open_swarm(specs: Sequence[NodeSpec]) -> AsyncIterator[LocalSwarm]:
    """Start a node for each spec, and stop them at the end; they may not all know each other yet (`meet`).

    Raises LocalNodeError if one does not start, UnwritableError for a folder.
    """
    async with AsyncExitStack() as stack:
        yield LocalSwarm(specs, await start_swarm(specs, stack), stack)


@asynccontextmanager
async def local_swarm(
    nodes: int = 5, *, engine: EngineConfig = SCRIPTED, folder: Path | None = None
) -> AsyncIterator[LocalSwarm]:
    """Start so many equal nodes, at most NODES_MAX, and wait until all know each other; stop them at the end.

    `folder` gets a folder for each node, with its key, store and log; None: a temporary one, removed at the end.
    Raises ValueError, LocalNodeError, TimedOutError or OSError.
    """
    if not 1 <= nodes <= NODES_MAX:
        raise ValueError(f"a local swarm has 1 to {NODES_MAX} nodes, not {nodes}")
    async with AsyncExitStack() as stack:
        home = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="strand-swarm-")))
        specs = [NodeSpec(home / f"node-{number}", engine, seed=number) for number in range(nodes)]
        swarm = await stack.enter_async_context(open_swarm(specs))
        await swarm.meet()
        yield swarm
