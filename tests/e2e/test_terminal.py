"""The commands of a terminal against running nodes: asking in several ways, rounds, top, doctor."""

from __future__ import annotations

import os
import pty
import signal
import struct
import subprocess
import termios
from fcntl import ioctl
from pathlib import Path
from threading import Timer

from tests.e2e.conftest import SWARM_NODES, RunningSwarm
from tests.support.processes import PATIENCE_S, STRAND, Shell, assert_refused


def test_a_file_is_asked_about_by_stdin_or_by_name(shell: Shell, swarm: RunningSwarm) -> None:
    source = shell.home / "bug.rs"
    source.write_text("fn main() {}\n")
    ran = shell.strand("ask", "--json", "--url", swarm.url, stdin=source.read_bytes())
    assert ran.json["turns"] == [{"role": "user", "text": "fn main() {}\n"}]
    ran = shell.strand("ask", "Why?", "--file", "bug.rs", "--json", "--url", swarm.url)
    assert ran.json["turns"][0]["text"] == "Why?\n\nbug.rs:\n\n```rust\nfn main() {}\n```\n"


def test_a_stream_tells_phases_and_then_the_certified_answer(shell: Shell, swarm: RunningSwarm) -> None:
    out = shell.home / "stream.strand"
    ran = shell.strand("ask", "Stream it.", "--stream", "--out", out, "--url", swarm.url)
    assert ran.code == 0, ran
    assert ran.stderr.startswith("answering: ") and "co-signing: " in ran.stderr
    winner = shell.strand("show", out, "--json").json["winner"]["text"]
    assert ran.stdout.startswith(winner.strip() + "\n")
    assert ran.stdout.count(winner.strip()) == 1
    assert ran.stdout.splitlines()[-1] == f"certificate: {out}"


def test_a_watched_round_tells_ballots_and_strengths(shell: Shell, swarm: RunningSwarm) -> None:
    ran = shell.strand("ask", "Watch it.", "--watch", "--json", "--url", swarm.url)
    assert ran.json["outcome"] == "decided"
    lines = ran.stderr.splitlines()
    assert sum(line.startswith("answer ") for line in lines) == SWARM_NODES
    assert sum(line.startswith("ballot of ") for line in lines) == ran.json["ballots"]
    assert any(line.startswith("after wave 1: ") for line in lines)


def test_a_watched_round_is_drawn_on_a_terminal(shell: Shell, swarm: RunningSwarm) -> None:
    code, told = on_terminal(shell, "ask", "Draw it.", "--watch", "--url", swarm.url)
    assert code == 0
    assert "preference for the row's answer" in told and "certified" in told
    assert told.count("\x1b[?25l") == told.count("\x1b[?25h"), "the cursor is back"


def test_rounds_are_listed_searched_and_explained(shell: Shell, swarm: RunningSwarm) -> None:
    asked = shell.strand("ask", "Which zebra is first?", "--audience", "members", "--json", "--url", swarm.url).json
    found = shell.strand("rounds", "--search", "ZEBRA", "--since", "1h", "--json", "--url", swarm.url).json
    assert [each["query_id"] for each in found["rounds"]] == [asked["query_id"]]
    assert asked["query_id"] in shell.strand("rounds", "--url", swarm.url).stdout
    # The certificate has no text of a private question; the node that asked has it, and knows who fetched it.
    shown = shell.strand("show", asked["query_id"], "--url", swarm.url).stdout
    assert shown.startswith("query: Which zebra is first?\n")
    assert "audience members: " in shown and "have the text for sure" in shown
    (shell.home / ".local/share/strand/certificates" / f"{asked['query_id'][:16]}.strand").unlink()
    # Without an id it is the last round.
    assert shell.strand("show", "--json", "--url", swarm.url).json["query_id"] == asked["query_id"]
    away = shell.strand("show", asked["query_id"][:16], "--json", "--url", swarm.url).json
    assert away["query_id"] == asked["query_id"] and away["audience"] == "members"
    assert_refused(shell.strand("show", "f" * 16, "--url", swarm.url), 1, "no rounds", "ffff")
    diff = shell.strand("diff", asked["query_id"], "--json", "--url", swarm.url).json
    assert {diff["a"]["place"], diff["b"]["place"]} == {1, 2}


def test_a_conversation_goes_on_from_the_answer(shell: Shell, swarm: RunningSwarm) -> None:
    first = shell.strand("ask", "Sum a slice.", "--task", "open", "--json", "--url", swarm.url).json
    then = shell.strand("ask", "--continue", first["query_id"][:16], "And as i64?", "--json", "--url", swarm.url).json
    last = shell.strand("ask", "--continue", "And now?", "--json", "--url", swarm.url).json
    assert [turn["text"] for turn in then["turns"]] == ["Sum a slice.", first["winner"]["text"], "And as i64?"]
    assert [turn["text"] for turn in last["turns"]] == [
        *(turn["text"] for turn in then["turns"]),
        then["winner"]["text"],
        "And now?",
    ]
    assert [turn["role"] for turn in last["turns"]] == ["user", "assistant", "user", "assistant", "user"]


def test_top_looks_once_where_there_is_no_terminal(shell: Shell, swarm: RunningSwarm) -> None:
    told = shell.strand("top", "--json", "--url", swarm.url).json
    assert told["status"]["nodes_offering"] == SWARM_NODES
    assert {"status", "engine", "peers", "rounds", "queue"} == told.keys()
    words = shell.strand("top", "--url", swarm.url)
    assert words.code == 0 and told["status"]["key"] in words.stdout


def test_top_leaves_the_terminal_as_it_was(shell: Shell, swarm: RunningSwarm) -> None:
    code, told = on_terminal(shell, "top", "--url", swarm.url, until="queue")
    assert code == 130
    assert told.count("\x1b[?1049h") == told.count("\x1b[?1049l") == 1
    assert told.rstrip().endswith("\x1b[?1049l") and "\x1b[?25h" in told[told.rindex("\x1b[?25l") :]


def test_doctor_asks_a_running_node(shell: Shell, swarm: RunningSwarm) -> None:
    ran = shell.strand("doctor", "--json", "--url", swarm.url)
    told = ran.json
    assert (ran.code, told["ok"], told["running"]) == (0, True, True), told
    levels = {each["check"]: each["level"] for each in told["checks"]}
    assert {
        "versions",
        "configuration",
        "node",
        "key",
        "disk",
        "ports",
        "peers",
        "reachability",
        "clock",
        "engine",
    } <= (levels.keys())
    assert levels["engine"] == "ok"
    words = shell.strand("doctor", "--no-engine", "--url", swarm.url)
    assert words.code == 0 and words.stdout.count("\n") >= len(levels) - 1


def on_terminal(shell: Shell, *arguments: str, until: str = "") -> tuple[int, str]:
    """Run a command on a terminal of 80 columns, and interrupt it once it has printed `until`, if that is given."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    environment = {**shell.environment(), "TERM": "xterm", "NO_COLOR": "1"}
    told = b""
    with subprocess.Popen(
        [STRAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=Path(shell.home)
    ) as process:
        watchdog = Timer(PATIENCE_S, process.kill)
        watchdog.start()
        os.close(theirs)
        wanted = until.encode()
        try:
            while chunk := os.read(ours, 65_536):
                told += chunk
                if wanted and wanted in told:
                    process.send_signal(signal.SIGINT)
                    wanted = b""
        except OSError:
            pass  # so ends a terminal whose program has ended
        watchdog.cancel()
    os.close(ours)
    return process.returncode, told.decode()
