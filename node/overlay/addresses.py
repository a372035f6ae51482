"""Addresses as text: what can be dialled and listened on, their classes and groups, whom a stranger may send us to.

Pure: the interfaces of this machine come in as text.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from node.overlay.identity import key_of_text

ADDRESS_CHARS_MAX: Final = 300
"""Characters in one multiaddr: a DNS name of 253 and the rest."""

_ADDRESS: Final = re.compile(
    r"/(?P<kind>ip4|ip6|dns|dns4|dns6)/(?P<host>[0-9A-Za-z.:_-]{1,253})/tcp/(?P<port>[0-9]{1,5})(?:/p2p/(?P<peer>\w+))?"
)

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class PrefixBits:
    """How much of an address names a group of addresses, bits of IPv4 and of IPv6."""

    ipv4: int
    ipv6: int


OWNER_BITS: Final = PrefixBits(24, 48)
"""What one owner commonly holds: one customer of a provider."""
SENDER_BITS: Final = PrefixBits(32, 64)
"""What one machine has to itself: an address of IPv4, a /64 of IPv6."""


class AddressClass(StrEnum):
    """What kind of place an address is, as IANA's special-purpose registries name it."""

    PUBLIC = "public"
    """Globally reachable."""
    LOOPBACK = "loopback"
    PRIVATE = "private"
    """RFC 1918."""
    UNIQUE_LOCAL = "unique-local"
    """fc00::/7 (RFC 4193)."""
    CGNAT = "cgnat"
    """100.64.0.0/10 (RFC 6598): shared by the customers of one provider."""
    LINK_LOCAL = "link-local"
    """Also where clouds keep the credentials of a machine (169.254.169.254)."""
    MULTICAST = "multicast"
    UNSPECIFIED = "unspecified"
    DOCUMENTATION = "documentation"
    RESERVED = "reserved"
    """Everything else that is not globally reachable, and IPv6 forms that embed another address (6to4, NAT64, Teredo):
    whoever translates them decides where they lead."""
    DNS = "dns"
    """A name: where it leads is decided by its owner, and anew each time."""


# The first match counts.
_CLASSES: Final[tuple[tuple[Network, AddressClass], ...]] = tuple(
    (ipaddress.ip_network(text), kind)
    for text, kind in (
        ("127.0.0.0/8", AddressClass.LOOPBACK),
        ("::1/128", AddressClass.LOOPBACK),
        ("0.0.0.0/32", AddressClass.UNSPECIFIED),
        ("::/128", AddressClass.UNSPECIFIED),
        ("224.0.0.0/4", AddressClass.MULTICAST),
        ("ff00::/8", AddressClass.MULTICAST),
        ("169.254.0.0/16", AddressClass.LINK_LOCAL),
        ("fe80::/10", AddressClass.LINK_LOCAL),
        ("10.0.0.0/8", AddressClass.PRIVATE),
        ("172.16.0.0/12", AddressClass.PRIVATE),
        ("192.168.0.0/16", AddressClass.PRIVATE),
        ("fc00::/7", AddressClass.UNIQUE_LOCAL),
        ("100.64.0.0/10", AddressClass.CGNAT),
        ("192.0.2.0/24", AddressClass.DOCUMENTATION),
        ("198.51.100.0/24", AddressClass.DOCUMENTATION),
        ("203.0.113.0/24", AddressClass.DOCUMENTATION),
        ("2001:db8::/32", AddressClass.DOCUMENTATION),
        ("3fff::/20", AddressClass.DOCUMENTATION),
        ("2002::/16", AddressClass.RESERVED),
        ("2001::/32", AddressClass.RESERVED),
        ("64:ff9b::/96", AddressClass.RESERVED),
        ("64:ff9b:1::/48", AddressClass.RESERVED),
    )
)

