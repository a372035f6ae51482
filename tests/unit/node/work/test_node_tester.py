"""The state of a node's means to test answers."""

import trio
from structlog.testing import capture_logs

from node.sandbox.choosing import SandboxOff
from node.sandbox.config import SandboxConfig
from node.work.node_tester import NodeTester, NodeTesterState, find_tester


async def test_a_tester_that_is_closed_while_it_opens_stays_closed() -> None:
    node_tester, searching, found = NodeTester(), trio.Event(), trio.Event()

    async def find() -> SandboxOff:
        searching.set()
        await found.wait()
        return SandboxOff("no compiler", "install one")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(node_tester.open, find)
        await searching.wait()
        node_tester.close("the node stops")
        found.set()
    assert (node_tester.state, node_tester.why_off) == (NodeTesterState.OFF, "the node stops")


async def test_only_what_the_owner_did_not_choose_is_a_warning() -> None:
    async def lost() -> SandboxOff:
        return SandboxOff("no compiler", "install one")

    async def chosen() -> SandboxOff:
        off = await find_tester(SandboxConfig(enabled="off"))
        assert isinstance(off, SandboxOff)
        return off

    with capture_logs() as logs:
        await NodeTester().open(lost)
        await NodeTester().open(chosen)
    assert [entry["log_level"] for entry in logs] == ["warning", "info"]
