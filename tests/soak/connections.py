"""Strangers that come and go: `python -P -m tests.soak.connections --reconnects 1000`.

A node in a process of its own is visited by fresh keys, one after another, each of which connects, pings and leaves.
Every visitor must get in; the node's memory and descriptors must be flat. Prints the figures; the exit code is 1 if
they are not.
"""

import argparse
import logging
import sys
from pathlib import Path

import trio

from tests.integration.overlay.attacks import NotHeldError, Victim, probe, victim

GROWTH_MIB_MAX = 5.0
"""Between the visits that warm the node up, a fifth of all, and the last."""


def descriptors(node: Victim) -> int:
    return len(list(Path(f"/proc/{node.process.pid}/fd").iterdir()))


async def visit(reconnects: int) -> int:
    """Visit a node so often; the exit code."""
    async with victim("fixed") as node:
        warm_mib, warm_files = 0.0, 0
        for number in range(reconnects):
            if number == reconnects // 5:
                warm_mib, warm_files = node.rss_mib(), descriptors(node)
            try:
                await probe(node, 2 + number)
            except NotHeldError as fault:
                print(f"visitor {number}: {fault}")
                return 1
            if (number + 1) % 100 == 0:
                print(f"{number + 1} visits, {node.rss_mib():.1f} MiB, {descriptors(node)} descriptors", flush=True)
        grown, opened = node.rss_mib() - warm_mib, descriptors(node) - warm_files
    print(f"after {reconnects} visits: {grown:+.1f} MiB and {opened:+d} descriptors since visit {reconnects // 5}")
    return int(grown > GROWTH_MIB_MAX or opened > 4)


def main() -> int:
    """Run with the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reconnects", type=int, default=1_000)
    logging.disable(logging.CRITICAL)
    return trio.run(visit, parser.parse_args().reconnects)


if __name__ == "__main__":
    sys.exit(main())