_NEAR_CLASSES: Final = frozenset({AddressClass.PRIVATE, AddressClass.UNIQUE_LOCAL, AddressClass.CGNAT})
"""Classes whose networks this machine may be in; others of those networks are then its neighbours."""


@dataclass(frozen=True, slots=True)
class Address:
    """One dialable address: `text` is the multiaddr without /p2p/, `host` its IP address in its shortest form or its
    name, `peer` the 32-byte key that it named, if any."""

    text: str
    host: str
    port: int
    peer: bytes | None


def parse_ip(text: str) -> IpAddress | None:
    """Read an IP address, that of IPv4 where IPv6 wraps it, as a socket for both does. None for what is none."""
    try:
        # A zone (fe80::1%eth0) names an interface of this machine, not another place.
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return ip if mapped is None else mapped


def parse_address(text: str) -> Address | None:
    """Read a TCP multiaddr; None for whatever the overlay cannot dial (other transports, relays, nonsense)."""
    if len(text) > ADDRESS_CHARS_MAX:
        return None
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 65536:
        return None
    host = match["host"]
    if match["kind"] in ("ip4", "ip6"):
        if (":" in host) != (match["kind"] == "ip6") or (ip := parse_ip(host)) is None:
            return None
        host = str(ip)
        if class_of(host) in (AddressClass.UNSPECIFIED, AddressClass.MULTICAST):
            return None
    elif ":" in host:
        return None
    key = key_of_text(match["peer"]) if match["peer"] else None
    if match["peer"] and key is None:
        return None
    return Address(text.partition("/p2p/")[0], host, int(match["port"]), key)


def is_listen_address(text: str) -> bool:
    """Whether `text` is a TCP multiaddr to listen on: port 0 takes a free one, an unspecified address all of ours."""
    match = _ADDRESS.fullmatch(text) if len(text) <= ADDRESS_CHARS_MAX else None
    if match is None or match["kind"] not in ("ip4", "ip6") or match["peer"] or int(match["port"]) >= 65536:
        return False
    host = match["host"]
    if (":" in host) != (match["kind"] == "ip6") or (ip := parse_ip(host)) is None:
        return False
    # A socket of IPv6 is for IPv6 alone here, so that ::ffff:a.b.c.d is no address of one.
    return (ip.version == 6) == (":" in host) and class_of(host) is not AddressClass.MULTICAST


def why_not_listen(text: str) -> str | None:
    """Why `text` cannot be listened on, with the form that can; None where it can."""
    if is_listen_address(text):
        return None
    loose = _read_loosely(text)
    if loose is None or loose.port > 65_535:
        return f"{_shown(text)} is not a multiaddr such as /ip4/0.0.0.0/tcp/4211"
    if loose.ip is None:
        own = "/ip4/127.0.0.1" if loose.host.lower() == "localhost" else "/ip4/192.0.2.7"
        why = "a name is not listened on, for it may come to mean another place"
        example = "" if loose.host.lower() == "localhost" else " with an address of this machine"
        return f"{_shown(text)}: {why}: write {own}/tcp/{loose.port}{example}"
    if class_of(str(loose.ip)) is AddressClass.MULTICAST:
        return f"{_shown(text)}: a multicast address has no listeners: write /ip4/0.0.0.0/tcp/{loose.port}"
    if loose.transport and loose.transport != "tcp":
        return f"{_shown(text)}: only TCP is spoken, not {loose.transport}: write {loose.form}"
    return f"{_shown(text)}: write {loose.form}"


