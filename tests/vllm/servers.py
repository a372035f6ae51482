"""Model servers out of vLLM's environment, for tests and benchmarks: vLLM on CPUs, and `transformers serve`.

Both take SmolLM2 as a checkpoint, start in half a minute or more, and are held by the node's own keeper: whatever
becomes of a test, none of their processes outlives it.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from node.inference import EngineConfig, EngineError, keeper
from node.inference.embedded import find_model
from node.inference.http_json import open_json_client
from node.inference.supervision import last_line
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

STOP_S = keeper.TERM_S + keeper.KILL_S + 2.0
"""For the keeper to end everything, before it is killed itself."""

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
    options = {
        "--model": str(await checkpoint()),
        "--served-model-name": "smollm2",
        "--host": "127.0.0.1",
        "--port": str(port),
        "--dtype": "bfloat16",
        "--max-model-len": str(context_tokens),
        "--max-num-seqs": str(SEQUENCES_MAX),
        "--generation-config": "vllm",
    }
    # Its `vllm` command looks for a package of that name, and the CPU build's is another.
    argv = [BIN / "python", "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager"]
    words = [word for option in options.items() for word in option]
    variables = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_API_KEY": key}
    config = EngineConfig(
        kind="openai",
        url=f"http://127.0.0.1:{port}",
        api_key=key,
        concurrency=SEQUENCES_MAX,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    async with _launched([*argv, *words, "--enable-prompt-tokens-details"], variables, config) as pid:
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
        variables = {"HF_HUB_CACHE": str(hub), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
        async with _launched([*argv, "--dtype", "float32"], variables, config):
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
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STRAND_")}
    settings = {"argv": [str(word) for word in argv], "env": {**kept, "HF_HUB_OFFLINE": "1", **variables}}
    with tempfile.TemporaryFile(prefix="strand-server-") as log:
        async with trio.open_nursery() as nursery:
            start = partial(
                trio.run_process,
                [sys.executable, "-P", keeper.__file__],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                deliver_cancel=_end,
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
        async with open_json_client(config.url, "", timeout_ms=5_000, concurrency=1) as client:
            while process.poll() is None:
                try:
                    await client.text("/health")
                except EngineError:
                    await trio.sleep(POLL_S)
                else:
                    return True
    return False


async def _end(process: trio.Process) -> None:
    """The end of its stdin has the keeper end everything."""
    with trio.CancelScope(shield=True):
        assert process.stdin is not None
        await process.stdin.aclose()
        with trio.move_on_after(STOP_S):
            await process.wait()
        process.kill()


def free_port() -> int:
    """A port that is free now; should another program take it first, the server does not start."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
