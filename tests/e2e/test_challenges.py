"""Newcomers of a running swarm are challenged over loopback: who passes has weight, who does not has none."""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import trio

from node.gold.newcomer import ITEMS_MAX
from node.inference import EngineConfig
from node.local.nodes import Child, NodeSpec, start_node
from tests.support.processes import Shell, get_json, logged, wait_offers

ITEMS = [{"prompt": f"Write f{n}.", "right": f"fn f{n}() {{}}", "wrong": f"fn g{n}() {{}}"} for n in range(ITEMS_MAX)]


def challenger(folder: Path) -> NodeSpec:
    """A node that knows nobody, and challenges as often as its configuration allows."""
    file = folder / "items.json"
    file.write_text(json.dumps(ITEMS))
    settings = {"trust.default_weight": 0.0, "challenge.interval_s": 1, "challenge.items_per_hour": 120}
    command = (sys.executable, "-P", "-m", "tests.support.challenging_node", str(file))
    engine = EngineConfig(kind="scripted")
    return NodeSpec(folder / "challenger", engine, friends=False, settings=settings, command=command)


def newcomer(folder: Path, name: str, challenger: Child, *, knows: bool) -> NodeSpec:
    """A node that serves the challenger as one that it knows; `knows` the truth of every item, or nothing."""
    script = folder / f"{name}.json"
    texts = [{"text": each["right"], "quality": 1, "query": each["prompt"]} for each in ITEMS]
    texts += [{"text": each["wrong"], "quality": 0, "query": f"not {each['prompt']}"} for each in ITEMS]
    script.write_text(json.dumps({"answers": texts if knows else [{"text": "fn h() {}", "quality": 0.5}]}))
    return NodeSpec(
        folder / name,
        EngineConfig(kind="scripted", script=str(script)),
        bootstrap=challenger.addresses,
        friends=False,
        settings={"trust.trusted": {challenger.key: 1.0}},
    )


async def records(challenger: Child) -> dict[str, dict[str, Any]]:
    """What the challenger knows of each node, by key."""
    told = await trio.to_thread.run_sync(get_json, f"{challenger.url}/api/reputation")
    return {node["key"]: node for node in told["nodes"] if node["challenges"] is not None}


def is_decided(node: Child, record: dict[str, Any]) -> bool:
    """Whether a line of the challenger's log says that a node's challenges are over."""
    return record["event"] == "newcomer.decided" and node.key.startswith(record["peer"])


async def test_who_passes_has_weight_and_who_does_not_has_none(shell: Shell, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        spec = challenger(tmp_path)
        asker = await start_node(spec, stack)
        good = await start_node(newcomer(tmp_path, "good", asker, knows=True), stack)
        bad = await start_node(newcomer(tmp_path, "bad", asker, knows=False), stack)
        await wait_offers(asker.url, 3)
        for node in (good, bad):
            await logged(asker.log, partial(is_decided, node))
        known = await records(asker)
        passed, closed = known[good.key], known[bad.key]
        assert (passed["challenges"]["state"], closed["challenges"]["state"]) == ("passed", "closed")
        assert passed["challenges"]["items"] <= ITEMS_MAX and passed["challenges"]["answers_failed"] == 0
        assert 0.0 < passed["weights"]["code"]["vote"] <= 0.5
        assert closed["challenges"]["answers_passed"] == 0 and closed["weights"]["code"]["vote"] == 0.0

        shown = await trio.to_thread.run_sync(lambda: shell.strand("reputation", "show", "--url", asker.url))
        (line,) = [each for each in shown.stdout.splitlines() if good.key[:12] in each]
        assert "passed" in line

        asker.process.kill()
        await asker.process.wait()
        again = await start_node(spec, stack)
        assert (await records(again))[good.key]["challenges"] == passed["challenges"]
        assert (await records(again))[good.key]["weights"] == passed["weights"]
