"""A hundred blows at a swarm of five processes: `python -P -m tests.soak.kills --blows 100 --seed 1`, some ten minutes.

The exit code is 1 if a round ended without a word, a node came back as somebody else, a certificate was lost, or
anybody signed two messages for one slot or one that is not in its journal.
"""

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import trio

from tests.support.kills import play


def main() -> int:
    """Play, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blows", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=60.0, help="begin no round after that")
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)

    def tell(done: int) -> None:
        print(f"\r{done} of {chosen.blows} blows", end="", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="strand-kills-") as folder:
        played = partial(
            play,
            Path(folder),
            nodes=chosen.nodes,
            blows=chosen.blows,
            seed=chosen.seed,
            seconds_max=chosen.minutes * 60,
            tell=tell,
        )
        report = trio.run(played)
    print(file=sys.stderr)
    print(*report.lines(), sep="\n")
    return 1 if report.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
