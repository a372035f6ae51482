"""Where a node listens, what it tells of that, and how names are resolved; stock libp2p beside ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from node.overlay import OverlayError
from tests.integration.overlay.places import NAMES, isolated, why_not
from tests.integration.overlay.world import Recorder, node

_ROOT = Path(__file__).parents[3]

reason = why_not()
needs_machine = pytest.mark.skipif(reason is not None, reason=reason or "")


def _run(which: str, folder: Path) -> dict[str, Any]:
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {' '.join(NAMES)}\n")
    program = [sys.executable, "-P", "-m", "tests.integration.overlay.places", which]
    ended = subprocess.run(
        isolated(str(hosts), *program),
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return told


@needs_machine
def test_the_overlay_listens_where_it_is_told_and_tells_where_it_can_be_reached(tmp_path: Path) -> None:
    """Given a machine with a container's bridge, both wildcards on one port, and a name in /etc/hosts."""
    told = _run("fixed", tmp_path)
    assert told["by name"] == []
    assert sorted(told["both wildcards"]) == ["0.0.0.0", "::"]
    assert told["addresses"] == ["/ip6/2606:4700:7::2/tcp/4215", "/ip4/192.168.7.2/tcp/4215"]
    assert told["identify"] == sorted(told["addresses"])
    assert told["/etc/hosts"] == list(NAMES)


@needs_machine
def test_stock_libp2p_does_not(tmp_path: Path) -> None:
    """It takes both wildcards, but only with SO_REUSEPORT, which lets two nodes share a port."""
    told = _run("stock", tmp_path)
    assert "0.0.0.0" in told["by name"]
    assert told["identify"] == ["/ip4/0.0.0.0/tcp/4213"]
    assert told["/etc/hosts"] == []


@pytest.mark.parametrize(
    ("setting", "text", "told"),
    [
        ("listen", "/dns4/localhost/tcp/0", "write /ip4/127.0.0.1/tcp/0"),
        ("announce", "/ip4/0.0.0.0/tcp/4211", "nobody can dial 0.0.0.0"),
        ("listen", "/ip4/127.0.0.1/udp/0/quic-v1", "only TCP"),
    ],
)
async def test_the_overlay_itself_refuses_what_cannot_work(setting: str, text: str, told: str) -> None:
    with pytest.raises(OverlayError, match=told):
        async with node(1, Recorder(), **{setting: (text,)}):
            pytest.fail("started")


async def test_an_announced_address_of_another_node_is_refused() -> None:
    async with node(1, Recorder()) as other:
        with pytest.raises(OverlayError, match="names another node"):
            async with node(2, Recorder(), announce=(other.addresses()[0],)):
                pytest.fail("started")


async def test_an_announced_address_is_told_with_our_id_once() -> None:
    async with node(1, Recorder()) as overlay:
        own = overlay.addresses()[0].rpartition("/")[2]
    for text in ("/dns/node.example/tcp/4211", f"/dns/node.example/tcp/4211/p2p/{own}"):
        async with node(1, Recorder(), announce=(text,)) as overlay:
            assert overlay.addresses() == (f"/dns/node.example/tcp/4211/p2p/{own}",)


async def test_a_bootstrap_peer_is_found_by_its_name() -> None:
    """`localhost` stands in /etc/hosts: no DNS server is asked."""
    two = Recorder()
    async with node(1, Recorder()) as one:
        by_name = one.addresses()[0].replace("/ip4/127.0.0.1/", "/dns4/localhost/")
        async with node(2, two, bootstrap=(by_name,)):
            await two.wait_peer(one)


async def test_a_port_in_use_and_an_address_that_is_not_ours_are_told_apart() -> None:
    async with node(1, Recorder()) as one:
        taken = one.addresses()[0].partition("/p2p/")[0]
        with pytest.raises(OverlayError, match="the port is in use"):
            async with node(2, Recorder(), listen=(taken,)):
                pytest.fail("started")
    with pytest.raises(OverlayError, match="this machine has no such address"):
        async with node(2, Recorder(), listen=("/ip4/192.0.2.1/tcp/0",)):
            pytest.fail("started")
