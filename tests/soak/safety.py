"""The safety of many seeds: `make test-soak`, or `python -P -m tests.soak.safety --seeds 5000 --jobs 2`.

Each seed is simulated in three worlds: of honest nodes, of dishonest ones, of honest ones that restart. The exit code
is 1 if a rule broke, or if too few rounds had an outcome by their deadline; what failed is printed with the command
that repeats it.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.simulation.test_safety import OUTCOMES_MIN
from tests.simulation.worlds import dishonest, hostile, restarting, simulate

WORLDS = (hostile, dishonest, restarting)

CHUNK = 5
"""seeds that a process takes at a time: a few seconds of work."""


def examine(seed: int) -> tuple[list[str], list[str]]:
    """What was found in a seed's worlds: complaints of safety, and of liveness."""
    worlds = [simulate(kind(seed)) for kind in WORLDS]
    unsafe = [world.complaint for world in worlds if world.checkers.violations]
    return unsafe, [world.complaint for world in worlds if world.checkers.late]


def main() -> int:
    """Examine all seeds; a line on stderr shows how far it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5_000)
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    chosen = parser.parse_args()
    unsafe = late = 0
    with ProcessPoolExecutor(chosen.jobs, get_context("spawn")) as pool:
        found = pool.map(examine, range(chosen.first, chosen.first + chosen.seeds), chunksize=CHUNK)
        for done, (of_safety, of_liveness) in enumerate(found, 1):
            unsafe, late = unsafe + len(of_safety), late + len(of_liveness)
            for complaint in (*of_safety, *of_liveness):
                print(f"\r{complaint}", flush=True)
            progress = f"\r{done:,} of {chosen.seeds:,} seeds, {unsafe} worlds unsafe, {late} without an outcome"
            print(progress, end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return 1 if unsafe or late > (1 - OUTCOMES_MIN) * len(WORLDS) * chosen.seeds else 0


if __name__ == "__main__":
    sys.exit(main())
