"""`strand ask` over a node in memory: its files, and what it says when something is in the way."""

import json
import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from node.api.events import Asked, Certified, Ended
from node.cli.ask import command
from node.cli.main import run
from node.cli.parts.options import Source
from node.client import Client
from protocol.types import Outcome
from tests.support.processes import assert_refusal_line
from tests.support.shown import KEY, QUERY, KeptHistory, TellingRounds, http_client, shown
from tests.support.updates import told

ID = QUERY.hex()


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """The command changes its process's."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> TellingRounds:
    """The rounds of the node that `strand ask` asks."""
    events = (
        Asked(query_id=ID, members=(KEY,)),
        Certified(outcome=Outcome.DECIDED, bytes=3, at_ms=90),
        Ended(role="requester", ending="finished", outcome=None, fault=None, at_ms=95),
    )
    rounds = TellingRounds(events)
    held = {QUERY: told({"a": "A", "b": "A", "c": "B"}).certificate}

    @asynccontextmanager
    async def client_of(_: Source, __: str | None) -> AsyncIterator[Client]:
        async with http_client(shown(rounds=rounds, history=KeptHistory(held=held))) as http:
            yield Client(http, "the node")

    monkeypatch.setattr(command, "open_client", client_of)
    return rounds


@pytest.mark.parametrize("out", [".", "", "..", "folder", "file/one.strand", "/proc/one.strand"])
def test_where_nothing_can_be_written_nothing_is_asked(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    rounds: TellingRounds,
    out: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()
    assert run(["ask", "x", "--out", out]) == 1
    assert_refusal_line(capsys.readouterr().err, f"cannot write {Path(out)}")
    assert rounds.asked == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_an_answer_whose_certificate_cannot_be_written_is_printed(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    rounds: TellingRounds,
    flags: list[str],
) -> None:
    file = tmp_path / "one.strand"
    # Somebody makes a folder of this name while the round runs.
    monkeypatch.setattr(command, "require_writable", Path.mkdir)
    assert run(["ask", "x", "--out", str(file), *flags]) == 1
    printed = capsys.readouterr()
    if flags:
        assert json.loads(printed.out)["certificate"] is None
    else:
        assert "P(best)" in printed.out and "certificate: " not in printed.out
    assert_refusal_line(printed.err, f"cannot write {file}", f"`strand show {ID[:16]}`")
    assert len(rounds.asked) == 1


@pytest.mark.usefixtures("rounds")
def test_a_certificate_is_for_its_user_alone_wherever_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "new" / "one.strand"
    assert run(["ask", "x", "--out", str(file)]) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
