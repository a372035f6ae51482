"""`strand ask` over a node in memory: its files, and what it says when something is in the way."""

import io
import json
import os
import signal
import socket
import stat
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio
from rich.console import Console

from node.api.conversation import Audience
from node.api.events import Asked, Certified, Decided, Ended
from node.cli.ask import command
from node.cli.ask.leaving import told_if_left
from node.cli.main import run
from node.cli.parts.options import Source
from node.client import Client, ClientError, TimedOutError
from node.errors import Exit
from node.findings.notes import NO_TOOLS, UNTESTED
from protocol.types import CompileStatus, Digest, Outcome, OutcomeReason
from tests.support.processes import STRAND, assert_refusal_line
from tests.support.shown import KEY, QUERY, KeptHistory, TellingRounds, http_client, shown
from tests.support.updates import told
from tests.unit.node.cli.test_findings import TESTS, TOOLS
from tests.unit.node.cli.test_findings import held as a_tested_round

ID = QUERY.hex()
END = Ended(role="requester", ending="finished", outcome=None, fault=None, at_ms=95)


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """The command changes its process's."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def asked() -> Asked:
    return Asked(query_id=ID, members=(KEY,))


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> TellingRounds:
    """The rounds of the node that `strand ask` asks."""
    events = (
        asked(),
        Certified(outcome=Outcome.DECIDED, bytes=3, at_ms=90),
        END,
    )
    rounds = TellingRounds(events)
    serve(monkeypatch, rounds, told({"a": "A", "b": "A", "c": "B"}).certificate)
    return rounds


def serve(monkeypatch: pytest.MonkeyPatch, rounds: TellingRounds, certificate: bytes) -> None:
    """Let `strand ask` ask a node of these rounds that holds one certificate."""

    @asynccontextmanager
    async def client_of(_: Source, __: str | None) -> AsyncIterator[Client]:
        async with http_client(shown(rounds=rounds, history=KeptHistory(held={QUERY: certificate}))) as http:
            yield Client(http, "the node")

    monkeypatch.setattr(command, "open_client", client_of)


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


@pytest.mark.parametrize("flags", [[], ["--json"], ["--stream"]])
@pytest.mark.parametrize(
    ("tools", "reports", "why"),
    [
        ("", {}, f"the answer was not tested: {NO_TOOLS}; run the tests yourself"),
        (TOOLS, {}, f"the answer {UNTESTED}; `strand show "),
        (
            TOOLS,
            {"tests": (1, 0, 1)},
            "the answer is not known to pass your tests: 1 of 2 came to no result; `strand show ",
        ),
    ],
)
def test_strict_says_why_it_is_not_known_whether_the_answer_passes(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    flags: list[str],
    tools: str,
    reports: dict[str, object],
    why: str,
) -> None:
    held: dict[str, object] = {"status": CompileStatus.COMPILES, "error": 0, "tests": (0, 0, 0), **reports}
    _, swarm = a_tested_round(tmp_path / "round.strand", tools, TESTS, held)
    assert swarm.certificate is not None
    answer = swarm.verified().record.contents[Digest(swarm.verified().ranking.winner)].text
    decided = Decided(
        outcome=Outcome.DECIDED, reason=OutcomeReason.NONE, winner="a", p_best=0.5, p_correct=None, answer=answer
    )
    rounds = TellingRounds((asked(), decided, Certified(outcome=Outcome.DECIDED, bytes=3, at_ms=90), END))
    serve(monkeypatch, rounds, swarm.certificate)
    tests = tmp_path / "tests.rs"
    tests.write_text(TESTS)
    command = ["ask", "x", "--tests", str(tests), "--out", str(tmp_path / "one.strand"), *flags]
    assert run(command) == 0
    capsys.readouterr()
    assert run([*command, "--strict"]) == Exit.NO_QUORUM
    out, err = capsys.readouterr()
    assert answer.strip() in (json.loads(out)["winner"]["text"] if flags == ["--json"] else out)
    assert err.splitlines()[-1].startswith(f"strand: --strict: {why}")


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


def test_who_leaves_is_told_that_the_round_goes_on() -> None:
    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt), told_if_left(Console(file=out, width=40)) as note:
        note(asked())
        raise KeyboardInterrupt
    assert out.getvalue() == f"round {ID[:16]} goes on: `strand show {ID[:16]}` shows it once it is decided\n"
    with pytest.raises(ExceptionGroup), told_if_left(Console(file=out)) as note:
        note(asked())
        raise ExceptionGroup("of a nursery", [ClientError("a fault")])
    assert out.getvalue().count("goes on") == 1
    with pytest.raises(TimedOutError, match=f"no word; round {ID[:16]} goes on"), told_if_left(Console()) as note:
        note(asked())
        raise TimedOutError("no word")


async def test_a_signal_that_cancels_the_command_leaves_the_round_as_an_interrupt_does() -> None:
    out = io.StringIO()
    with trio.CancelScope() as scope, told_if_left(Console(file=out)) as note:
        note(asked())
        scope.cancel()
        await trio.lowlevel.checkpoint()
    assert "goes on" in out.getvalue()


def test_before_the_begin_and_after_the_end_nothing_goes_on() -> None:
    out = io.StringIO()
    for events in ([], [asked(), END]):
        with pytest.raises(KeyboardInterrupt), told_if_left(Console(file=out)) as note:
            for event in events:
                note(event)
            raise KeyboardInterrupt
    with pytest.raises(TimedOutError, match=r"^no word$"), told_if_left(Console(file=out)):
        raise TimedOutError("no word")
    assert out.getvalue() == ""


def test_an_interrupted_command_says_that_the_round_goes_on(home: Path) -> None:
    event = msgspec.json.encode(msgspec.structs.replace(asked(), audience=Audience.MEMBERS)) + b"\n"
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with subprocess.Popen(
            [STRAND, "ask", "x", "--url", url],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={"HOME": str(home)},
        ) as process:
            assert process.stderr is not None
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(event), event)
                )
                assert process.stderr.readline() == b"read by these nodes alone: ababab\n"
                process.send_signal(signal.SIGINT)
                assert f"round {ID[:16]} goes on".encode() in process.stderr.read()
    assert process.returncode == 130
