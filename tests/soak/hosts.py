"""Ten nodes on ten hosts, far apart: `python -P -m tests.soak.hosts`, some ten minutes, as root.

Links lose 20 % of all packets and take 200 ms, 100 more or less, one way, so that packets overtake each other. Rounds
are asked under these, then while four hosts are cut off: in a running round, just before a query, from either side.
The exit code is 1 if a round has no outcome, waits for a budget, or has certificates that disagree.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import trio

from tests.support.distance import Far, far_apart
from tests.support.hosts import Link, why_not

CALM = Link(delay_ms=20, jitter_ms=5)

CASES = (("", 3.0), ("judging", 15.0), ("", 15.0), ("answering", 15.0), ("cosigning", 15.0), ("opening", 15.0))
"""The phase with which four hosts in ten are cut off, or just before the query, and for how many seconds."""


async def play(nodes: int, rounds: int, seed: int, bad: Link, folder: Path) -> list[str]:
    """All cases, one after the other; what must not be."""

    def say(line: str) -> None:
        print(f"{trio.current_time() - began:6.1f} {line}", flush=True)

    began = trio.current_time()
    async with far_apart(folder, nodes, bad, seed) as far:
        say(f"{nodes} nodes are up")
        say(f"all know each other {await far.meet(nodes):.1f} s later; peers connected {await far.connected()}")
        for number in range(rounds):
            say((await far.ask(f"Far {number}", 3 * number % nodes)).line())
        for name, link in (("calm", CALM), ("far", bad)):
            await far.hosts.set_link(link)
            await _part(far, name, say)
        say(f"packets {await far.hosts.counts()}")
        return far.complaints


async def _part(far: Far, link: str, say: Callable[[str], None]) -> None:
    """Each case has an asker of its own: who was silent in one's rounds sits out of one's next."""
    nodes = len(far.hosts)
    away = range(nodes - nodes * 2 // 5, nodes)
    for side, askers in (("majority", range(away.start)), ("minority", away)):
        for asker, (phase, heal_s) in zip(askers, CASES, strict=False):
            when = f"in {phase}" if phase else "before"
            case = f"{link}, parted {when} for {heal_s:.0f} s, asked in the {side}"
            say(f"{await far.meet(nodes):.1f} s until all know each other; connected {await far.connected()}")
            say((await far.ask_while_parted(case, asker, away, phase, heal_s)).line())
    say(f"{await far.meet(nodes):.1f} s until all know each other; connected {await far.connected()}")
    say((await far.ask(f"{link}, healed", 0)).line())


def main() -> int:
    """Play, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--delay-ms", type=float, default=200)
    parser.add_argument("--jitter-ms", type=float, default=100)
    parser.add_argument("--loss", type=float, default=0.2)
    chosen = parser.parse_args()
    if (reason := why_not()) is not None:
        print(f"skipped: {reason}")
        return 0
    bad = Link(chosen.delay_ms, chosen.jitter_ms, chosen.loss)
    with tempfile.TemporaryDirectory(prefix="strand-hosts-") as folder:
        complaints = trio.run(play, chosen.nodes, chosen.rounds, chosen.seed, bad, Path(folder))
    print(*(f"COMPLAINT: {each}" for each in complaints), sep="\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
