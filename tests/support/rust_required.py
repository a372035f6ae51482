"""Whether tests that need a Rust compiler and a sandbox may be skipped: not where STRAND_REQUIRE_RUST is 1.

`.ci/run` sets it where both are found, so that no run passes because it tested nothing of them.
"""

import os
from typing import Final, NoReturn

import pytest

REQUIRED: Final = os.environ.get("STRAND_REQUIRE_RUST") == "1"


def skip_without_rust(reason: str) -> NoReturn:
    """Skip the test that is running, for want of a compiler or a sandbox; fail it where they are required."""
    if REQUIRED:
        pytest.fail(f"STRAND_REQUIRE_RUST is 1: {reason}", pytrace=False)
    pytest.skip(reason)


def needs_rust(lacks: str) -> pytest.MarkDecorator:
    """Mark tests that are skipped because of what this machine `lacks`; empty: nothing, or the tests must run."""
    return pytest.mark.skipif(bool(lacks) and not REQUIRED, reason=lacks)
