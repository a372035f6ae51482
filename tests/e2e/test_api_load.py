"""Forty clients of one node at once, more than its queue holds. The whole load: `make test-soak SOAK=api_load`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.api_load import Load, play


@pytest.mark.long
async def test_each_of_many_clients_gets_its_own_answer(tmp_path: Path) -> None:
    """Every round is decided, every answer has its own question's nonce, and a refusal means that the queue is full."""
    report = await play(Load(clients=40, rounds=40), tmp_path)
    assert report.complaints == [], "\n".join(report.lines())
    assert report.completed == 40
    assert report.refusals > 0
