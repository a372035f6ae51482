"""A vLLM of the node's own, with a stand-in for the program: it starts, comes back, and leaves nothing behind.

The real one is in tests/vllm.
"""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from node.inference import Engine, EngineConfig, EngineError, JudgingMethod, open_engine
from node.inference import process_guard as keeper
from node.inference.vllm import server as server_module
from node.inference.vllm.server import SESSION_NAME, end_left_behind
from tests.support.processes import PATIENCE_S
from tests.support.vllm_stage import ROOT, Stage

CONFIG = EngineConfig(kind="vllm", context_tokens=2048)

PARENT = """
import json, sys, trio
from pathlib import Path
from node import logs
from node.inference import EngineConfig, VllmConfig, open_engine
async def main():
    vllm = VllmConfig(python=sys.argv[1], model=sys.argv[2])
    async with open_engine(EngineConfig(kind="vllm"), vllm, Path(sys.argv[3])) as engine:
        await engine.server.wait_ready()
        print(engine.server.pid, flush=True)
        await trio.sleep_forever()
logs.configure("error", "json")
trio.run(main)
"""


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@asynccontextmanager
async def opened(stage: Stage, **vllm: Any) -> AsyncIterator[Engine]:
    async with open_engine(CONFIG, replace(stage.config, **vllm), stage.folder) as engine:
        yield engine


async def ready(engine: Engine) -> None:
    assert engine.server is not None
    with trio.fail_after(PATIENCE_S):
        await engine.server.wait_ready()


async def test_it_lives_before_it_serves_and_serves_under_its_name_and_key(stage: Stage) -> None:
    async with opened(stage) as engine:
        with pytest.raises(EngineError, match="vLLM is starting"):
            await engine.probe()
        await ready(engine)
        info = await engine.probe()
        assert (info.kind, info.model, info.context_tokens) == ("vllm", "Model-7B", 2048)
        assert (info.judging, info.constraint) == (JudgingMethod.RAW, "structured_outputs")
        assert engine.concurrency == stage.config.sequences_max
        assert engine.server is not None
        assert (engine.server.lives, engine.server.restarts) == (1, 0)
    log = (stage.folder / "vllm.log").read_text()
    assert "100% Completed" in log
    assert keeper.session_members(stage.session) == set()


async def test_an_adapter_is_asked_by_its_name(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    async with opened(stage, adapter=str(tmp_path)) as engine:
        await ready(engine)
        info = await engine.probe()
    assert (info.model, info.models, info.adapters) == ("strand", ("Model-7B", "strand"), ("strand",))


async def test_a_killed_server_is_back_and_nothing_of_the_old_one_is_left(stage: Stage) -> None:
    async with opened(stage) as engine:
        await ready(engine)
        server = engine.server
        assert server is not None and server.pid is not None
        old = stage.session
        # The keeper, and the server's two processes.
        assert len(keeper.session_members(old)) == 3
        first = min(pid for pid in keeper.session_members(old) if pid != server.pid)
        os.kill(first, signal.SIGKILL)
        with trio.fail_after(PATIENCE_S):
            await server.wait_until(lambda: server.lives == 2)
        assert keeper.session_members(old) == set()
        assert server.restarts == 1
        assert server.trouble.startswith("it was ended by signal 9 (out of memory? dmesg tells) (log: ")
        await engine.probe()


async def test_a_server_that_hangs_is_ended_and_started_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "HEALTH_S", 0.05)
    monkeypatch.setattr(server_module, "HEALTH_TIMEOUT_S", 0.5)
    async with opened(stage) as engine:
        await ready(engine)
        server = engine.server
        assert server is not None
        for pid in keeper.session_members(stage.session) - {server.pid}:
            os.kill(pid, signal.SIGSTOP)
        with trio.fail_after(PATIENCE_S):
            await server.wait_until(lambda: server.lives == 2)
        assert server.trouble.startswith("it did not answer 3 health checks in a row")


async def test_a_keeper_that_is_killed_leaves_nothing_under_a_living_node(stage: Stage) -> None:
    async with opened(stage) as engine:
        await ready(engine)
        server = engine.server
        assert server is not None and server.pid is not None
        old = stage.session
        os.kill(server.pid, signal.SIGKILL)
        with trio.fail_after(PATIENCE_S):
            await server.wait_until(lambda: bool(server.trouble))
        assert server.trouble.startswith("its keeper was ended by signal 9")
        assert keeper.session_members(old) == set()


