"""Addresses as text: which can be dialled, their classes and groups, and whom a stranger may send us to."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from node.overlay.addresses import (
    SENDER_BITS,
    Address,
    AddressClass,
    Reach,
    address_group,
    class_of,
    exempt_networks,
    is_within,
    network_of,
    parse_address,
    parse_ip,
    reach,
)
from node.overlay.identity import peer_id_text

PEER = bytes([1]) * 32


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("/ip4/10.0.0.1/tcp/4001", "10.0.0.1", 4001),
        ("/dns4/node.example/tcp/4001", "node.example", 4001),
        ("/ip6/::1/tcp/1", "::1", 1),
        ("/ip6/2606:4700:0:0::1111/tcp/1", "2606:4700::1111", 1),
        ("/ip6/::ffff:10.0.0.1/tcp/1", "10.0.0.1", 1),
        ("/dns/a/tcp/65535", "a", 65535),
        ("/dns6/a-b.c/tcp/80", "a-b.c", 80),
    ],
)
def test_tcp_addresses_are_dialable(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(text, host, port, None)
    assert parse_address(f"{text}/p2p/{peer_id_text(PEER)}") == Address(text, host, port, PEER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0.1:4001",
        "/ip4/10.0.0.1",
        "/ip4/10.0.0.256/tcp/1",
        "/ip4/::1/tcp/1",
        "/ip6/10.0.0.1/tcp/1",
        "/ip4/0.0.0.0/tcp/1",
        "/ip6/::/tcp/1",
        "/ip6/::ffff:0.0.0.0/tcp/1",
        "/ip4/224.0.0.1/tcp/1",
        "/ip6/ff02::1/tcp/1",
        "/ip4/10.0.0.1/tcp/0",
        "/ip4/10.0.0.1/tcp/65536",
        "/ip4/10.0.0.1/udp/1/quic-v1",
        "/ip4/10.0.0.1/tcp/1/ws",
        "/ip4/10.0.0.1/tcp/1/p2p/QmNotEd25519",
        "/ip4/10.0.0.1/tcp/1/p2p/" + "1" * 100,
        "/dns4/" + "a" * 300 + "/tcp/1",
        "/dns4/a:b/tcp/1",
        "/ip4/10.0.0.1/tcp/4001\n",
    ],
)
def test_other_addresses_are_refused(text: str) -> None:
    assert parse_address(text) is None


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("1.1.1.1", AddressClass.PUBLIC),
        ("2606:4700::1", AddressClass.PUBLIC),
        ("127.9.9.9", AddressClass.LOOPBACK),
        ("::1", AddressClass.LOOPBACK),
        ("::ffff:127.0.0.1", AddressClass.LOOPBACK),
        ("169.254.169.254", AddressClass.LINK_LOCAL),
        ("fe80::1%eth0", AddressClass.LINK_LOCAL),
        ("10.1.2.3", AddressClass.PRIVATE),
        ("172.31.0.1", AddressClass.PRIVATE),
        ("172.32.0.1", AddressClass.PUBLIC),
        ("192.168.1.1", AddressClass.PRIVATE),
        ("fd00::1", AddressClass.UNIQUE_LOCAL),
        ("100.64.0.1", AddressClass.CGNAT),
        ("100.128.0.1", AddressClass.PUBLIC),
        ("239.1.1.1", AddressClass.MULTICAST),
        ("ff02::1", AddressClass.MULTICAST),
        ("0.0.0.0", AddressClass.UNSPECIFIED),
        ("::", AddressClass.UNSPECIFIED),
        ("192.0.2.1", AddressClass.DOCUMENTATION),
        ("2001:db8::1", AddressClass.DOCUMENTATION),
        ("0.1.2.3", AddressClass.RESERVED),
        ("255.255.255.255", AddressClass.RESERVED),
        ("240.0.0.1", AddressClass.RESERVED),
        ("198.18.0.1", AddressClass.RESERVED),
        ("64:ff9b::7f00:1", AddressClass.RESERVED),
        ("2002:7f00:1::1", AddressClass.RESERVED),
        ("2001:0:7f00:1::1", AddressClass.RESERVED),
        ("node.example", AddressClass.DNS),
        ("2130706433", AddressClass.DNS),
        ("0177.0.0.1", AddressClass.DNS),
    ],
)
def test_classes(host: str, kind: AddressClass) -> None:
    assert class_of(host) is kind


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("/ip4/203.0.113.77/tcp/1", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("/ip6/::ffff:203.0.113.77/tcp/1", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("/ip6/2001:db8:1:ffff::3/tcp/9", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("/dns4/Node.example/tcp/1", "node.example"),
        ("/unix/socket", ""),
    ],
)
def test_groups(text: str, group: str) -> None:
    assert address_group(text) == group


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_one_sender_is_an_address_or_a_network(address: str, group: str) -> None:
    assert address_group(address, SENDER_BITS) == group


def test_addresses_are_read_as_sockets_give_them() -> None:
    assert parse_ip("::ffff:1.2.3.4") == ip_address("1.2.3.4")
    assert parse_ip("fe80::1%eth0") == ip_address("fe80::1")
    assert parse_ip("") is None
    assert str(network_of(ip_address("1.2.3.4"))) == "1.2.3.0/24"
    assert str(network_of(ip_address("2001:db8:1:2::3"))) == "2001:db8:1::/48"


@pytest.mark.parametrize(
    ("address", "exempt"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("203.0.113.77", False),
        ("192.168.1.2", False),
        ("fe80::1%eth0", False),
        ("no address", False),
    ],
)
def test_this_machine_and_the_users_networks_are_exempt(address: str, exempt: bool) -> None:
    assert is_within(parse_ip(address), exempt_networks(["10.0.0.0/8"])) is exempt


def test_an_exempt_network_that_is_none() -> None:
    with pytest.raises(ValueError, match="everything"):
        exempt_networks(["everything"])


def test_strangers_lead_to_public_addresses_and_to_networks_that_we_are_in() -> None:
    ours = reach(["/ip4/0.0.0.0/tcp/4211"], ["10.9.0.0/16"], ["127.0.0.1/8", "192.168.1.5/24", "8.8.4.4/24", "::1/128"])
    for host in ("1.1.1.1", "192.168.1.77", "10.9.1.1", "2606:4700::1"):
        assert ours.allows(host)
    for host in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "192.168.2.1", "10.8.1.1", "172.17.0.1", "169.254.169.254"):
        assert not ours.allows(host)
    assert not ours.allows("localhost")
    assert ours.is_ours("10.9.1.1")
    assert not ours.is_ours("192.168.1.77")
    assert ours.own_hosts == {"127.0.0.1", "192.168.1.5", "8.8.4.4", "::1"}


@pytest.mark.parametrize(
    ("listen", "interfaces"),
    [
        (["/ip4/127.0.0.1/tcp/0"], ["127.0.0.1/8", "192.168.1.5/24"]),
        (["/ip4/0.0.0.0/tcp/1", "/ip6/::1/tcp/0"], ["127.0.0.1/8", "192.168.1.5/24"]),
        (["/ip4/0.0.0.0/tcp/1"], ["127.0.0.1/8", "::1/128"]),
    ],
)
def test_loopback_is_for_whoever_listens_there_or_has_nothing_else(listen: list[str], interfaces: list[str]) -> None:
    ours = reach(listen, [], interfaces)
    assert ours.allows("127.0.0.2")
    assert ours.is_ours("127.0.0.2")


def test_a_link_local_network_is_never_near() -> None:
    assert not reach(["/ip4/0.0.0.0/tcp/1"], [], ["169.254.7.7/16"]).allows("169.254.169.254")
    assert Reach().allows("1.1.1.1")
    with pytest.raises(ValueError, match="nonsense"):
        reach([], ["nonsense"], [])
