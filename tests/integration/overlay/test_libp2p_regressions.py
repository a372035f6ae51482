"""Each fix of libp2p: the same scenario against the stock library, where it must fail, and against our overlay.

Stock is not a straw man but the reason for the fix: where a later libp2p passes a scenario, the fix can go.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_PROGRAM = Path(__file__).with_name("scenarios.py")
_TIME_LIMIT_S = 60
"""Scenarios take one to six seconds on a quiet machine and are bounded by themselves."""

_STOCK = {
    "malformed_protobuf": "DecodeError",
    "malformed_key": "DecodeError",
    "raising_handler": "RuntimeError: a bug in a handler",
    "cancelled_io": "",  # the connection breaks, in one of several ways
    "restart": "not held: the message did not arrive",
    "late_joiner": "",  # the mixed bytes rarely parse; where they do, messages are missing
    "port_in_use": "not held: two nodes share one port",
    "repeated_iwant": "not held: one message was sent",
}
"""By scenario, what is seen of stock libp2p."""


def _run(variant: str, scenario: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", str(_PROGRAM), variant, scenario],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=_TIME_LIMIT_S,
        check=False,
    )


@pytest.mark.parametrize("scenario", _STOCK)
def test_the_overlay_holds(scenario: str) -> None:
    ended = _run("fixed", scenario)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "held after" in ended.stdout


@pytest.mark.parametrize(("scenario", "seen"), _STOCK.items())
def test_stock_libp2p_does_not(scenario: str, seen: str) -> None:
    ended = _run("stock", scenario)
    assert ended.returncode != 0, ended.stdout
    assert seen in ended.stdout + ended.stderr
