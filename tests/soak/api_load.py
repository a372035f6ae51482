"""Two hundred clients of one node, 5,000 rounds: `python -P -m tests.soak.api_load --clients 200 --rounds 5000`.

The exit code is 1 if a reply did not hold its own question's nonce, a refusal came while the queue had room, the turns
were used for less than 80 % of the time, or the memory of the asked node was not flat.
"""

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

import trio

from tests.support.api_load import Load, judge_figures, play


def main() -> int:
    """Play, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    whole = Load()
    parser.add_argument("--clients", type=int, default=whole.clients)
    parser.add_argument("--rounds", type=int, default=whole.rounds)
    parser.add_argument("--seed", type=int, default=whole.seed)
    chosen = parser.parse_args()
    load = Load(chosen.clients, chosen.rounds, chosen.seed)
    with tempfile.TemporaryDirectory(prefix="strand-soak-") as folder:
        report = trio.run(play, load, Path(folder), partial(print, flush=True))
    judge_figures(report)
    print(*report.lines(), sep="\n")
    return 1 if report.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
