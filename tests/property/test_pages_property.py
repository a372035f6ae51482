"""Pages of asked rounds against a list that is sorted and filtered in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from node.storage import AskedRound, RoundCursor, RoundFilter, history
from tests.support.stores import opened, query

letters = st.text("aB%_\0\u00e9", max_size=6)
times_ms = st.integers(0, 6)
"""Few, so that many rounds were asked at one time."""

rounds = st.builds(
    AskedRound,
    query_id=st.integers(0, 1 << 256 - 1).map(query),
    asked_ms=times_ms,
    task=st.sampled_from(("code", "final")),
    gold=st.booleans(),
    outcome=st.sampled_from(("", "decided", "failed")),
    ending=st.just("finished"),
    text=letters,
    summary=st.binary(min_size=1, max_size=4),
    body=st.just(b"{}"),
)

filters = st.builds(
    RoundFilter,
    text=letters,
    task=st.sampled_from(("", "code", "final")),
    outcome=st.sampled_from(("", "decided")),
    since_ms=times_ms,
    until_ms=times_ms,
    gold=st.booleans(),
)


def wanted_of(rows: list[AskedRound], wanted: RoundFilter) -> list[bytes]:
    """What a reader of all rows would list."""
    found = [
        row
        for row in rows
        if wanted.text in row.text
        and wanted.task in ("", row.task)
        and wanted.outcome in ("", row.outcome)
        and wanted.since_ms <= row.asked_ms <= wanted.until_ms
        and (wanted.gold or not row.gold)
    ]
    return [row.summary for row in sorted(found, key=lambda row: (row.asked_ms, row.query_id), reverse=True)]


@settings(max_examples=60, deadline=None)
@given(st.lists(rounds, max_size=24, unique_by=lambda row: row.query_id), filters, st.integers(1, 5), st.integers(1, 7))
def test_all_pages_together_are_the_list(
    rows: list[AskedRound], wanted: RoundFilter, rows_max: int, scanned_max: int
) -> None:
    """However short the pages and the steps of a search are, nothing is listed twice, left out or out of order."""

    async def pages() -> list[bytes]:
        found: list[bytes] = []
        place: RoundCursor | None = None
        with tempfile.TemporaryDirectory() as folder:
            async with opened(Path(folder)) as store:
                for row in rows:
                    await store.put_asked(row)
                while page := await store.find_asked(wanted, place, rows_max):
                    assert len(page) <= rows_max
                    found += [summary for _, summary in page]
                    place = page[-1][0]
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(history, "SCANNED_MAX", scanned_max)
        assert trio.run(pages) == wanted_of(rows, wanted)
