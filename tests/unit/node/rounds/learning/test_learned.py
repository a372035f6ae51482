"""Rows of what a node learned: of every version that was written, and of one that this node does not know."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from structlog.testing import capture_logs

from consensus.learning.reputation import NodeStats
from node.rounds.learning.learned import (
    FORMATS,
    GOLD,
    PRIORS,
    STANDING,
    RowFormat,
    StoredPriors,
    row_of,
    sort_rows,
    value_of,
)
from node.rounds.learning.reputation import Reputation, open_reputation
from node.storage import DATABASE_NAME, Learned, Store
from tests.fixtures.learned.make import ANSWERS, BOOK, SPECIALTY, TRUST, reading
from tests.support.stores import opened
from tests.support.updates import key, told

FIXTURES = Path(__file__).parents[4] / "fixtures" / "learned"
VERSIONS = range(1, max(form.version for form in FORMATS.values()) + 1)
LATER = 99


def copy_fixture(folder: Path, version: int) -> None:
    with closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
        connection.executescript((FIXTURES / f"v{version}.sql").read_text(encoding="utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")


async def opened_reputation(store: Store) -> Reputation:
    return await open_reputation(store, BOOK, TRUST, SPECIALTY)


async def learn_one(reputation: Reputation) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reputation.run)
        reputation.finished(told(ANSWERS, nonce=b"3" * 32).certificate)
        await reputation.settled()
        nursery.cancel_scope.cancel()


def said_by(version: int) -> Any:
    """What a fixture says, in today's form."""
    said = msgspec.json.decode((FIXTURES / f"v{version}.json").read_bytes())

    def today(part: str, value: Any) -> Any:
        body = msgspec.json.encode({"version": version, **value})
        return msgspec.json.decode(msgspec.json.encode(value_of(Learned(part, b"", body))))

    said["insights"] = today(PRIORS, {"rounds": 0, "insights": said["insights"]})["insights"]
    said["standings"] = [[node, today(STANDING, stats)] for node, stats in said["standings"]]
    said["gold"] = [today(GOLD, each) for each in said["gold"]]
    return said


def version_in(row: Learned) -> Any:
    return msgspec.json.decode(row.body).get("version")


def test_every_version_has_its_fixture() -> None:
    """A part's new version comes with a store of it: `python -P -m tests.fixtures.learned.make v<n>`."""
    assert {path.name for path in FIXTURES.glob("v*.sql")} == {f"v{version}.sql" for version in VERSIONS}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_store_of_any_version_is_read_to_the_last_bit(tmp_path: Path, version: int) -> None:
    """See tests/fixtures/learned/make.py for what was learned; version 1's fixture is of before rows had one."""
    copy_fixture(tmp_path, version)
    expected = said_by(version)
    with capture_logs() as lines:
        async with opened(tmp_path) as store:
            before = {(row.part, row.name): version_in(row) for row in await store.learned(SPECIALTY)}
            assert version > 1 or set(before.values()) == {None}
            reputation = await opened_reputation(store)
            assert reading(reputation.experience) == expected
            await learn_one(reputation)
            after = {(row.part, row.name): version_in(row) for row in await store.learned(SPECIALTY)}
            assert len(after.keys() - before.keys()) == 1, "a gold round"
            written = {STANDING, GOLD, PRIORS}
            assert {part for (part, _), found in after.items() if found is not None} >= written
        async with opened(tmp_path) as store:
            assert reading((await opened_reputation(store)).experience) == reading(reputation.experience)
    assert not [line for line in lines if line["event"] == "learned.left_alone"]


async def test_rows_of_a_later_version_are_left_alone_with_one_line(tmp_path: Path) -> None:
    """They are not read, and not replaced by what this strand learns of the same node."""
    copy_fixture(tmp_path, 1)
    later = [
        Learned(STANDING, key("a"), b'{"version":%d,"trust":{"of":"another kind"}}' % LATER),
        Learned(PRIORS, b"", b'{"version":%d}' % LATER),
        Learned("findings", b"x", b'{"version":1}'),
        Learned(STANDING, key("b"), b'{"version":"two"}'),
    ]
    async with opened(tmp_path) as store:
        await store.put_learned(SPECIALTY, later)
    with capture_logs() as lines:
        async with opened(tmp_path) as store:
            reputation = await opened_reputation(store)
            assert not {key("a"), key("b")} & reputation.experience.standings.keys()
            assert key("c") in reputation.experience.standings and not reputation.experience.priors
            await learn_one(reputation)
            assert key("a") in reputation.experience.standings, "in this life it counts"
            rows = await store.learned(SPECIALTY)
            assert [row for row in later if row not in rows] == []
    (line,) = [line for line in lines if line["event"] == "learned.left_alone"]
    assert line["count"] == 4 and line["log_level"] == "warning"
    assert line["reason"] == "rows of another version: findings 1, insight 99, standing 0, standing 99"
    assert "install the strand that wrote them" in line["remedy"]


def test_an_earlier_strand_reads_what_is_written() -> None:
    """It knows no version and ignores the field, so that going back a release costs nothing."""
    stats = NodeStats(rounds=3, gold_rounds=1)
    assert msgspec.json.decode(row_of(STANDING, b"", stats).body, type=NodeStats) == stats
    priors = StoredPriors(7, {})
    assert msgspec.json.decode(row_of(PRIORS, b"", priors).body, type=StoredPriors) == priors


@dataclass(frozen=True)
class Renamed:
    """A standing of the test's second and third version."""

    seen: int
    weight: int


def test_steps_lead_from_any_version_to_the_present_one() -> None:
    def count(plain: dict[str, Any]) -> dict[str, Any]:
        return {"seen": plain["rounds"]}

    def weigh(plain: dict[str, Any]) -> dict[str, Any]:
        return {**plain, "weight": 2 * plain["seen"]}

    formats = {STANDING: RowFormat(Renamed, (count, weigh))}
    rows = [
        Learned(STANDING, b"0", b'{"rounds":1}'),
        Learned(STANDING, b"1", b'{"version":1,"rounds":2}'),
        Learned(STANDING, b"2", b'{"version":2,"seen":3}'),
        row_of(STANDING, b"3", Renamed(4, 5), formats),
    ]
    known = sort_rows(rows, formats).known[STANDING]
    assert [value_of(row, formats) for row in known.values()] == [
        Renamed(1, 2),
        Renamed(2, 4),
        Renamed(3, 6),
        Renamed(4, 5),
    ]
    assert version_in(rows[3]) == 3
