"""Everything that takes too long for `make test`, one after the other: `make test-soak`, or some by name.

A line for each says whether it held, and how long it took; what it printed is in the folder of logs. Each is a program
of its own, `python -P -m tests.soak.NAME --help`, with lengths that its arguments change. The exit code is 1 if one did
not hold.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support.rust_data import SKIPPED

MINUTES_MAX = {
    "properties": 60,
    "connections": 10,
    "junk": 5,
    "schemathesis": 10,
    "api_load": 90,
    "query_flood": 30,
    "hosts": 30,
    "kills": 40,
    "gold_mutants": 60,
    "rust_scorer": 60,
    "sandbox_attacks": 20,
    "rust_choice": 180,
    "swarm": 40,
    "safety": 120,
}
"""Soaks in the order in which they run, and minutes after which each is ended, as not held: twice what they take, or
more, on two cores that have nothing else to do."""

LINES_TOLD = 20
"""of the end of what a soak printed that did not hold"""


def run(name: str, log: Path) -> bool:
    """Run one; whether it held."""
    print(f"{name} ... ", end="", flush=True)
    began_s = time.monotonic()
    with log.open("wb") as file:
        # A group of its own: what it started ends with it.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"tests.soak.{name}"], stdout=file, stderr=file, start_new_session=True
        )
        try:
            code = process.wait(MINUTES_MAX[name] * 60)
            word = {0: "held", SKIPPED: "skipped"}.get(code, f"DID NOT HOLD ({code})")
        except subprocess.TimeoutExpired:
            word = f"DID NOT END in {MINUTES_MAX[name]} min"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
    print(f"{word}, {time.monotonic() - began_s:.0f} s, {log}", flush=True)
    if word != "held":
        print(*log.read_text(errors="replace").splitlines()[-LINES_TOLD:], sep="\n", flush=True)
    return word in ("held", "skipped")


def main() -> int:
    """Run all, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MINUTES_MAX)}; none: all")
    parser.add_argument("--logs", type=Path, default=Path("soak-logs"))
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - MINUTES_MAX.keys():
        parser.error(f"no test {', '.join(sorted(unknown))}; there are {', '.join(MINUTES_MAX)}")
    chosen.logs.mkdir(exist_ok=True)
    held = [run(name, chosen.logs / f"{name}.log") for name in chosen.names or MINUTES_MAX]
    return int(not all(held))


if __name__ == "__main__":
    sys.exit(main())
