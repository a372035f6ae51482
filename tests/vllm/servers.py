"""Model servers out of vLLM's environment, for tests and benchmarks: vLLM on CPUs, and `transformers serve`.

Both take SmolLM2 as a checkpoint, start in half a minute or more, and are held by the node's own keeper: whatever
becomes of a test, none of their processes outlives it.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from node.inference import EngineConfig, EngineError, VllmConfig
from node.inference import process_guard as keeper
from node.inference.embedded import find_model
from node.inference.http_json import open_json_client
from node.inference.supervision import end_with_stdin, last_line
from node.inference.vllm.command import arguments, environment
from node.inference.vllm.server import STOP_S, free_port
from node.models.conversion import convert_gguf

BIN = Path(os.environ.get("STRAND_TEST_VLLM") or Path(__file__).parents[2] / ".venv-vllm") / "bin"
"""Programs of vLLM's environment, which `make test-vllm` makes."""

CHECKPOINT = Path(tempfile.gettempdir()) / "strand-smollm2-checkpoint"
"""Half a minute's work, and kept from run to run; the model's file never changes."""

SEQUENCES_MAX = 8
"""Requests that vLLM works on at once: on two cores more only take memory."""

READY_S = 300.0
"""vLLM takes 30 to 90 s on a machine that has nothing else to do, and a checkpoint no longer."""

POLL_S = 0.5
"""Between two looks whether a server is ready, which tells nobody."""

REQUEST_TIMEOUT_MS = 600_000
"""Long, because the slowest server works on one request at a time and other work shares the machine."""

HUB_NAME = "strand/smollm2"
"""`transformers serve` lists what lies in the hub's cache, by such names, and nothing else."""

REVISION = "0" * 40


@dataclass(frozen=True, slots=True)
class Launched:
    """A server that is ready."""

    config: EngineConfig
    pid: int
    """The keeper's: all processes of the server descend from it."""


async def checkpoint() -> Path:
    """SmolLM2 in the form that these servers load. Raises ModelError where it cannot be made."""
    if not CHECKPOINT.is_dir():
        with trio.fail_after(READY_S):
            await convert_gguf(find_model(EngineConfig()).path, CHECKPOINT, str(BIN / "python"), lambda _step: None)
    return CHECKPOINT


@asynccontextmanager
async def vllm(context_tokens: int = 2048) -> AsyncIterator[EngineConfig]:
    """The configuration of an engine at a vLLM, for as long as the block runs."""
    async with launched_vllm(context_tokens) as server:
        yield server.config


@asynccontextmanager
async def launched_vllm(context_tokens: int) -> AsyncIterator[Launched]:
    """A vLLM, for as long as the block runs."""
    port, key = free_port(), secrets.token_urlsafe(24)
    served = EngineConfig(kind="vllm", model="smollm2", context_tokens=context_tokens)
    settings = VllmConfig(
        python=str(BIN / "python"),
        model=str(await checkpoint()),
        dtype="bfloat16",
        sequences_max=SEQUENCES_MAX,
        arguments=("--enforce-eager",),
    )
    config = EngineConfig(
        kind="openai",
        url=f"http://127.0.0.1:{port}",
        api_key=key,
        concurrency=SEQUENCES_MAX,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    variables = environment(os.environ, key) | {"VLLM_CPU_KVCACHE_SPACE": "1"}
    async with _launched(arguments(served, settings, port), variables, config) as pid:
        yield Launched(config, pid)


@asynccontextmanager
async def transformers_serve() -> AsyncIterator[EngineConfig]:
    """The configuration of an engine at a `transformers serve`, for as long as the block runs."""
    port = free_port()
    config = EngineConfig(
        kind="openai",
        url=f"http://127.0.0.1:{port}",
        # It tells none and has no limit of its own: what is asked of it must be our measure.
        context_tokens=2048,
        # It has one thread for all requests.
        concurrency=1,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    with tempfile.TemporaryDirectory(prefix="strand-hub-") as folder:
        hub = Path(folder)
        _fill(hub, await checkpoint())
        argv = [BIN / "transformers", "serve", HUB_NAME, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
        # bfloat16 wrote a token a second on busy cores; float32, by one thread that waits idly, twenty.
        ours = {"HF_HUB_CACHE": str(hub), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
        async with _launched([*argv, "--dtype", "float32"], os.environ | ours, config):
            yield config


def _fill(hub: Path, folder: Path) -> None:
    """Make a hub's cache in which a checkpoint's folder is a model from the hub."""
    model = hub / f"models--{HUB_NAME.replace('/', '--')}"
    snapshot = model / "snapshots" / REVISION
    for each in (snapshot, model / "refs", model / "blobs"):
        each.mkdir(parents=True)
    (model / "refs" / "main").write_text(REVISION)
    for path in folder.iterdir():
        (snapshot / path.name).symlink_to(path)


@asynccontextmanager
async def _launched(
    argv: Sequence[str | Path], variables: Mapping[str, str], config: EngineConfig
) -> AsyncIterator[int]:
    """Run a server under a keeper until the block ends; yields the keeper's pid when the server is ready."""
    settings = {"argv": [str(word) for word in argv], "env": {**variables, "HF_HUB_OFFLINE": "1"}}
    with tempfile.TemporaryFile(prefix="strand-server-") as log:
        async with trio.open_nursery() as nursery:
            start = partial(
                trio.run_process,
                [sys.executable, "-P", keeper.__file__],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                deliver_cancel=partial(end_with_stdin, patience_s=STOP_S),
                start_new_session=True,
            )
            process: trio.Process = await nursery.start(start)
            assert process.stdin is not None
            await process.stdin.send_all(json.dumps(settings).encode() + b"\n")
            if not await _becomes_ready(process, config):
                nursery.cancel_scope.cancel()
            else:
                yield process.pid
                nursery.cancel_scope.cancel()
                return
        log.seek(0)
        raise RuntimeError(f"{Path(argv[0]).name} was not ready within {READY_S:.0f} s: {last_line(log.read())}")


async def _becomes_ready(process: trio.Process, config: EngineConfig) -> bool:
    """Wait until a server replies; False where it ends first or takes too long."""
    with trio.move_on_after(READY_S):
        async with open_json_client(config, timeout_ms=5_000, concurrency=1) as client:
            while process.poll() is None:
                try:
                    await client.text("/health")
                except EngineError:
                    await trio.sleep(POLL_S)
                else:
                    return True
    return False
