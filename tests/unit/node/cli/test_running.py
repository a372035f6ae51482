"""Notes of running nodes: which one a command without an address means."""

import fcntl
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from node.cli.main import run
from node.cli.parts.client import open_client
from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import Source
from node.cli.parts.running import NOTE_BYTES_MAX, RunningNode, noted, notes_folder, only_running, running_nodes
from node.client import BrokenOffError

ALONE = RunningNode("http://127.0.0.1:4212", "work", 2_000)
FIRST = RunningNode("http://127.0.0.1:50001", "node-0", 3_000, launcher=7)
SECOND = RunningNode("http://127.0.0.1:50002", "node-1", 4_000, launcher=7)


def test_a_node_is_found_while_it_runs(home: Path) -> None:
    assert running_nodes() == []
    with noted(ALONE):
        assert running_nodes() == [ALONE]
        (note,) = notes_folder().iterdir()
        assert note.is_relative_to(home) and note.stat().st_mode & 0o077 == notes_folder().stat().st_mode & 0o077 == 0
    assert running_nodes() == [] and list(notes_folder().iterdir()) == []


def test_of_a_swarm_the_first_is_meant() -> None:
    with noted(SECOND), noted(FIRST):
        assert only_running(running_nodes()) == FIRST
        with noted(ALONE):
            assert running_nodes() == [ALONE, FIRST]


def test_several_are_named_in_one_line() -> None:
    assert only_running([]) is None
    with pytest.raises(CliError) as told:
        only_running([ALONE, FIRST])
    assert told.value.code is Exit.USAGE
    assert str(told.value) == (
        "several nodes of yours run; choose one: "
        "--url http://127.0.0.1:4212 (work), or --url http://127.0.0.1:50001 (node-0)"
    )


KILLED = """
import sys
from node.cli.parts.running import RunningNode, noted
with noted(RunningNode("http://127.0.0.1:1", "killed", 1)):
    print("noted", flush=True)
    sys.stdin.read()
"""


def test_a_killed_node_is_not_found_and_its_note_goes(home: Path) -> None:
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-P", "-c", KILLED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None and process.stdout.readline() == b"noted\n"
        assert [each.name for each in running_nodes()] == ["killed"]
        process.send_signal(signal.SIGKILL)
        process.wait()
    with noted(ALONE):
        assert len(list(notes_folder().iterdir())) == 1
    assert running_nodes() == [] and list(notes_folder().iterdir()) == []


def test_a_reader_may_look_between_the_file_and_its_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, looks = fcntl.flock, []

    def late(file: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX and not looks:
            looks.append(running_nodes())
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with noted(ALONE):
        assert looks == [[]] and running_nodes() == [ALONE]


def test_what_is_no_note_is_no_node(home: Path) -> None:  # noqa: ARG001 - it is where the notes are
    notes_folder().mkdir(parents=True)
    (notes_folder() / "junk.json").write_text("{")
    (notes_folder() / "long.json").write_bytes(b" " * (NOTE_BYTES_MAX + 1))
    os.mkfifo(notes_folder() / "pipe.json")
    (notes_folder() / "folder.json").mkdir()
    (notes_folder() / "link.json").symlink_to("/dev/zero")
    assert running_nodes() == []


@pytest.mark.parametrize(("nodes", "code"), [((), Exit.UNREACHABLE), ((ALONE, FIRST), Exit.USAGE)])
def test_the_page_of_no_node_and_of_several(
    nodes: tuple[RunningNode, ...], code: Exit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody listens at a port of the system's that no server has.
    monkeypatch.setenv("STRAND_API_BIND", "127.0.0.1:1")
    with ExitStack() as running:
        for node in nodes:
            running.enter_context(noted(node))
        assert run(["ui", "--no-open"]) == code
    told = capsys.readouterr().err.strip()
    assert told.count("\n") == 0 and ("strand run" in told if not nodes else FIRST.url in told)


async def test_nobody_is_sent_elsewhere_when_a_round_breaks_off() -> None:
    with noted(ALONE), pytest.raises(BrokenOffError) as told:
        async with open_client(Source(), None):
            raise BrokenOffError("the node ended while the round ran")
    assert str(told.value) == "the node ended while the round ran"


def test_other_commands_name_the_nodes_that_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRAND_API_BIND", "127.0.0.1:1")
    with noted(ALONE):
        assert run(["status"]) == Exit.UNREACHABLE
    told = capsys.readouterr().err.strip()
    assert told.count("\n") == 0 and told.endswith(f"name one that runs here: --url {ALONE.url} ({ALONE.name})")
    assert run(["status"]) == Exit.UNREACHABLE
    assert "runs here" not in capsys.readouterr().err
