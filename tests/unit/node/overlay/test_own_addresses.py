"""Addresses of our own, as a person writes them: what works, and what is said of the rest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from node.overlay.addresses import why_not_announce, why_not_bootstrap, why_not_listen
from node.overlay.identity import peer_id_text
from node.overlay.interfaces import Interface, OwnInterfaces, interfaces, is_inner, reachable

ID = peer_id_text(bytes([1]) * 32)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/ip4/0.0.0.0/tcp/4211", None),
        ("/ip4/127.0.0.1/tcp/0", None),
        ("/ip6/::/tcp/4211", None),
        ("/ip6/::1/tcp/4211", None),
        ("/dns4/localhost/tcp/4211", "write /ip4/127.0.0.1/tcp/4211"),
        ("/dns/localhost/tcp/4211", "write /ip4/127.0.0.1/tcp/4211"),
        ("/dns4/node.example/tcp/4211", "write /ip4/192.0.2.7/tcp/4211 with an address of this machine"),
        ("localhost:4211", "write /ip4/127.0.0.1/tcp/4211"),
        ("0.0.0.0:4211", "write /ip4/0.0.0.0/tcp/4211"),
        ("http://127.0.0.1:4211/", "write /ip4/127.0.0.1/tcp/4211"),
        ("[::]:4211", "write /ip6/::/tcp/4211"),
        ("/ip4/0.0.0.0/udp/4211/quic-v1", "only TCP is spoken, not quic-v1: write /ip4/0.0.0.0/tcp/4211"),
        ("/ip4/0.0.0.0/udp/4211", "only TCP is spoken, not udp: write /ip4/0.0.0.0/tcp/4211"),
        ("/ip4/0.0.0.0/tcp/4211/ws", "only TCP is spoken, not ws: write /ip4/0.0.0.0/tcp/4211"),
        ("/ip6/::/tcp/4211/tls/ws", "only TCP is spoken, not tls/ws: write /ip6/::/tcp/4211"),
        (f"/ip4/0.0.0.0/tcp/4211/p2p/{ID}", "write /ip4/0.0.0.0/tcp/4211"),
        ("/ip4/224.0.0.1/tcp/4211", "write /ip4/0.0.0.0/tcp/4211"),
        ("/ip6/::ffff:10.0.0.1/tcp/4211", "write /ip4/10.0.0.1/tcp/4211"),
        ("/ip4/::1/tcp/4211", "write /ip6/::1/tcp/4211"),
        ("/ip4/0.0.0.0/tcp/65536", "not a multiaddr"),
        ("nonsense", "not a multiaddr such as /ip4/0.0.0.0/tcp/4211"),
        ("", "not a multiaddr"),
        ("/ip4/" + "1" * 5_000, "not a multiaddr"),
    ],
)
def test_what_can_be_listened_on(text: str, told: str | None) -> None:
    _says(why_not_listen(text), told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/ip4/198.51.100.7/tcp/4211", None),
        ("/dns4/node.example/tcp/4211", None),
        (f"/ip4/198.51.100.7/tcp/4211/p2p/{ID}", None),
        ("/ip4/0.0.0.0/tcp/4211", "nobody can dial 0.0.0.0: write /ip4/<the address that others reach>/tcp/4211"),
        ("/ip6/::/tcp/4211", "nobody can dial ::: write /ip6/<the address that others reach>/tcp/4211"),
        ("/ip6/fe80::1/tcp/4211", "nobody can dial fe80::1"),
        ("/ip4/198.51.100.7/tcp/0", "write the port that others reach"),
        ("/ip4/198.51.100.7/udp/4211/quic-v1", "only TCP is dialled, not quic-v1: write /ip4/198.51.100.7/tcp/4211"),
        ("/ip4/198.51.100.7/tcp/4211/ws", "only TCP is dialled, not ws: write /ip4/198.51.100.7/tcp/4211"),
        ("/dns4/node.example/tcp/443/wss", "write /dns/node.example/tcp/443"),
        ("node.example:4211", "write /dns/node.example/tcp/4211"),
        ("198.51.100.7:4211", "write /ip4/198.51.100.7/tcp/4211"),
        ("198.51.100.7", "not a multiaddr"),
        ("/ip4/198.51.100.7/tcp/4211/p2p/nobody", "write /ip4/198.51.100.7/tcp/4211"),
    ],
)
def test_what_can_be_announced(text: str, told: str | None) -> None:
    _says(why_not_announce(text), told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"/ip4/198.51.100.7/tcp/4211/p2p/{ID}", None),
        (f"/dns4/node.example/tcp/4211/p2p/{ID}", None),
        ("/ip4/198.51.100.7/tcp/4211", "it must end in the peer's id: /ip4/198.51.100.7/tcp/4211/p2p/<peer id>"),
        ("/ip4/198.51.100.7/tcp/4211/p2p/Qm", "no id of a node"),
        (f"/ip4/0.0.0.0/tcp/4211/p2p/{ID}", "nobody can dial 0.0.0.0"),
        (f"/ip4/198.51.100.7/udp/4211/quic-v1/p2p/{ID}", "only TCP is dialled"),
        ("198.51.100.7:4211", "write /ip4/198.51.100.7/tcp/4211, and end it in /p2p/<peer id>"),
    ],
)
def test_what_leads_to_a_bootstrap_peer(text: str, told: str | None) -> None:
    _says(why_not_bootstrap(text), told)


_LIKE_ADDRESSES = st.from_regex(
    r"/(ip4|ip6|dns|dns4)/[^/]{1,20}/(tcp|udp)/[0-9]{1,6}(/ws|/quic-v1|/p2p/Qm|/p2p/" + ID + r"|/[^/]{1,5})?",
    fullmatch=True,
)


@given(st.text(max_size=400) | _LIKE_ADDRESSES)
@example("/ip4/10.0.0.1%\n/udp/1")
@example("/dns4/a\nb/udp/1/quic-v1")
def test_whatever_is_written_the_answer_is_one_line_and_the_form_in_it_works(text: str) -> None:
    for why_not in (why_not_listen, why_not_announce, why_not_bootstrap):
        why = why_not(text)
        if why is None:
            continue
        assert why.isprintable() and len(why) < 3_000
        if (form := re.search(r"write (/\S+/tcp/\d+)(?:$|,)", why)) and why_not is not why_not_bootstrap:
            assert why_not(form[1]) is None


def _says(why: str | None, told: str | None) -> None:
    if told is None or why is None:
        assert why == told
    else:
        assert told in why
        assert "\n" not in why and len(why) < 500


LAN = Interface("192.168.7.2/24")
DOCKER = Interface("172.17.0.1/16", inner=True)
LOOPBACK = (Interface("127.0.0.1/8"), Interface("::1/128"))
PUBLIC = Interface("2606:4700:7::2/64")
LINK_LOCAL = Interface("fe80::1/64")


@pytest.mark.parametrize(
    ("listening", "own", "told"),
    [
        ("/ip4/0.0.0.0/tcp/1", (*LOOPBACK, DOCKER, LAN, PUBLIC), ["/ip4/192.168.7.2/tcp/1"]),
        ("/ip6/::/tcp/1", (*LOOPBACK, LAN, LINK_LOCAL, PUBLIC), ["/ip6/2606:4700:7::2/tcp/1"]),
        ("/ip4/172.17.0.1/tcp/1", (DOCKER, LAN), ["/ip4/172.17.0.1/tcp/1"]),
        ("/ip4/0.0.0.0/tcp/1", (*LOOPBACK, DOCKER), ["/ip4/172.17.0.1/tcp/1"]),
        ("/ip4/0.0.0.0/tcp/1", LOOPBACK, ["/ip4/127.0.0.1/tcp/1"]),
        ("/ip6/::/tcp/1", (LAN,), []),
        (
            "/ip4/0.0.0.0/tcp/1",
            (LAN, Interface("100.64.0.7/10"), Interface("1.1.1.1/24")),
            ["/ip4/1.1.1.1/tcp/1", "/ip4/100.64.0.7/tcp/1", "/ip4/192.168.7.2/tcp/1"],
        ),
    ],
)
def test_a_wildcard_is_told_as_what_others_can_reach(
    listening: str, own: tuple[Interface, ...], told: list[str]
) -> None:
    assert list(reachable([listening], own)) == told


def test_only_a_bridge_without_a_device_is_inner(tmp_path: Path) -> None:
    """The folder is as Linux shows it: docker0 with a container, virbr0 without, br0 with a card, br1 with a bond."""
    for path in ("docker0/bridge", "docker0/brif/veth1", "veth1", "virbr0/bridge", "br0/bridge", "br0/brif/eth0",
                 "eth0/device", "br1/bridge", "br1/brif/bond0", "bond0/lower_eth1", "lan0"):  # fmt: skip
        (tmp_path / path).mkdir(parents=True, exist_ok=True)
    found = {name: is_inner(name, tmp_path) for name in ("docker0", "virbr0", "br0", "br1", "eth0", "lan0", "gone")}
    assert [name for name, inner in found.items() if inner] == ["docker0", "virbr0"]


def test_this_machines_interfaces_are_read() -> None:
    assert "127.0.0.1/8" in [each.address for each in interfaces()]


def test_a_look_tells_what_came_went_or_changed_and_survives_a_system_that_does_not_tell() -> None:
    lan, other = Interface("192.168.1.5/24"), Interface("10.0.0.5/8")
    seen: list[tuple[Interface, ...] | OSError] = [
        (*LOOPBACK, lan), (lan, *LOOPBACK), LOOPBACK, OSError(24, "Too many open files"), (*LOOPBACK, other),
    ]  # fmt: skip

    def read() -> tuple[Interface, ...]:
        found = seen.pop(0)
        if isinstance(found, OSError):
            raise found
        return found

    own = OwnInterfaces(read)
    assert own.now == (*LOOPBACK, lan)
    assert [own.look() for _ in range(4)] == [False, True, False, True]
    assert own.now == (*LOOPBACK, other)
