"""What systemd is told, on a real datagram socket; and that nobody is told anything where it is absent."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from node.cli.parts.service_manager import ServiceManager


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        yield sock


def heard(manager: socket.socket) -> list[bytes]:
    found = []
    try:
        while True:
            found.append(manager.recv(4096))
    except BlockingIOError:
        return found


def test_it_is_told_of_the_start_and_of_the_stop(manager: socket.socket, tmp_path: Path) -> None:
    told = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    told.ready("ready: http://127.0.0.1:4210")
    told.stopping("stopping within 30 s")
    assert heard(manager) == [
        b"READY=1\nSTATUS=ready: http://127.0.0.1:4210",
        b"STOPPING=1\nSTATUS=stopping within 30 s",
    ]


def test_a_name_without_a_file_is_a_name_in_the_abstract_space() -> None:
    name = f"strand-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name)
        ServiceManager({"NOTIFY_SOCKET": "@" + name}).ready("up")
        assert sock.recv(4096).startswith(b"READY=1")


async def test_its_watchdog_gets_two_signs_of_life_a_period(
    manager: socket.socket, tmp_path: Path, autojump_clock: MockClock
) -> None:
    environment = {
        "NOTIFY_SOCKET": str(tmp_path / "notify"),
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(os.getpid()),
    }
    with trio.move_on_at(autojump_clock.current_time() + 59):
        await ServiceManager(environment).run()
    assert heard(manager) == [b"WATCHDOG=1"] * 4


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "30000000"},
        {"NOTIFY_SOCKET": "PATH"},
        {"NOTIFY_SOCKET": "PATH", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
        {"NOTIFY_SOCKET": "PATH", "WATCHDOG_USEC": "soon"},
    ],
)
async def test_without_a_watchdog_of_ours_there_are_none(
    manager: socket.socket, tmp_path: Path, environment: dict[str, str]
) -> None:
    place = str(tmp_path / "notify")
    await ServiceManager({key: value.replace("PATH", place) for key, value in environment.items()}).run()
    assert not heard(manager)


def test_a_manager_that_is_gone_or_does_not_read_costs_nothing(manager: socket.socket, tmp_path: Path) -> None:
    told = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    for _ in range(2_000):
        told.ready("up")
    manager.close()
    told.stopping("going")
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nothing")}).ready("up")
