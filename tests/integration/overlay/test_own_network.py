"""A machine whose network becomes another while its node runs."""

import subprocess
import sys

import pytest

from tests.support.hosts import why_not

PROGRAM = """
import trio
from node import logs
from node.overlay import OverlayConfig, host, open_overlay
from tests.integration.overlay.world import Recorder
from tests.support.switch import address, open_host, set_address

host._LOOK_S = 0.05

async def main():
    async with open_overlay(bytes([1]) * 32, OverlayConfig(listen=("/ip4/0.0.0.0/tcp/4211",)), Recorder()) as overlay:
        print(*overlay.addresses())
        set_address(address(6))
        with trio.fail_after(20):
            await overlay.addresses_changed.wait(0)
        print(*overlay.addresses())

logs.configure("warning", "console")
open_host(0)
trio.run(main)
"""

reason = why_not()


@pytest.mark.skipif(reason is not None, reason=reason or "")
def test_peers_are_told_the_address_that_dhcp_gave_last() -> None:
    command = [sys.executable, "-P", "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    before, after = done.stdout.splitlines()
    assert before.startswith("/ip4/11.77.1.1/tcp/4211/p2p/") and " " not in before
    assert after == before.replace("11.77.1.1", "11.77.7.1")