def why_not_announce(text: str) -> str | None:
    """Why no peer could dial `text` if it were told, with the form that can be dialled; None where it can."""
    address = parse_address(text)
    if address is not None and not (":" in address.host and class_of(address.host) is AddressClass.LINK_LOCAL):
        return None
    loose = _read_loosely(text)
    if loose is None or loose.port > 65_535:
        return f"{_shown(text)} is not a multiaddr such as /ip4/198.51.100.7/tcp/4211"
    port = loose.port or 4211
    if loose.ip is not None and class_of(str(loose.ip)) in _NOWHERE:
        others = f"/{'ip6' if loose.ip.version == 6 else 'ip4'}/<the address that others reach>/tcp/{port}"
        return f"{_shown(text)}: nobody can dial {loose.ip}: write {others}"
    if not loose.port:
        return f"{_shown(text)}: port 0 cannot be dialled: write the port that others reach"
    if parse_address(loose.form) is None:
        return f"{_shown(text)} is not a multiaddr such as /ip4/198.51.100.7/tcp/4211"
    if loose.transport and loose.transport != "tcp":
        return f"{_shown(text)}: only TCP is dialled, not {loose.transport}: write {loose.form}"
    return f"{_shown(text)}: write {loose.form}"


def why_not_bootstrap(text: str) -> str | None:
    """Why `text` does not lead to one peer, with the form that does; None where it does."""
    address = parse_address(text)
    if address is not None and address.peer is not None:
        return None
    if address is not None:
        return f"{_shown(text)}: it must end in the peer's id: {address.text}/p2p/<peer id>, see its `strand status`"
    if "/p2p/" in text and parse_address(text.partition("/p2p/")[0]) is not None:
        return f"{_shown(text)}: what follows /p2p/ is no id of a node (12D3KooW...): see its `strand status`"
    why = why_not_announce(text.partition("/p2p/")[0])
    return f"{why or _shown(text)}, and end it in /p2p/<peer id>"


_NOWHERE: Final = frozenset({AddressClass.UNSPECIFIED, AddressClass.MULTICAST, AddressClass.LINK_LOCAL})
"""Classes in which an address says nothing about where a peer is."""

_OTHER_MULTIADDR: Final = re.compile(
    r"/(?:ip4|ip6|dns|dns4|dns6|dnsaddr)/(?P<host>[^/]{1,253})/(?P<layer>tcp|udp)/(?P<port>[0-9]{1,5})(?P<rest>(?:/[\w/-]*)?)"
)
_HOST_AND_PORT: Final = re.compile(
    r"(?:[a-z]+://)?(?:\[(?P<six>[^\]/]+)\]|(?P<host>[^/:\[\]]{1,253})):(?P<port>[0-9]{1,5})/?"
)


@dataclass(frozen=True, slots=True)
class _Loose:
    """What a person may have meant by a text that is no address of ours."""

    host: str
    ip: IpAddress | None
    port: int
    transport: str
    """What its layers above the host are; empty where the text does not say."""

    @property
    def form(self) -> str:
        """The multiaddr to write."""
        kind = "dns" if self.ip is None else f"ip{self.ip.version}"
        return f"/{kind}/{self.host if self.ip is None else self.ip}/tcp/{self.port}"


def _read_loosely(text: str) -> _Loose | None:
    if len(text) > ADDRESS_CHARS_MAX:
        return None
    if (match := _OTHER_MULTIADDR.fullmatch(text)) is not None:
        above = match["rest"].partition("/p2p/")[0].strip("/")
        host, transport = match["host"], above if above else match["layer"]
    elif (match := _HOST_AND_PORT.fullmatch(text)) is not None:
        host, transport = match["six"] or match["host"], ""
    else:
        return None
    return _Loose(host, parse_ip(host), int(match["port"]), transport)


def _shown(text: str) -> str:
    return repr(text if len(text) <= ADDRESS_CHARS_MAX else text[:ADDRESS_CHARS_MAX] + "...")


def class_of(host: str) -> AddressClass:
    """The class of an IP address, or DNS for everything that is none. IPv4 in IPv6 (::ffff:a.b.c.d) counts as IPv4."""
    ip = parse_ip(host)
    if ip is None:
        return AddressClass.DNS
    for network, kind in _CLASSES:
        if ip.version == network.version and ip in network:
            return kind
    return AddressClass.PUBLIC if ip.is_global else AddressClass.RESERVED


