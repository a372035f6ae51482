"""Swarms of real nodes on this machine, over libp2p on loopback: for the demo, tests, evaluation and notebooks.

    async with local_swarm(3) as swarm, swarm.connect() as client:
        followed = await follow(client, Question.single("Sum a slice."))

Nodes are only processes here: the package imports neither the daemon nor the command line.
"""

from node.local.nodes import Child, LocalNodeError, NodeSpec, StartTimeoutError, start_node
from node.local.swarm import Ended, LocalSwarm, local_swarm, open_swarm

__all__ = [
    "Child",
    "Ended",
    "LocalNodeError",
    "LocalSwarm",
    "NodeSpec",
    "StartTimeoutError",
    "local_swarm",
    "open_swarm",
    "start_node",
]
