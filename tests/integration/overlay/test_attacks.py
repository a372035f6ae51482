"""What one hostile host sends byte by byte: the node holds, in memory and in time, and stock libp2p does not.

`attacks.py stock|fixed [attack ...]` prints the figures. Attacks whose stock half only waits for a connection that
never closes run against ours alone; docs/explanation/libp2p.md has what stock did.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[3]
_PROGRAM = Path(__file__).with_name("attacks.py")
_TIME_LIMIT_S = 180
"""Attacks take two to twenty seconds on a quiet machine and are bounded by themselves."""
_GROWTH_MIB_MAX = 8.0
"""What the node may grow under one of these, the noise of its allocator included."""
_SHORT = (
    "come_and_go",
    "long_line",
    "half_open",
    "window_overrun",
    "unfinished_frames",
    "many_streams",
    "empty_frames",
)
"""Without those that wait for the deadline of a write: test_muxer.py has it on a clock of ours."""


def _run(variant: str, *attacks: str) -> dict[str, dict[str, Any]]:
    """The figures by attack."""
    ended = subprocess.run(
        [sys.executable, "-P", str(_PROGRAM), variant, *attacks],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=_TIME_LIMIT_S,
        check=False,
    )
    assert ended.returncode in (0, 3), ended.stderr
    return {figures["attack"]: figures for figures in map(json.loads, ended.stdout.splitlines())}


def test_the_node_holds_against_one_attack_after_another() -> None:
    told = _run("fixed", *_SHORT)
    assert list(told) == list(_SHORT)
    for figures in told.values():
        assert figures["held"], figures
        assert figures["growth_mib"] <= _GROWTH_MIB_MAX, figures


@pytest.mark.parametrize("attack", ["come_and_go", "long_line"])
def test_stock_libp2p_does_not(attack: str) -> None:
    figures = _run("stock", attack)[attack]
    assert not figures["held"], figures
