"""Requests made up from the OpenAPI document of a node: `python -P -m tests.soak.schemathesis --cases 2000`.

They go to one of three nodes with scripted engines, so that questions that fit are asked for real. The exit code is 1
if a reply was a 5xx (but a documented 502, 503 or 504), had a status or a type that the document does not know, did not
fit its schema, or accepted what does not fit.
"""

import argparse
import sys
import tempfile
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import trio

from node.client import connect
from node.inference import EngineConfig
from node.local.nodes import NodeSpec
from node.local.swarm import open_swarm
from tests.support.contract import Explored, explore

NODES = 3


async def play(folder: Path, cases: int, seed: int) -> Explored:
    """Start the nodes, and explore one."""
    specs = [NodeSpec(folder / str(number), EngineConfig(kind="scripted")) for number in range(NODES)]
    async with AsyncExitStack() as stack:
        asked = (await stack.enter_async_context(open_swarm(specs))).nodes[0]
        async with connect(asked.url) as client:
            await client.wait_offers(NODES, 60.0)
        return await trio.to_thread.run_sync(partial(explore, asked.url, cases, seed))


def main() -> int:
    """Play, and print what came back."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="strand-soak-") as folder:
        explored = trio.run(play, Path(folder), chosen.cases, chosen.seed)
    print(*explored.lines(), sep="\n")
    return 1 if explored.faults else 0


if __name__ == "__main__":
    sys.exit(main())
