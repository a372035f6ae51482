"""Nodes that cannot take part notice it, and say in one line why and what helps."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import trio

from node.inference import EngineConfig
from node.local.nodes import Child, NodeSpec, start_node
from tests.support.processes import Shell, get_json, logged

SCRIPTED = EngineConfig(kind="scripted")
STRAND = (sys.executable, "-P", "-m", "node")
A_MINUTE_AHEAD = """
import runpy, time
real = time.time
time.time = lambda: real() + 60
runpy.run_module("node", run_name="__main__")
"""
"""A machine whose clock is wrong, for a process of its own."""


async def test_what_keeps_a_node_out_is_one_line_with_what_helps(shell: Shell, tmp_path: Path) -> None:
    """Given a node, and three that join it with a wrong clock, other parameters, and another shard without a weight."""
    weightless_elsewhere = ("env", "STRAND_NODE_SHARD=3", "STRAND_TRUST_DEFAULT_WEIGHT=0", *STRAND)
    specs = {
        "clock_off": NodeSpec(tmp_path / "clock", SCRIPTED, command=(sys.executable, "-P", "-c", A_MINUTE_AHEAD)),
        "other_parameters": NodeSpec(tmp_path / "parameters", SCRIPTED, network="minimal"),
        "other_submesh": NodeSpec(tmp_path / "shard", SCRIPTED, command=weightless_elsewhere),
    }
    children: dict[str, Child] = {}
    async with AsyncExitStack() as stack:
        first = await start_node(NodeSpec(tmp_path / "first", SCRIPTED), stack)

        async def join(kind: str, spec: NodeSpec) -> None:
            children[kind] = await start_node(spec, stack)

        async with trio.open_nursery() as nursery:
            for kind, spec in specs.items():
                nursery.start_soon(join, kind, replace(spec, bootstrap=first.addresses[:1]))
        for kind, words in (
            ("clock_off", "ahead by 60"),
            ("other_parameters", "1 of 1 peers have other network parameters"),
            ("other_submesh", "no peer works on 'rust' in shard 3 as this node does"),
        ):
            told = await logged(children[kind].log, lambda record, kind=kind: record.get("condition") == kind)
            assert words in told["text"] and told["remedy"]
        weightless = children["other_submesh"]
        told = await logged(weightless.log, lambda record: record.get("condition") == "no_weight")
        assert "trust.default_weight" in told["remedy"]
        status = await trio.to_thread.run_sync(get_json, f"{weightless.url}/api/status")
        assert [each["kind"] for each in status["conditions"]] == ["other_submesh", "no_weight"]
        shown = await trio.to_thread.run_sync(shell.strand, "status", "--url", weightless.url)
        for each in status["conditions"]:
            assert f"{each['text']}: {each['remedy']}\n" in shown.stdout
