"""Runs an answer's library on inputs, examples and tests, and reads what the runner reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from hashlib import blake2b
from pathlib import Path
from typing import Final

from node.findings.compiling import HARNESS_PATH, HARNESS_RUNNER, LIBRARY
from node.findings.outcomes import Outcome, read_outcomes
from node.sandbox.ports import Command, Finished, Limits

_MIB: Final = 1024 * 1024

RUN_LIMITS: Final = Limits(
    cpu_s=50, wall_s=100, memory_bytes=1536 * _MIB, processes=64, file_bytes=_MIB, output_bytes=4 * _MIB
)
"""Limits of one run with all its inputs, examples and tests. Honest answers take .05 to .2 s of CPU."""

TRUSTED_LIMITS: Final = replace(RUN_LIMITS, wall_s=300)
"""Limits of a run of trusted tests, some of which compute for ten seconds."""

POOL_BYTES_MAX: Final = 64 * 1024
"""Bytes of the numbers and texts near which inputs are drawn."""

PADDING_BYTES: Final = (0, 1808)
"""Bytes of environment in the first and the second run: addresses differ between them even without randomised
layout."""


class Work(Enum):
    """Kinds of work of the runner.

    Its letter, and in milliseconds: CPU time of one child, rest that means a deadlock, CPU time of all children.
    """

    INPUTS = ("d", 500, 2_000, 6_000)
    SHOW_INPUTS = ("s", 500, 2_000, 6_000)
    EXAMPLES = ("e", 1_000, 4_000, 6_000)
    TESTS = ("t", 3_000, 10_000, 20_000)
    TRUSTED_TESTS = ("t", 20_000, 10_000, 40_000)
    """Tests of tasks whose right programs are known to pass."""


@dataclass(frozen=True, slots=True)
class Order:
    """One kind of work."""

    work: Work
    count: int


def run_command(
    harness: Path, files: Mapping[str, bytes], orders: Sequence[Order], *, seed: bytes, pool: str, second: bool
) -> Command:
    """Return the command of one run.

    Args:
        harness: Folder of the harness.
        files: `LIBRARY`, which `build_command` collected, and files that tests read.
        orders: The work, in this order.
        seed: The round's 32 bytes.
        pool: A line each, "i NUMBER" or "s TEXT".
        second: The second run, with another hash seed and other addresses.
    """
    drawn = blake2b(b"strand/inputs/1", key=seed, digest_size=8).digest()
    lines = []
    for order in orders:
        letter, one_ms, rest_ms, all_ms = order.work.value
        numbers = (ord(letter), order.count, int.from_bytes(drawn, "big"), 1 + second, one_ms, rest_ms, all_ms)
        lines.append(" ".join(map(str, numbers)))
    head = "\n".join(lines) + "\n\n"
    return Command(
        argv=(f"{HARNESS_PATH}/{HARNESS_RUNNER}", f"/w/{LIBRARY}"),
        files=files,
        executable=frozenset({LIBRARY}),
        stdin=head.encode() + pool.encode()[:POOL_BYTES_MAX],
        readable={HARNESS_PATH: harness},
        environment={"STRAND_PADDING": "x" * PADDING_BYTES[second]},
    )


def read_run(finished: Finished, orders: Sequence[Order]) -> dict[Work, tuple[Outcome, ...]]:
    """Return the outcomes of each kind of work; what a stopped runner did not report was not run."""
    outcomes = read_outcomes(finished.stdout, sum(order.count for order in orders))
    by_work = {}
    at = 0
    for order in orders:
        by_work[order.work] = outcomes[at : at + order.count]
        at += order.count
    return by_work
