"""One user, one finished demo and one running swarm for all tests end to end: a node takes a second or two to start.

The swarm ends with the last test of this folder, for its nodes are not idle while others run.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from tests.support.processes import PATIENCE_S, STRAND, Ran, Shell

SWARM_NODES = 3


@dataclass(frozen=True, slots=True)
class Demo:
    """A finished `strand demo`."""

    ran: Ran
    certificate: Path


@dataclass(frozen=True, slots=True)
class RunningSwarm:
    """A `strand demo --keep`: its process, its certificate as JSON, and its nodes' URLs, the asked one first."""

    process: subprocess.Popen[str]
    report: dict[str, Any]
    urls: tuple[str, ...]

    @property
    def url(self) -> str:
        return self.urls[0]


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="package")
def demo(shell: Shell) -> Demo:
    certificate = shell.home / "demo.strand"
    return Demo(
        shell.strand("demo", "--engine", "scripted", "--no-findings", "--json", "--out", certificate), certificate
    )


@pytest.fixture(scope="package")
def swarm(shell: Shell) -> Iterator[RunningSwarm]:
    command = [STRAND, "demo", "--keep", "--engine", "scripted", "--no-findings", "--nodes", str(SWARM_NODES)]
    certificate = shell.home / "swarm.strand"
    with subprocess.Popen(
        [*command, "--out", certificate],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=shell.environment(),
    ) as process:
        # Should a line never come, the end of the process ends the reading.
        watchdog = Timer(PATIENCE_S, process.kill)
        watchdog.start()
        try:
            urls = _read_urls(process, watchdog)
            yield RunningSwarm(process, shell.strand("show", certificate, "--json").json, urls)
        finally:
            watchdog.cancel()
            process.kill()


def _read_urls(process: subprocess.Popen[str], watchdog: Timer) -> tuple[str, ...]:
    assert process.stderr is not None
    printed, urls = "", list[str]()
    for line in process.stderr:
        printed += line
        if line.startswith("  http://"):
            urls.append(line.split()[0])
        if len(urls) == SWARM_NODES:
            break
    watchdog.cancel()
    assert len(urls) == SWARM_NODES, printed
    return tuple(urls)


@pytest.fixture
def closed_url() -> Iterator[str]:
    """An address on which nothing listens: it is taken, so that nobody can begin to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