def canonical_host(host: str) -> str:
    """The shortest form of an IP address, without zone, IPv4 in IPv6 as IPv4; a name as it is."""
    ip = parse_ip(host)
    return host if ip is None else str(ip)


def address_group(text: str, bits: PrefixBits = OWNER_BITS) -> str:
    """The network of so many bits that an address is in, a lone address or a DNS name itself.

    `text` is an IP address, a name or a TCP multiaddr. Empty for a multiaddr that cannot be dialled.
    """
    host = text
    if text.startswith("/"):
        address = parse_address(text)
        if address is None:
            return ""
        host = address.host
    ip = parse_ip(host)
    if ip is None:
        return host.lower()
    network = network_of(ip, bits)
    return str(ip) if network.prefixlen == ip.max_prefixlen else str(network)


def network_of(ip: IpAddress, bits: PrefixBits = OWNER_BITS) -> Network:
    """The network of so many bits that an address is in."""
    return ipaddress.ip_network((ip, bits.ipv4 if ip.version == 4 else bits.ipv6), strict=False)


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read networks such as "10.1.0.0/16". Raises ValueError, with the text, for what is none."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def exempt_networks(private: Iterable[str]) -> tuple[Network, ...]:
    """Where caps on addresses do not apply: this machine, and networks that the user names. Raises ValueError."""
    return parse_networks(("127.0.0.0/8", "::1/128", *private))


def is_within(ip: IpAddress | None, networks: Iterable[Network]) -> bool:
    """Whether an address is in one of the networks; None is in none."""
    return ip is not None and any(ip.version == network.version and ip in network for network in networks)


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom a stranger's word may make us dial.

    `loopback`: this machine itself, because we listen there. `near`: private networks that this machine is in.
    `named`: networks that the configuration vouches for, free of caps. `own_hosts`: addresses of this machine.
    """

    loopback: bool = False
    near: tuple[Network, ...] = ()
    named: tuple[Network, ...] = ()
    own_hosts: frozenset[str] = frozenset()

    def allows(self, host: str) -> bool:
        """Whether a stranger's claim to be at `host` may be dialled at all."""
        kind = class_of(host)
        if kind is AddressClass.PUBLIC or (kind is AddressClass.LOOPBACK and self.loopback):
            return True
        return is_within(parse_ip(host), (*self.near, *self.named))

    def is_ours(self, host: str) -> bool:
        """Whether caps on addresses do not apply: on this machine, and in networks that are named."""
        return (self.loopback and class_of(host) is AddressClass.LOOPBACK) or is_within(parse_ip(host), self.named)


def reach(listen: Collection[str], named: Iterable[str], interfaces: Iterable[str]) -> Reach:
    """What this node's place in the network allows.

    Parameters: `listen`, multiaddrs that we listen on, as configured; `named`, networks of the configuration;
    `interfaces`, this machine's addresses with prefix, such as "192.168.1.5/24".
    Loopback counts where it is listened on by name, or where this machine has nothing else.
    Raises ValueError for a network or an interface that is none.
    """
    own = [ipaddress.ip_interface(text) for text in interfaces]
    elsewhere = [each for each in own if class_of(str(each.ip)) is not AddressClass.LOOPBACK]
    listening = [address.host for text in listen if (address := parse_address(_with_port(text))) is not None]
    by_name = any(class_of(host) is AddressClass.LOOPBACK for host in listening)
    return Reach(
        loopback=by_name or not elsewhere,
        near=tuple(each.network for each in elsewhere if class_of(str(each.ip)) in _NEAR_CLASSES),
        named=parse_networks(named),
        own_hosts=frozenset(str(each.ip) for each in own),
    )


def _with_port(text: str) -> str:
    """A listening address whose port the system chooses, as one that could be dialled."""
    return re.sub(r"/tcp/0(?=/|$)", "/tcp/1", text)
