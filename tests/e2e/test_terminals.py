"""Commands whose streams are closed, full or of another encoding, and commands that are ended by a signal."""

from __future__ import annotations

import json
import os
import pty
import signal
import struct
import subprocess
import termios
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from threading import Timer

import pytest

from tests.e2e.conftest import RunningSwarm
from tests.support.processes import PATIENCE_S, STRAND, Shell

STREAMS = [
    # redirection of a shell, exit code, what stderr says
    (">/dev/full", 1, "strand: cannot write to stdout: No space left on device\n"),
    (">&-", 1, "strand: cannot write to stdout: it is closed\n"),
    ("| true", 141, ""),
    (">/dev/null 2>/dev/full", 0, ""),
    (">/dev/null 2>&-", 0, ""),
    (">/dev/null <&-", 0, ""),
    (">&- 2>&- <&-", 1, ""),
]


@pytest.mark.parametrize(("redirection", "code", "words"), STREAMS)
def test_a_stream_that_takes_nothing_is_no_traceback(shell: Shell, redirection: str, code: int, words: str) -> None:
    script = f"set -o pipefail; {STRAND} config show --json {redirection}"
    ran = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=shell.environment(), timeout=PATIENCE_S, check=False
    )
    assert (ran.returncode, ran.stderr) == (code, words)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_no_letter_is_too_much_for_an_encoding(shell: Shell, encoding: str) -> None:
    environment = shell.environment() | {"PYTHONIOENCODING": encoding, "STRAND_NODE_SPECIALTY": "ру\N{SNOWMAN}st"}
    found = []
    for arguments in (["show"], ["show", "--json"], ["show", "--config", "\N{SNOWMAN}.toml"]):
        command = [STRAND, "config", *arguments]
        found.append(subprocess.run(command, capture_output=True, env=environment, timeout=PATIENCE_S, check=False))
    plain, as_json, wrong = found
    assert (plain.returncode, plain.stderr) == (0, b"")
    assert b"\\u2603st" in plain.stdout
    assert json.loads(as_json.stdout)["node.specialty"] == "ру\N{SNOWMAN}st"
    assert wrong.stderr == b"strand: there is no configuration file \\u2603.toml\n"


def test_all_of_stdout_is_json_with_a_node(shell: Shell, swarm: RunningSwarm) -> None:
    """`demo`, `verify` and `show` are read so in test_demo, `run` whenever a test starts a node."""
    ask = ["ask", "Which stream is whose?", "--out", str(shell.home / "asked.strand")]
    plain = (["status"], ["peers"], ["engine"], ["reputation", "show"], ["pause", "--for", "1s"], ["resume"])
    views = (["rounds"], ["show"], ["diff"], ["top"], ["doctor", "--no-engine"])
    for command in (ask, *plain, *views):
        ran = shell.strand(*command, "--json", "--url", swarm.url)
        assert isinstance(ran.json, dict), ran


@pytest.mark.parametrize("is_terminal", [True, False])
def test_no_key_or_address_is_cut_at_80_columns(shell: Shell, swarm: RunningSwarm, is_terminal: bool) -> None:
    status = shell.strand("status", "--json", "--url", swarm.url).json
    (peer, *_) = shell.strand("peers", "--json", "--url", swarm.url).json["peers"]
    for command, words in (
        ("status", [status["key"], *status["addresses"]]),
        ("peers", [peer["key"], *(f"{address}/p2p/{peer['peer_id']}" for address in peer["addresses"])]),
    ):
        shown = _at_80_columns if is_terminal else _in_a_pipe
        told = shown(shell, command, "--url", swarm.url)
        assert [word for word in words if word not in told] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_demo_and_its_folder_goes(shell: Shell, tmp_path: Path, number: signal.Signals) -> None:
    """Until then stdout is empty: with the embedded engine a log line stood before the JSON."""
    engine = "embedded" if number is signal.SIGTERM and _is_installed("xllamacpp") else "scripted"
    with subprocess.Popen(
        [STRAND, "demo", "--json", "--keep", "--engine", engine, "--nodes", "1", "--out", tmp_path / "certificate"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=shell.environment() | {"TMPDIR": str(tmp_path)},
    ) as process:
        watchdog = Timer(PATIENCE_S, process.kill)
        watchdog.start()
        assert process.stdout is not None and process.stderr is not None
        for line in process.stderr:
            if line.startswith("starting 1 node"):
                break
        process.send_signal(number)
        assert process.stdout.read() == ""
        watchdog.cancel()
    assert process.returncode == 128 + number
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_that_is_closed_ends_a_demo_and_its_folder_goes(shell: Shell, tmp_path: Path) -> None:
    """What it draws has nowhere to go any more, and must not keep it from tidying up."""
    ours, theirs = pty.openpty()
    command = [STRAND, "demo", "--engine", "scripted", "--no-findings", "--nodes", "2", "--keep", "--out"]
    with subprocess.Popen(
        # The terminal is then its own: the kernel sends SIGHUP when the other end is closed.
        ["setsid", "--ctty", *command, tmp_path / "certificate"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=shell.environment() | {"TMPDIR": str(tmp_path), "TERM": "xterm"},
    ) as process:
        watchdog = Timer(PATIENCE_S, process.kill)
        watchdog.start()
        os.close(theirs)
        told = b""
        while b"nodes ready" not in told:
            told += os.read(ours, 4096)
        assert any(tmp_path.glob("strand-demo-*"))
        os.close(ours)
        process.wait()
        watchdog.cancel()
    assert process.returncode == 128 + signal.SIGHUP
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_that_waits_for_stdin(shell: Shell, number: signal.Signals) -> None:
    with subprocess.Popen(
        [STRAND, "ask", "What is in this pipe?"], stdin=subprocess.PIPE, env=shell.environment()
    ) as process:
        watchdog = Timer(PATIENCE_S, process.kill)
        watchdog.start()
        # At its start the command may be elsewhere, so the signal is sent again.
        while process.poll() is None:
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1)
        watchdog.cancel()
    assert process.returncode in (-number, 128 + number)


def _is_installed(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def _in_a_pipe(shell: Shell, *arguments: str) -> str:
    return shell.strand(*arguments).stdout


def _at_80_columns(shell: Shell, *arguments: str) -> str:
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    told = b""
    with subprocess.Popen(
        [STRAND, *arguments], stdout=theirs, stderr=theirs, env=shell.environment() | {"TERM": "xterm", "NO_COLOR": "1"}
    ):
        os.close(theirs)
        try:
            while chunk := os.read(ours, 65_536):
                told += chunk
        except OSError:
            pass  # so ends a terminal whose program has ended
    os.close(ours)
    return told.decode()
