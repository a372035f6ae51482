"""Ten processes for half an hour, asked all the time: `python -P -m tests.soak.swarm --minutes 30`.

Nodes are killed and paused at random, and a thousand strangers come and go. The exit code is 1 if a round ended without
a word, a stranger did not get in, or memory, objects or descriptors of the nodes that live throughout were not flat
between minutes 10 to 15 and the last five (of other lengths: the same shares).
"""

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

import structlog
import trio

from tests.support.churn import Plan, play


def main() -> int:
    """Play, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--strangers", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    chosen = parser.parse_args()
    # Guests are hosts of this process, and strangers' connections break now and then: their logs tell nothing.
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    plan = Plan(chosen.nodes, chosen.minutes * 60, chosen.strangers, seed=chosen.seed)
    print(plan, flush=True)
    with tempfile.TemporaryDirectory(prefix="strand-soak-") as folder:
        report = trio.run(play, plan, Path(folder), lambda line: print(line, flush=True))
    print(*report.lines(), sep="\n")
    return 1 if report.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
