"""This machine's network interfaces, and the addresses at which others may reach it through them."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node.overlay.addresses import AddressClass, class_of

INTERFACES_MAX: Final = 256
"""Addresses of interfaces that are examined: a machine with hundreds of containers has as many, and one of its own."""

_LINUX: Final = Path("/sys/class/net")
_NOT_TOLD: Final = frozenset({AddressClass.LOOPBACK, AddressClass.LINK_LOCAL, AddressClass.UNSPECIFIED})
_FARTHEST_FIRST: Final = (AddressClass.PUBLIC, AddressClass.UNIQUE_LOCAL, AddressClass.CGNAT, AddressClass.PRIVATE)


@dataclass(frozen=True, slots=True)
class Interface:
    """One address of an interface, with its network's prefix ("192.168.1.5/24").

    `inner`: it leads only to containers and virtual machines of this machine.
    """

    address: str
    inner: bool = False

    @property
    def host(self) -> str:
        """The address without prefix."""
        return self.address.partition("/")[0]


def interfaces() -> tuple[Interface, ...]:
    """Read this machine's interfaces, at most INTERFACES_MAX addresses."""
    import psutil  # type: ignore[import-untyped]

    found = []
    for name, addresses in psutil.net_if_addrs().items():
        inner = is_inner(name)
        for each in addresses:
            if each.family in (socket.AF_INET, socket.AF_INET6) and each.netmask:
                bits = int(ipaddress.ip_address(each.netmask)).bit_count()
                found.append(Interface(f"{each.address.partition('%')[0]}/{bits}", inner))
    # Outer ones first, so that containers do not crowd them out.
    return tuple(sorted(found, key=lambda interface: interface.inner)[:INTERFACES_MAX])


class OwnInterfaces:
    """This machine's interfaces as of the last look: networks come and go, and DHCP gives other addresses."""

    def __init__(self, read: Callable[[], tuple[Interface, ...]] = interfaces) -> None:
        """`read` is asked at each look; once here."""
        self._read = read
        self.now = read()

    def look(self) -> bool:
        """Read them again; return whether any came, went or changed. Their order does not count.

        Where the system does not tell, for want of a descriptor, what was seen last stands.
        """
        try:
            found = self._read()
        except OSError:
            return False
        if set(found) == set(self.now):
            return False
        self.now = found
        return True


def is_inner(name: str, folder: Path = _LINUX) -> bool:
    """Whether an interface is a bridge without any device that leads outside: docker0, virbr0, br-<id>.

    A machine that is itself on its network through a bridge has a device in it, or an interface on top of one (a bond,
    a VLAN). `folder` is Linux's; elsewhere nothing counts as a bridge.
    """
    bridge = folder / name
    if not (bridge / "bridge").exists():
        return False
    return not any(_leads_out(folder / part.name) for part in (bridge / "brif").glob("*"))


def _leads_out(part: Path) -> bool:
    """Whether a part is a device, or an interface on one; cable ends of containers and machines are neither."""
    return (part / "device").exists() or any(part.glob("lower_*"))


def reachable(listening: Iterable[str], own: Collection[Interface]) -> tuple[str, ...]:
    """Return the addresses to announce for the listening ones: a wildcard is each address of its family.

    Parameters: `listening`, TCP multiaddrs of open sockets; `own`, this machine's interfaces. Bridges to containers are
    left out, and so are loopback and link-local addresses, unless there is nothing else. Public addresses come first,
    because peers try them in this order.
    """
    told: dict[str, str] = {}
    for text in listening:
        _, kind, host, _, port = text.split("/")[:5]
        if class_of(host) is not AddressClass.UNSPECIFIED:
            told[text] = host
            continue
        for found in _hosts(6 if kind == "ip6" else 4, own):
            told[f"/{kind}/{found}/tcp/{port}"] = found
    return tuple(sorted(told, key=lambda text: (_rank(told[text]), text)))


def _hosts(version: int, own: Collection[Interface]) -> list[str]:
    """Return this machine's hosts of one family that a wildcard stands for."""
    family = [each for each in own if ipaddress.ip_interface(each.address).version == version]
    elsewhere = [each for each in family if class_of(each.host) not in _NOT_TOLD]
    outer = [each.host for each in elsewhere if not each.inner]
    here = [each.host for each in family if class_of(each.host) is AddressClass.LOOPBACK]
    return outer or [each.host for each in elsewhere] or here


def _rank(host: str) -> int:
    kind = class_of(host)
    return _FARTHEST_FIRST.index(kind) if kind in _FARTHEST_FIRST else len(_FARTHEST_FIRST)
