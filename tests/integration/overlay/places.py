"""Where a host listens and what it tells of that, on a machine of its own: `places.py stock|fixed`.

Run in fresh network and mount namespaces, so that wildcards reach nobody. Prints one JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from typing import Any

import trio
from libp2p import new_host
from libp2p.network.exceptions import SwarmException
from libp2p.transport.exceptions import OpenConnectionError
from libp2p.transport.tcp.tcp import TCP
from multiaddr import Multiaddr

from node.overlay import Overlay, fixes
from node.overlay.addresses import parse_address
from node.overlay.names import NameFault, Names
from tests.integration.overlay.world import Recorder, node

MACHINE = (
    "mount -t sysfs none /sys",
    "mount --bind {hosts} /etc/hosts",
    "ip link set lo up",
    # A container's bridge, with a cable to one, comes first; then the machine's own network.
    "ip link add docker0 type bridge",
    "ip addr add 172.17.0.1/16 dev docker0",
    "ip tuntap add dev cable mode tap",
    "ip link set cable master docker0",
    "ip link set docker0 up",
    "ip tuntap add dev lan0 mode tap",
    "ip addr add 192.168.7.2/24 dev lan0",
    "ip addr add 2606:4700:7::2/64 dev lan0 nodad",
    "ip link set lan0 up",
)
NAMES = ("node-1", "node_1")
"""In this machine's /etc/hosts; an underscore is no letter of a domain, but containers are named so."""


def isolated(hosts: str, *command: str) -> list[str]:
    """The command that runs another one on such a machine; `hosts` becomes its /etc/hosts."""
    script = " && ".join((*(line.format(hosts=hosts) for line in MACHINE), 'exec "$@"'))
    return ["unshare", "--net", "--mount", "sh", "-c", script, "sh", *command]


async def sockets_of(listen: list[str]) -> list[str]:
    """What libp2p's listeners are bound to once they were asked for `listen`."""
    host = new_host()
    bound: list[str] = []
    async with host.run(listen_addrs=[Multiaddr(text) for text in listen]):
        for listener in host.get_network().listeners.values():
            bound += [each.socket.getsockname()[0] for each in listener.listeners]  # type: ignore[attr-defined]
    return bound


async def reaches_by_name(name: str, port: int, fixed: bool) -> bool:
    """Whether a name of /etc/hosts leads to the port."""
    text = f"/dns4/{name}/tcp/{port}"
    address = parse_address(text)
    assert address is not None
    with suppress(NameFault, OpenConnectionError, SwarmException, ValueError):
        for each in await Names().addresses(address) if fixed else (text,):
            await (await TCP(dns_max_retries=1, dns_resolution_timeout=1.0).dial(Multiaddr(each))).close()
            return True
    return False


async def told_by_identify() -> list[str]:
    """The addresses that a stock host with a wildcard tells its peers."""
    host = new_host()
    async with host.run(listen_addrs=[Multiaddr("/ip4/0.0.0.0/tcp/4213")]):
        return [str(address).partition("/p2p/")[0] for address in host.get_addrs()]


def told_to(listener: Overlay, speaker: Overlay) -> set[str]:
    """Where one says that it is, as another was told by identify."""
    return {text.partition("/p2p/")[0] for text in listener._peers.told_addresses(speaker.key)}


async def main(which: str) -> None:
    fixed = which == "fixed"
    if fixed:
        fixes.apply()
    told: dict[str, Any] = {
        "by name": await sockets_of(["/dns4/localhost/tcp/4211"]),
        "both wildcards": await sockets_of(["/ip4/0.0.0.0/tcp/4212", "/ip6/::/tcp/4212"]),
        "identify": await told_by_identify(),
    }
    listeners = await trio.open_tcp_listeners(4214, host="127.0.0.1")
    told["/etc/hosts"] = [name for name in NAMES if await reaches_by_name(name, 4214, fixed)]
    for listener in listeners:
        await listener.aclose()
    if fixed:
        both = ("/ip4/0.0.0.0/tcp/4215", "/ip6/::/tcp/4215")
        async with node(1, Recorder(), listen=both) as one, node(2, Recorder(), one) as two:
            told["addresses"] = [text.partition("/p2p/")[0] for text in one.addresses()]
            with trio.fail_after(10):
                while len(told_to(two, one)) < 2:  # noqa: ASYNC110
                    await trio.sleep(0.01)
            told["identify"] = sorted(told_to(two, one))
    print(json.dumps(told))


def why_not() -> str | None:
    """Why this machine cannot have such a machine in it; None if it can."""
    try:
        ended = subprocess.run(isolated("/etc/hosts", "true"), capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        return str(fault)
    return None if ended.returncode == 0 else f"needs namespaces and iproute2, as root: {ended.stderr.strip()}"


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
