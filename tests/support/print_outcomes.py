"""Prints the outcome digests of programs as JSON: `python -m tests.support.print_outcomes CACHE < PROGRAMS`."""

import json
import sys
from pathlib import Path

import trio

from node.findings.tester import RustTester
from protocol.types import FindingKind
from tests.support.assignments import assignment
from tests.support.rust_sandbox import open_rust_sandbox


async def main() -> None:
    """Test each program alone, so that none is compared with another."""
    tester = RustTester(await open_rust_sandbox(Path(sys.argv[1])))
    programs = json.load(sys.stdin)
    outcomes = {}
    for name, program in programs.items():
        (found,) = await tester.test(assignment("Write `f`.", [program], kinds=FindingKind.BEHAVIOUR))
        outcomes[name] = found.outcomes.hex()
    json.dump(outcomes, sys.stdout)


if __name__ == "__main__":
    trio.run(main)
