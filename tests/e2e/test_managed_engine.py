"""A node whose model server is its own: it lives before the server does and without it, and offers only with it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import trio

from node.inference import EngineConfig
from node.inference import process_guard as keeper
from node.local.nodes import Child, NodeSpec, start_node
from tests.support.processes import PATIENCE_S, POLL_S, Shell, get_json, get_text, wait_offers
from tests.support.vllm_stage import Stage


async def told_when(node: Child, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What a node tells of its engine and offers, when a condition on it holds."""
    with trio.fail_after(PATIENCE_S):
        while True:
            told: dict[str, Any] = await trio.to_thread.run_sync(get_json, f"{node.url}/api/engine")
            status = await trio.to_thread.run_sync(get_json, f"{node.url}/api/status")
            told["offering"] = status["nodes_offering"]
            if holds(told):
                return told
            await trio.sleep(POLL_S)


async def test_a_node_lives_before_its_engine_and_without_it(shell: Shell, tmp_path: Path) -> None:
    stage = Stage(tmp_path, tmp_path / "node" / "vllm")
    stage.close_gate()
    spec = NodeSpec(tmp_path / "node", EngineConfig(kind="vllm", context_tokens=2048), vllm=stage.config)
    async with AsyncExitStack() as stack:
        node = await start_node(spec, stack)
        told = await told_when(node, lambda told: told["server"]["stage"] == "compiling")
        assert (told["answers"], told["offering"], told["failures"]) == (False, 0, 0)
        assert "vLLM is compiling" in told["trouble"]
        words = await trio.to_thread.run_sync(shell.strand, "engine", "--url", node.url)
        assert words.code == 4
        assert "compiling" in words.stdout

        await trio.to_thread.run_sync(stage.open_gate)
        await wait_offers(node.url, 1)
        told = await told_when(node, lambda told: told["answers"])
        assert (told["kind"], told["probe"]["model"]) == ("vllm", "Model-7B")
        assert (told["server"]["stage"], told["server"]["restarts"], told["trouble"]) == ("ready", 0, None)

        first = min(keeper.session_members(stage.session) - {told["server"]["pid"]})
        os.kill(first, signal.SIGKILL)
        # Withdrawn at once, long before the offer would be renewed (30 s), and while the next start waits.
        told = await told_when(node, lambda told: told["server"]["restarts"] == 1 and not told["offering"])
        assert told["answers"] is False
        assert "signal 9" in told["trouble"]
        await trio.to_thread.run_sync(stage.open_gate)
        await wait_offers(node.url, 1)
        metrics = await trio.to_thread.run_sync(get_text, f"{node.url}/metrics")
        assert 'strand_engine_server_stage{stage="ready"} 1.0' in metrics
        assert "strand_engine_server_restarts_total 1.0" in metrics
        session = stage.session
        assert keeper.session_members(session) != set()
    assert keeper.session_members(session) == set()


def test_a_server_that_cannot_start_ends_the_node_with_one_line(shell: Shell, tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.behave(fail="ValueError: LoRA rank 128 is greater than max_lora_rank 64.")
    config = tmp_path / "node.toml"
    config.write_text(
        f'[node]\ndata_dir = "{tmp_path}/node"\n[overlay]\nlisten = ["/ip4/127.0.0.1/tcp/0"]\n'
        f'[api]\nbind = "127.0.0.1:0"\n[engine]\nkind = "vllm"\n'
        f'[vllm]\npython = "{stage.config.python}"\nmodel = "{stage.config.model}"\n'
    )
    ran = shell.strand("run", "--config", config)
    assert ran.code == 4
    assert ran.stderr.splitlines()[-1].startswith("strand: vLLM did not start: the adapter's rank is 128: set [vllm]")
    assert "Traceback" not in ran.stderr
