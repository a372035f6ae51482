"""A vLLM of ours: started with its model and adapter, supervised, restarted, and never left behind."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import structlog
import trio

from node import logs
from node.inference import process_guard as keeper
from node.inference.config import EngineConfig, VllmConfig
from node.inference.http_json import open_json_client
from node.inference.openai import open_openai
from node.inference.ports import Engine, EngineError
from node.inference.status import EngineStage, ServerStatus
from node.inference.supervision import Supervisor, end_with_stdin
from node.inference.vllm.command import OURS, arguments, base_name, environment, is_folder, served_model
from node.inference.vllm.output import Output

READY_POLL_S = 1.0
"""Seconds between two checks whether a starting server is ready: it starts for half a minute at least."""

HEALTH_S = 15.0
HEALTH_TIMEOUT_S = 30.0
HEALTH_MISSES_MAX = 3
"""Seconds between two health checks, seconds for one, and consecutive misses after which a server counts as hanging:
its HTTP process only communicates, and no load explains two minutes of silence."""

DRAIN_S = 2.0
"""Seconds for the end of the output, after all processes have ended."""

STOP_S = keeper.TERM_S + keeper.KILL_S + 2.0
"""Seconds for the process guard to end everything, before it is killed itself."""

LOG_NAME = "vllm.log"

SESSION_NAME = "session"
"""File in the server's folder: the boot and the session of the last start, one line."""

_log = structlog.get_logger(__name__)


class VllmServer:
    """One server. URL and key stay the same over restarts."""

    def __init__(self, config: EngineConfig, vllm: VllmConfig, folder: Path) -> None:
        port = vllm.port or free_port()
        self.supervisor = Supervisor("vLLM", self._live)
        self.client_config = replace(
            config,
            url=f"http://127.0.0.1:{port}",
            api_key=config.api_key or secrets.token_urlsafe(24),
            model=served_model(config, vllm),
            concurrency=vllm.sequences_max,
        )
        logs.hide(self.client_config.api_key)
        self._arguments = arguments(config, vllm, port)
        self._start_timeout_ms = vllm.start_timeout_ms
        self._folder = folder
        self._given_up = ""
        """Why we ended it ourselves; empty: we did not."""

    @property
    def status(self) -> ServerStatus:
        """State of the server."""
        return self.supervisor.status

    async def _live(self) -> str:
        """Run the server once, from start to end. Returns the reason of its end.

        Errors of this machine (a full disk, no more processes) are no reason to lose the node.
        """
        try:
            words = await self._run()
        except* OSError as refused:
            words = f"this machine refuses to run it: {_first(refused)}"
        finally:
            # The guard left nothing, unless it was killed.
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(end_left_behind, self._folder)
        return f"{words} (log: {self._folder / LOG_NAME})"

    async def _run(self) -> str:
        """Start the guard and wait for its end. Returns the reason. Raises OSError, or a group of such."""
        self._given_up = ""
        with closing(Output(self._folder / LOG_NAME, self.status)) as output:
            async with trio.open_nursery() as nursery:
                start = partial(
                    trio.run_process,
                    [sys.executable, "-P", keeper.__file__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    check=False,
                    deliver_cancel=_stop,
                    # A session and a folder of its own identify the processes that it leaves behind.
                    start_new_session=True,
                    cwd=self._folder,
                )
                process: trio.Process = await nursery.start(start)
                (self._folder / SESSION_NAME).write_text(f"{_boot_id()} {process.pid}", encoding="ascii")
                self.status.pid = process.pid
                assert process.stdin is not None and process.stdout is not None
                nursery.start_soon(output.read, process.stdout)
                nursery.start_soon(self._watch, process)
                settings = {"argv": self._arguments, "env": environment(os.environ, self.client_config.api_key)}
                # The output of a guard that has ended already contains the reason.
                with suppress(trio.BrokenResourceError):
                    await process.stdin.send_all(json.dumps(settings).encode() + b"\n")
                await process.wait()
                self.status.become(EngineStage.PAUSING)
                with trio.move_on_after(DRAIN_S):
                    await output.ended.wait()
                nursery.cancel_scope.cancel()
            assert process.returncode is not None
            last = output.why(_signal(process.returncode)) or f"it ended with exit code {process.returncode}"
        return self._given_up or last

    async def _watch(self, process: trio.Process) -> None:
        """Report when it serves, and end it if it stops serving or never starts to."""
        config = self.client_config
        timeout_ms = round(HEALTH_TIMEOUT_S * 1000)
        async with open_json_client(config, timeout_ms=timeout_ms, concurrency=1) as client:

            async def healthy() -> bool:
                try:
                    await client.text("/health")
                except EngineError:
                    return False
                return True

            with trio.move_on_after(self._start_timeout_ms / 1000):
                while not await healthy():  # noqa: ASYNC110 - another process, which sends no notification
                    await trio.sleep(READY_POLL_S)
                self.status.become(EngineStage.READY)
            if self.status.ready:
                misses = 0
                while misses < HEALTH_MISSES_MAX:
                    await trio.sleep(HEALTH_S)
                    misses = 0 if await healthy() else misses + 1
                self._given_up = f"it did not answer {misses} health checks in a row"
            else:
                timeout_s = self._start_timeout_ms / 1000
                self._given_up = f"it was not ready within {timeout_s:.0f} s ([vllm] start_timeout_ms)"
        # Before it has ended, so that nobody relies on it meanwhile.
        self.status.become(EngineStage.PAUSING)
        await _stop(process)


@asynccontextmanager
async def open_vllm(config: EngineConfig, vllm: VllmConfig, folder: Path) -> AsyncIterator[Engine]:
    """Run an engine with a vLLM of its own, which may still be starting when the block begins.

    `folder`: for its log and its session file; one node's alone. Raises EngineError at once for faults that are visible
    without a start, and in the block, in an exception group, if the first start fails.
    """
    folder = _make_folder(folder)
    await trio.to_thread.run_sync(end_left_behind, folder)
    check(config, vllm)
    server = VllmServer(config, vllm, folder)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_supervise, server.supervisor, nursery)
        async with open_openai(server.client_config, server.status) as engine:
            yield engine
        nursery.cancel_scope.cancel()


