"""Messages to systemd by sd_notify(3): ready, stopping, and signs of life for its watchdog. Elsewhere it is silent."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import trio

WATCHDOG_SHARE: Final = 2
"""Signs of life in one period of the watchdog, as sd_watchdog_enabled(3) advises."""


class ServiceManager:
    """The service manager that started this process, as its environment names it. It is told, and never waited for."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # "@" stands for the zero byte of a name without a file.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        period_us = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        self._period_s = int(period_us) / 1_000_000 if is_ours and period_us.isdecimal() else 0.0

    def ready(self, status: str) -> None:
        """Tell that the node has started; `status` is a line for `systemctl status`."""
        self._tell("READY=1", f"STATUS={status}")

    def stopping(self, status: str) -> None:
        """Tell that the node has begun to stop."""
        self._tell("STOPPING=1", f"STATUS={status}")

    async def run(self) -> None:
        """Give signs of life until cancelled: they come from the loop that serves everything, and end with it."""
        while self._address and self._period_s:
            self._tell("WATCHDOG=1")
            await trio.sleep(self._period_s / WATCHDOG_SHARE)

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # A manager that is gone, or does not read, must not keep the node from anything.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)
            sock.sendto("\n".join(lines).encode(), self._address)
