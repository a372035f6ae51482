"""The state of a node's means to test answers."""

import trio
from structlog.testing import capture_logs

from node.sandbox.choosing import SandboxOff
from node.sandbox.config import SandboxConfig
from node.work.toolbox import Toolbox, ToolState, find_tester


async def test_a_toolbox_that_is_closed_while_it_opens_stays_closed() -> None:
    toolbox, searching, found = Toolbox(), trio.Event(), trio.Event()

    async def find() -> SandboxOff:
        searching.set()
        await found.wait()
        return SandboxOff("no compiler", "install one")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(toolbox.open, find)
        await searching.wait()
        toolbox.close("the node stops")
        found.set()
    assert (toolbox.state, toolbox.why_off) == (ToolState.OFF, "the node stops")


async def test_only_what_the_owner_did_not_choose_is_a_warning() -> None:
    async def lost() -> SandboxOff:
        return SandboxOff("no compiler", "install one")

    async def chosen() -> SandboxOff:
        off = await find_tester(SandboxConfig(enabled="off"))
        assert isinstance(off, SandboxOff)
        return off

    with capture_logs() as logs:
        await Toolbox().open(lost)
        await Toolbox().open(chosen)
    assert [entry["log_level"] for entry in logs] == ["warning", "info"]
