"""What a node still knows of its peers after SIGKILL, while its bootstrap is down."""

from __future__ import annotations

import sqlite3
from contextlib import AsyncExitStack, closing
from pathlib import Path

import trio

from node.inference import EngineConfig
from node.local.nodes import Child, NodeSpec, start_node
from node.storage import DATABASE_NAME
from tests.support.processes import PATIENCE_S, POLL_S, get_json, logged

SCRIPTED = EngineConfig(kind="scripted")


async def test_a_node_whose_bootstrap_is_down_finds_its_peers_of_before(tmp_path: Path) -> None:
    """Given three nodes that met through the first, once that and the third are killed, then the third finds the
    second again, though nobody knows its new port, and says that its bootstrap does not answer."""
    async with AsyncExitStack() as stack:
        first = await start_node(NodeSpec(tmp_path / "1", SCRIPTED), stack)
        second = await start_node(NodeSpec(tmp_path / "2", SCRIPTED, bootstrap=first.addresses), stack)
        spec = NodeSpec(tmp_path / "3", SCRIPTED, bootstrap=first.addresses)
        third = await start_node(spec, stack)
        await _remembers(tmp_path / "3", second)
        third.process.kill()
        first.process.kill()
        await third.process.wait()
        await first.process.wait()
        again = await start_node(spec, stack)
        await logged(second.log, lambda record: record["event"] == "peer.disconnected")
        await _connected(again, second)
        status = await trio.to_thread.run_sync(get_json, f"{again.url}/api/status")
        (told,) = status["conditions"]
        assert (told["kind"], told["about"]) == ("bootstrap_down", first.addresses[0])
        assert "--bootstrap" in told["remedy"]


async def _remembers(folder: Path, peer: Child) -> None:
    """Wait until a node's store holds a peer; nobody tells when it does."""
    with trio.fail_after(PATIENCE_S):
        while True:
            with closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
                if connection.execute("SELECT 1 FROM peers WHERE key = ?", (bytes.fromhex(peer.key),)).fetchone():
                    return
            await trio.sleep(POLL_S)


async def _connected(node: Child, peer: Child) -> None:
    with trio.fail_after(PATIENCE_S):
        while True:
            told = await trio.to_thread.run_sync(get_json, f"{node.url}/api/peers")
            if any(each["key"] == peer.key and each["connected"] for each in told["peers"]):
                return
            await trio.sleep(POLL_S)
