"""Addresses as text: dialling, listening, classes and groups, and the limits on a stranger's claims.

Pure: the interfaces of this machine are arguments, as text.
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
    """Length of the prefix that identifies a group of addresses, in bits, for IPv4 and IPv6."""

    ipv4: int
    ipv6: int


OWNER_BITS: Final = PrefixBits(24, 48)
"""Prefix of the addresses that one owner commonly holds: one customer of a provider."""
SENDER_BITS: Final = PrefixBits(32, 64)
"""Prefix of the addresses of one machine: an address of IPv4, a /64 of IPv6."""


class AddressClass(StrEnum):
    """Class of an address, named as in IANA's special-purpose registries."""

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
    """Clouds keep the credentials of a machine at such an address (169.254.169.254)."""
    MULTICAST = "multicast"
    UNSPECIFIED = "unspecified"
    DOCUMENTATION = "documentation"
    RESERVED = "reserved"
    """Every other address that is not globally reachable, and IPv6 forms that embed another address (6to4, NAT64,
    Teredo): their translator decides where they lead."""
    DNS = "dns"
    """A name: its owner decides where it leads, and may change that at any time."""


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
"""Classes of networks that this machine may be in; other addresses of those networks are then its neighbours."""


@dataclass(frozen=True, slots=True)
class Address:
    """One dialable address: `text` is the multiaddr without /p2p/.

    `host` is its IP address in its shortest form, or its name; `peer` is the 32-byte key that it named, if any.
    """

    text: str
    host: str
    port: int
    peer: bytes | None


def parse_ip(text: str) -> IpAddress | None:
    """Parse an IP address; IPv4 wrapped in IPv6 becomes IPv4, as for a socket of both. None if it is no address."""
    try:
        # A zone (fe80::1%eth0) names an interface of this machine, not another place.
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return ip if mapped is None else mapped


def parse_address(text: str) -> Address | None:
    """Parse a TCP multiaddr; None for anything that the overlay cannot dial (other transports, relays, nonsense)."""
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
    """Whether `text` is a TCP multiaddr to listen on: port 0 means a free one, an unspecified address all of ours."""
    match = _ADDRESS.fullmatch(text) if len(text) <= ADDRESS_CHARS_MAX else None
    if match is None or match["kind"] not in ("ip4", "ip6") or match["peer"] or int(match["port"]) >= 65536:
        return False
    host = match["host"]
    if (":" in host) != (match["kind"] == "ip6") or (ip := parse_ip(host)) is None:
        return False
    # A socket of IPv6 serves IPv6 alone here, so ::ffff:a.b.c.d is no listening address.
    return (ip.version == 6) == (":" in host) and class_of(host) is not AddressClass.MULTICAST


def why_not_listen(text: str) -> str | None:
    """Return why `text` cannot be listened on, with a usable form; None if it can."""
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
    """Return why no peer could dial `text`, with a usable form; None if peers can."""
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
    """Return why `text` does not identify one peer, with a usable form; None if it does."""
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
"""Classes in which an address does not locate a peer."""

_OTHER_MULTIADDR: Final = re.compile(
    r"/(?:ip4|ip6|dns|dns4|dns6|dnsaddr)/(?P<host>[^/]{1,253})/(?P<layer>tcp|udp)/(?P<port>[0-9]{1,5})(?P<rest>(?:/[\w/-]*)?)"
)
_HOST_AND_PORT: Final = re.compile(
    r"(?:[a-z]+://)?(?:\[(?P<six>[^\]/]+)\]|(?P<host>[^/:\[\]]{1,253})):(?P<port>[0-9]{1,5})/?"
)


@dataclass(frozen=True, slots=True)
class _Loose:
    """The probable meaning of a text that is no address of ours."""

    host: str
    ip: IpAddress | None
    port: int
    transport: str
    """The layers above the host; empty if the text has none."""

    @property
    def form(self) -> str:
        """The multiaddr to write instead."""
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
    """Return the class of an IP address, or DNS for anything else. IPv4 in IPv6 (::ffff:a.b.c.d) counts as IPv4."""
    ip = parse_ip(host)
    if ip is None:
        return AddressClass.DNS
    for network, kind in _CLASSES:
        if ip.version == network.version and ip in network:
            return kind
    return AddressClass.PUBLIC if ip.is_global else AddressClass.RESERVED


def canonical_host(host: str) -> str:
    """Return the shortest form of an IP address, without zone, IPv4 in IPv6 as IPv4; a name unchanged."""
    ip = parse_ip(host)
    return host if ip is None else str(ip)


def address_group(text: str, bits: PrefixBits = OWNER_BITS) -> str:
    """Return the network of the given prefix length that an address is in; names and lone addresses stay.

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
    """Return the network of the given prefix length that an address is in."""
    return ipaddress.ip_network((ip, bits.ipv4 if ip.version == 4 else bits.ipv6), strict=False)


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Parse networks such as "10.1.0.0/16". Raises ValueError, with the text, for an invalid one."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def exempt_networks(private: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks without caps on addresses: this machine, and those that the user names. Raises ValueError."""
    return parse_networks(("127.0.0.0/8", "::1/128", *private))


def is_within(ip: IpAddress | None, networks: Iterable[Network]) -> bool:
    """Whether an address is in one of the networks; None is in none."""
    return ip is not None and any(ip.version == network.version and ip in network for network in networks)


@dataclass(frozen=True, slots=True)
class Reach:
    """The places that a stranger's claim may make us dial.

    `loopback`: this machine itself, because we listen there. `near`: private networks that this machine is in. `named`:
    networks that the configuration vouches for, free of caps. `own_hosts`: addresses of this machine.
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
        """Whether caps on addresses do not apply: on this machine, and in named networks."""
        return (self.loopback and class_of(host) is AddressClass.LOOPBACK) or is_within(parse_ip(host), self.named)


def reach(listen: Collection[str], named: Iterable[str], interfaces: Iterable[str]) -> Reach:
    """Compute the limits of this node's place in the network.

    Parameters: `listen`, multiaddrs that we listen on, as configured; `named`, networks of the configuration;
    `interfaces`, this machine's addresses with prefix, such as "192.168.1.5/24".

    Loopback counts if a listening address names it, or if this machine has no other address.

    Raises ValueError for an invalid network or interface.
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
    """Replace port 0 of a listening address by one that could be dialled."""
    return re.sub(r"/tcp/0(?=/|$)", "/tcp/1", text)