async def test_a_disk_that_refuses_costs_the_engine_and_not_the_node(stage: Stage) -> None:
    async with opened(stage) as engine:
        await ready(engine)
        server = engine.server
        assert server is not None and server.pid is not None
        # Nothing can be written there: not the log, nor who runs.
        (stage.folder / "vllm.log").unlink()
        (stage.folder / "vllm.log").mkdir()
        os.kill(server.pid, signal.SIGKILL)
        with trio.fail_after(PATIENCE_S):
            await server.wait_until(lambda: "this machine refuses" in server.trouble)
        assert "vllm.log" in server.trouble


@pytest.mark.parametrize("option", ["--port", "--api-key=mine", "--served-model-name"])
async def test_an_argument_that_is_the_nodes_to_set_is_refused(stage: Stage, option: str) -> None:
    with pytest.raises(EngineError, match=rf"\[vllm\] arguments: {option.partition('=')[0]} is the node's to set"):
        async with opened(stage, arguments=(option, "1")):
            pass


def test_all_of_it_ends_when_the_node_is_killed(stage: Stage) -> None:
    command = [sys.executable, "-c", PARENT, stage.config.python, str(stage.model), str(stage.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as node:
        assert node.stdout is not None
        ended = os.pidfd_open(int(node.stdout.readline()))
        node.kill()
    try:
        # A pidfd is readable when its process has ended, and the keeper is the last to go.
        assert select.select([ended], [], [], PATIENCE_S)[0] == [ended]
    finally:
        os.close(ended)
    assert keeper.session_members(stage.session) == set()


def test_what_a_killed_keeper_left_is_ended_at_the_next_start(stage: Stage) -> None:
    command = [sys.executable, "-c", PARENT, stage.config.python, str(stage.model), str(stage.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as node:
        assert node.stdout is not None
        pid = int(node.stdout.readline())
        node.send_signal(signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        node.kill()
    session = stage.session
    # Its first process goes with the keeper; the second one would stay for ever.
    assert keeper.session_members(session) != set()
    end_left_behind(stage.folder)
    assert keeper.session_members(session) == set()


def test_a_session_of_the_same_number_that_is_not_ours_is_left_alone(stage: Stage, tmp_path: Path) -> None:
    stage.folder.mkdir()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with subprocess.Popen(["sleep", "60"], start_new_session=True, cwd=tmp_path) as other:
        (stage.folder / SESSION_NAME).write_text(f"{boot} {other.pid}")
        end_left_behind(stage.folder)
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        ("ValueError: LoRA rank 128 is greater than max_lora_rank 64.", "adapter_rank_max = 128"),
        ("RuntimeError: No CUDA GPUs are available", "finds no GPU"),
        ("ValueError: something else", "ValueError: something else"),
    ],
)
async def test_a_first_start_that_fails_is_one_clear_line(stage: Stage, printed: str, told: str) -> None:
    stage.behave(fail=printed)
    with pytest.raises(ExceptionGroup) as caught, trio.fail_after(PATIENCE_S):
        async with opened(stage):
            await trio.sleep_forever()
    (error,) = caught.value.exceptions
    assert isinstance(error, EngineError)
    assert str(error).startswith("vLLM did not start: ") and told in str(error)
    assert "\n" not in str(error)


async def test_a_port_that_is_taken_is_said_at_once(stage: Stage) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EngineError, match=rf"\[vllm\] port: another program has port {port}"):
            async with opened(stage, port=port):
                pass


async def test_a_server_that_never_serves_is_given_up(stage: Stage) -> None:
    stage.behave(deaf=True)
    with pytest.raises(ExceptionGroup) as caught, trio.fail_after(PATIENCE_S):
        async with opened(stage, start_timeout_ms=1_500):
            await trio.sleep_forever()
    assert "it was not ready within 2 s" in str(caught.value.exceptions[0])
    assert keeper.session_members(stage.session) == set()


async def test_an_environment_without_vllm_says_how_to_install_it(stage: Stage) -> None:
    with pytest.raises(ExceptionGroup) as caught, trio.fail_after(PATIENCE_S):
        async with opened(stage, python=sys.executable):
            await trio.sleep_forever()
    assert "pip install vllm" in str(caught.value.exceptions[0])


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("python", "/nowhere/bin/python", r"python3 -m venv /nowhere && /nowhere/bin/pip install vllm"),
        ("model", "/nowhere", r"\[vllm\] model: /nowhere is no folder with a file config\.json"),
        ("adapter", "./nowhere", r"\[vllm\] adapter: \./nowhere is no folder"),
    ],
)
async def test_what_can_be_seen_is_said_at_once(stage: Stage, key: str, value: str, told: str) -> None:
    with pytest.raises(EngineError, match=told):
        async with opened(stage, **{key: value}):
            pass
