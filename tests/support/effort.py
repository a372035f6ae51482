"""How much a test tries: `make test-fast` tries less, `make test` what finds most, `make test-soak` all night.

A test that draws or enumerates cases says its numbers with `cases`. Each run is as strict as any other with each case.
"""

import os
from enum import StrEnum
from typing import Final


class Effort(StrEnum):
    """What STRAND_TEST_EFFORT may say."""

    FAST = "fast"
    FULL = "full"
    SOAK = "soak"


EFFORT: Final = Effort(os.environ.get("STRAND_TEST_EFFORT", Effort.FULL))
"""of this run; `make test` when nothing is said"""


def cases(full: int, *, fast: int | None = None, soak: int | None = None) -> int:
    """How many cases to try in this run; where no other number is given, as many as in a full one."""
    by_effort = {Effort.FAST: fast, Effort.SOAK: soak}
    return by_effort.get(EFFORT) or full
