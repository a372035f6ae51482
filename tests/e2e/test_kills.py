"""Nodes killed, paused and ended at random moments of a round: the short version of tests/soak/kills.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.kills import play

SEED = 40
"""Three kills, of which one hits the asker, garbage from an engine, and a pause of two seconds."""


@pytest.mark.long
async def test_nodes_that_are_killed_break_no_rule(tmp_path: Path) -> None:
    """Given blows at any phase, then each round decides or names its degradation, and each node comes back as itself,
    signs no second message for a slot, none that is not in its journal, and keeps its certificates."""
    report = await play(tmp_path, nodes=4, blows=5, seed=SEED)
    assert report.complaints == [], "\n".join(report.lines())
    assert report.certified and report.messages and report.back_s
