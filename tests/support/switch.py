"""A switch between hosts that loses, delays and reorders packets, in a process that tests.support.hosts starts.

Each host is a network namespace without a name, which lives as long as this process or one in it: whatever happens,
nothing is left to clean up. Its one interface is a TUN device, whose packets this process reads, holds and hands on:
not every kernel has sch_netem. Ends at the end of its stdin; commands are lines of JSON.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import ipaddress
import json
import os
import select
import socket
import struct
import sys
import time
from contextlib import suppress
from random import Random
from typing import Any

HOSTS_MAX = 32

QUEUED_MAX = 20_000
"""packets on their way at once, about 30 MB: 20,000 a second with a delay of one second. More are lost."""

BATCH = 64
"""packets that are read of one host before the next has its turn"""

PACKET_BYTES_MAX = 2_048
"""more than an interface's 1,500"""

INTERFACE = "wan0"

_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN_NO_PI = 0x1001
_SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8916, 0x891C, 0x8913, 0x8914
_UP = 1


def address(host: int) -> str:
    """Each host is in a public /24 of its own, as on the internet; nothing leads out of the namespaces."""
    return f"11.77.{host + 1}.1"


def open_host(host: int) -> tuple[int, int]:
    """Make a host and return the descriptors of its namespace and of its interface. This process is in it from now."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare: no network namespace of one's own")
    namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
    interface = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(interface, _TUNSETIFF, struct.pack("16sH22x", INTERFACE.encode(), _IFF_TUN_NO_PI))
    set_address(address(host))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for name in ("lo", INTERFACE):
            told = fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16sH14x", name.encode(), 0))
            flags = struct.unpack_from("H", told, 16)[0] | _UP
            fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", name.encode(), flags))
    return namespace, interface


def set_address(own: str) -> None:
    """Give the interface of the host that this process is in another address, as DHCP does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, value in ((_SIOCSIFADDR, own), (_SIOCSIFNETMASK, "255.0.0.0")):
            given = struct.pack("16sHH4s8x", INTERFACE.encode(), socket.AF_INET, 0, socket.inet_aton(value))
            fcntl.ioctl(control, request, given)


class Switch:
    """Hands packets on by their IPv4 destination."""

    def __init__(self, interfaces: list[int], seed: int) -> None:
        self._interfaces = interfaces
        self._random = Random(seed)
        self._host_of = {socket.inet_aton(address(host)): host for host in range(len(interfaces))}
        self._group = [0] * len(interfaces)
        self._link = {"delay_ms": 0.0, "jitter_ms": 0.0, "loss": 0.0}
        self._due: list[tuple[float, int, int, bytes]] = []
        """Packets on their way: when due, in which order they came, to whom."""
        self._order = 0
        self.counts = {"passed": 0, "lost": 0, "parted": 0, "overrun": 0}

    def run(self) -> None:
        """Serve until stdin ends."""
        events = select.epoll()
        events.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)
        host_of = {interface: host for host, interface in enumerate(self._interfaces)}
        for interface in self._interfaces:
            events.register(interface, select.EPOLLIN)
        while True:
            self._deliver(time.monotonic())
            timeout_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for ready, _ in events.poll(timeout_s):
                if ready in host_of:
                    self._take(host_of[ready])
                elif not self._obey():
                    return

    def _obey(self) -> bool:
        """Do what a line says and answer with the counts; False at the end of stdin."""
        line = sys.stdin.buffer.raw.readline()  # type: ignore[attr-defined] # nothing may wait in a buffer unseen
        if not line:
            return False
        told: dict[str, Any] = json.loads(line)
        self._link.update(told.get("link", {}))
        self._group = told.get("groups", self._group)
        print(json.dumps(self.counts), flush=True)
        return True

    def _take(self, source: int) -> None:
        """Read what a host sends, and decide of each packet whether and when it arrives."""
        now_s = time.monotonic()
        for _ in range(BATCH):
            try:
                packet = os.read(self._interfaces[source], PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            target = self._host_of.get(packet[16:20]) if packet[0] >> 4 == 4 else None
            if target is None:
                continue  # IPv6's own chatter, and addresses that nobody has
            if self._group[source] != self._group[target]:
                self.counts["parted"] += 1
            elif self._random.random() < self._link["loss"]:
                self.counts["lost"] += 1
            elif len(self._due) >= QUEUED_MAX:
                self.counts["overrun"] += 1
            else:
                jitter_ms = self._random.uniform(-self._link["jitter_ms"], self._link["jitter_ms"])
                due_s = now_s + max(0.0, self._link["delay_ms"] + jitter_ms) / 1000
                self._order += 1
                heapq.heappush(self._due, (due_s, self._order, target, packet))

    def _deliver(self, now_s: float) -> None:
        while self._due and self._due[0][0] <= now_s:
            _, _, target, packet = heapq.heappop(self._due)
            with suppress(OSError):  # the host's own queue is full: that is a loss, too
                os.write(self._interfaces[target], packet)
                self.counts["passed"] += 1


def main(hosts: int, seed: int) -> None:
    """Make the hosts, tell the descriptors of their namespaces, and serve."""
    if not 1 <= hosts <= HOSTS_MAX:
        raise ValueError(f"{hosts} hosts: 1 to {HOSTS_MAX}")
    assert all(ipaddress.ip_address(address(host)).is_global for host in range(hosts))
    opened = [open_host(host) for host in range(hosts)]
    print(json.dumps([namespace for namespace, _ in opened]), flush=True)
    Switch([interface for _, interface in opened], seed).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
