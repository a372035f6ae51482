"""Rounds between hosts, over links that lose, delay and reorder, and across a partition: tests/soak/hosts.py, short."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.distance import far_apart
from tests.support.hosts import Link, why_not

NODES = 5

reason = why_not()


@pytest.mark.long
@pytest.mark.skipif(reason is not None, reason=reason or "")
async def test_rounds_decide_between_hosts_that_lose_packets_and_are_parted(tmp_path: Path) -> None:
    """Given a query whose asker and another are cut off from the others as it is sent, and one over links that lose a
    packet in five, then both end long before their budgets, and no two certificates disagree."""
    async with far_apart(tmp_path, NODES, Link(delay_ms=20, jitter_ms=5)) as far:
        await far.meet(NODES)
        await far.ask_while_parted("parted", asker=4, away={3, 4}, phase="", heal_s=2.0)
        await far.hosts.set_link(Link(delay_ms=200, jitter_ms=100, loss=0.2))
        await far.ask("far", asker=0)
        counts = await far.hosts.counts()
    lines = "\n".join(told.line() for told in far.told)
    assert far.complaints == [], lines
    assert [told.heard.outcome for told in far.told] == ["decided", "decided"], lines
    assert counts["lost"] and counts["parted"] and not counts["overrun"], counts