def check(config: EngineConfig, vllm: VllmConfig) -> None:
    """Raise EngineError for faults that are visible without a start."""
    if sys.platform != "linux":
        raise EngineError(
            "a vLLM of the node's own needs Linux: start one yourself, leave [vllm] model empty, set engine.url"
        )
    python = Path(vllm.python).expanduser()
    if not os.access(python, os.X_OK):
        make = python.parent.parent
        raise EngineError(
            f"there is no vLLM environment: {python} cannot be run; make one with "
            f"`python3 -m venv {make} && {make}/bin/pip install vllm`, or set [vllm] python"
        )
    for key, name, needed in (("model", vllm.model, "config.json"), ("adapter", vllm.adapter, "adapter_config.json")):
        if name and is_folder(name) and not (Path(name).expanduser() / needed).is_file():
            raise EngineError(f"[vllm] {key}: {name} is no folder with a file {needed}")
    if vllm.adapter and served_model(config, vllm) == base_name(vllm):
        raise EngineError(f"[engine] model: {base_name(vllm)} is the name of [vllm] model; the adapter needs another")
    for word in vllm.arguments:
        if (option := word.partition("=")[0]) in OURS:
            raise EngineError(f"[vllm] arguments: {option} is the node's to set, by {OURS[option]}")
    # Another program would answer its health checks.
    if vllm.port and not _is_free(vllm.port):
        raise EngineError(f"[vllm] port: another program has port {vllm.port}; 0 takes one that is free")


def end_left_behind(folder: Path) -> None:
    """End processes that the last server in `folder` left running, if its guard was killed."""
    try:
        boot_id, session = (folder / SESSION_NAME).read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return
    # Process numbers begin anew at each boot, and may be reused: so only processes that work in our folder count.
    if boot_id == _boot_id() and session.isdecimal():
        left = keeper.end_all(int(session), keeper.KILL_S, folder)
        if left:
            _log.warning("engine.orphans_found", processes=left, session=int(session))


async def _supervise(supervisor: Supervisor, nursery: trio.Nursery) -> None:
    failure: EngineError | None = await nursery.start(supervisor.run)
    if failure is not None:
        raise failure


async def _stop(process: trio.Process) -> None:
    """Make the guard end everything."""
    await end_with_stdin(process, STOP_S)


def _signal(code: int) -> str:
    """Return in words the signal that ended the server, from the guard's exit `code`; empty if there was none."""
    if code < 0:
        return f"its keeper was ended by signal {-code}"
    number = code - keeper.SIGNALLED
    if number not in set(signal.Signals):
        return ""
    why = " (out of memory? dmesg tells)" if number == signal.SIGKILL else ""
    return f"it was ended by signal {number}{why}"


def _first(group: BaseExceptionGroup[OSError]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)


def _make_folder(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.resolve()


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        # Sockets that an ended server leaves in the kernel do not count.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a free port. Another program may take it before the server does: then the next start fails too."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
