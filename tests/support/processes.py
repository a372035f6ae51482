"""The `strand` command as a user has it, and what tests end to end read of its processes."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

STRAND = Path(sys.executable).with_name("strand")

PATIENCE_S = 60.0
"""For what must come: long, because other work shares the machine; a test that passes never waits so long."""

POLL_S = 0.02
"""Between two looks at a growing file, which tells nobody that it grows."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.stdout)


@dataclass(frozen=True, slots=True)
class Shell:
    """A user's shell: a home of its own, and no variable that configures strand."""

    home: Path

    def environment(self) -> dict[str, str]:
        """Variables for a child process."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("STRAND_", "XDG_", "PYTHON"))}
        # What a killed demo leaves goes with the home.
        return {**kept, "HOME": str(self.home), "TMPDIR": str(self.home)}

    def strand(self, *arguments: str | bytes | Path, stdin: bytes = b"") -> Ran:
        """Run one command to its end."""
        done = subprocess.run(
            [STRAND, *arguments],
            input=stdin,
            capture_output=True,
            env=self.environment(),
            cwd=self.home,
            timeout=2 * PATIENCE_S,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def assert_refused(ran: Ran, code: int, *words: str) -> None:
    """One clear line on stderr, nothing on stdout, and the documented exit code."""
    assert ran.code == code, ran
    assert ran.stdout == "", ran
    assert_refusal_line(ran.stderr, *words)


def assert_refusal_line(stderr: str, *words: str) -> None:
    """One line of ours that holds these words; no traceback, no bug."""
    assert stderr.startswith("strand: "), stderr
    assert stderr.count("\n") == 1, stderr
    assert "internal error" not in stderr
    assert [word for word in words if word not in stderr] == [], stderr


def log_records(log: Path) -> list[dict[str, Any]]:
    """The events of a node's JSON log; a last line that is still being written is left out."""
    whole, _, _ = log.read_text(encoding="utf-8").rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


async def logged(log: Path, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Follow a node's log until an event fulfils `condition`."""
    with trio.fail_after(PATIENCE_S):
        while True:
            for record in log_records(log):
                if condition(record):
                    return record
            await trio.sleep(POLL_S)


def get_json(url: str) -> Any:
    """A JSON document from a node."""
    return json.loads(get_text(url))


def get_text(url: str) -> str:
    """A text from a node; proxies of the environment are left aside."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=PATIENCE_S) as response:
        return str(response.read().decode())


async def wait_offers(url: str, nodes: int) -> None:
    """Wait until a node knows this many that offer to work."""
    told = await trio.to_thread.run_sync(get_json, f"{url}/api/wait?offers={nodes}&timeout_ms={PATIENCE_S * 1000:.0f}")
    assert told == {"offers": nodes}


def children(pid: int) -> list[int]:
    """The processes that a process started and that live."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def wait_ended(nodes: list[int]) -> None:
    """Wait for the end of all processes behind these descriptors, and close them."""
    waiting = select.poll()
    for node in nodes:
        waiting.register(node, select.POLLIN)
    while nodes:
        ended = waiting.poll(PATIENCE_S * 1000)
        assert ended, f"{len(nodes)} nodes live on"
        for node, _ in ended:
            waiting.unregister(node)
            os.close(node)
            nodes.remove(node)
