"""Nodes as child processes on loopback: start, wait until ready, stop."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import trio

from node.errors import Exit, UserError
from node.files import writing
from node.hardening import open_private
from node.inference import EngineConfig, VllmConfig
from node.inference.supervision import end_with_stdin
from node.toml import toml_text

NODES_MAX = 25
"""Most nodes on one machine: each is a process of about 90 MB."""

START_S = 120.0
"""Seconds for a node to start while others of its swarm do, and again for all to learn each other's offers."""

READY_BYTES_MAX = 64 * 1024
"""Longest line of a child in bytes: its URL, key and addresses."""

RECORDING_NAME = "recording"

LOG_NAME = "node.log"

LOG_BYTES_MAX = 16 * 1024 * 1024
"""Bytes of a log with which a node is started: some ten thousand rounds. A longer one becomes the log before, which
there is one of."""

STOP_S = 5.0
"""Seconds for a child to end after its stdin is closed; then it is killed."""


class LocalNodeError(UserError):
    """A node on this machine did not start. The text is one line for the user, with the node's last output."""


class StartTimeoutError(LocalNodeError):
    """A node was not ready in time."""

    code = Exit.TIMEOUT


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """Settings of one node to start. Its folder gets key, store, configuration and log."""

    folder: Path
    """Folder of the node's key, store, configuration and log; created if missing."""
    engine: EngineConfig
    """Engine that answers and judges for the node."""
    bootstrap: tuple[str, ...] = ()
    """Multiaddrs of nodes to join."""
    seed: int | None = None
    """Seed of the engine's random numbers; None: the engine's own choice."""
    temperature: float = 0.8
    """Temperature at which the engine generates answers."""
    network: str = "devnet"
    """Name or file of the network's parameters."""
    patience_ms: int = 1_000
    """Time for which the node's own rounds wait for stragglers after a quorum, ms."""
    record: bool = False
    """Whether to record the node's inputs in RECORDING_NAME in its folder; then it can be started only once."""
    vllm: VllmConfig = field(default_factory=VllmConfig)
    """Settings for an engine of kind vllm."""
    friends: bool = True
    """Whether every node counts as known, however new its key is."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further settings by "table.key", stronger than all of the above; without `overlay.listen` it is on loopback."""
    environment: Mapping[str, str] | None = None
    """Variables of its process, stronger than its settings; None: those of this process."""
    command: tuple[str, ...] = (sys.executable, "-P", "-m", "node")
    """Command that runs `strand`; another machine or a test may use its own."""

    @property
    def name(self) -> str:
        """The node's name for people."""
        return str(self.settings.get("node.name") or self.folder.name)


@dataclass(frozen=True, slots=True)
class Child:
    """A node process that is ready."""

    process: trio.Process
    """The process; the end of its stdin ends it."""
    url: str
    """URL of its HTTP interface."""
    key: str
    """Its public key, 64 hexadecimal digits."""
    addresses: tuple[str, ...]
    """Multiaddrs at which other nodes reach it."""
    log: Path
    """Log file, one JSON object per line."""
    token: str = ""
    """Token of its HTTP interface, as its spec has it; empty: it has none."""


async def start_node(spec: NodeSpec, stack: AsyncExitStack) -> Child:
    """Start a node and wait until it is ready; `stack` stops it. Raises LocalNodeError."""
    child = await launch(spec)
    stack.push_async_callback(end_node, child)
    return child


async def launch(spec: NodeSpec) -> Child:
    """Start a node and wait until it is ready; a node that is not ready is not left behind. Raises LocalNodeError."""
    config = spec.folder / "node.toml"
    with writing(config):
        spec.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open_private(config, "w") as config_file:
            config_file.write(toml_text(_tables(spec)))
    log = spec.folder / LOG_NAME
    with writing(log):
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_suffix(".log.1"))
        log_file = open_private(log, "ab")
    # Keys must stay out of argument lists and files that others may read.
    environment = {
        **(os.environ if spec.environment is None else spec.environment),
        "STRAND_ENGINE_API_KEY": spec.engine.api_key,
    }
    command = [*spec.command, "run", "--json", "--until-stdin-closes", "--config", str(config)]
    if spec.record:
        command += ["--record", str(spec.folder / RECORDING_NAME)]
    with log_file:
        process = await trio.lowlevel.open_process(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_file,
            env=environment,
            # Ctrl-C at a terminal goes to all of its processes; this one ends its children itself, in order.
            start_new_session=True,
        )
    ready: dict[str, Any] = {}
    try:
        ready = json.loads(await _ready_line(process, spec, log))
    finally:
        if not ready:
            await end_with_stdin(process, STOP_S)
    token = str(spec.settings.get("api.token") or "")
    return Child(process, ready["url"], ready["key"], tuple(ready["addresses"]), log, token)


async def end_node(child: Child) -> None:
    """End a node in order; kill it if it takes more than STOP_S."""
    await end_with_stdin(child.process, STOP_S)


def plain_environment() -> dict[str, str]:
    """Return this process's variables without strand's: those of a user's own node would hold for all others."""
    return {name: value for name, value in os.environ.items() if not name.startswith("STRAND_")}


def last_words(log: Path) -> str:
    """Return the last line of a node's log."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].removeprefix("strand: ") if lines else "it said nothing"


async def _ready_line(process: trio.Process, spec: NodeSpec, log: Path) -> bytes:
    assert process.stdout is not None
    line = b""
    try:
        with trio.fail_after(START_S):
            while not line.endswith(b"\n") and len(line) < READY_BYTES_MAX:
                chunk = await process.stdout.receive_some(READY_BYTES_MAX)
                if not chunk:
                    await process.wait()
                    raise LocalNodeError(f"the node {spec.name} did not start: {last_words(log)}")
                line += chunk
    except trio.TooSlowError as error:
        raise StartTimeoutError(f"the node {spec.name} did not start within {START_S:.0f} s") from error
    return line


def _tables(spec: NodeSpec) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {
        "node": {"data_dir": spec.folder, "network": spec.network},
        "overlay": {"listen": ["/ip4/127.0.0.1/tcp/0"], "bootstrap": list(spec.bootstrap)},
        # Friends are not named, because their keys are made when they start; all of them are of this machine.
        "api": {"bind": "127.0.0.1:0", "audience": "members" if spec.friends else "trusted"},
        "engine": _told(spec.engine) | {"temperature": spec.temperature, "seed": spec.seed},
        "vllm": _told(spec.vllm),
        # Nodes of one machine know each other; in an open network a node without history has no weight.
        "trust": {"default_weight": 1.0, "friends": spec.friends},
        # The engine's key was made here for these nodes: its tokens cost nothing.
        "serve": {"whom": "everyone"},
        "round": {"patience_ms": spec.patience_ms},
        "log": {"format": "json"},
    }
    for name, value in spec.settings.items():
        table, _, key = name.partition(".")
        tables.setdefault(table, {})[key] = value
    return tables


def _told(table: EngineConfig | VllmConfig) -> dict[str, object]:
    """Return the settings without the key."""
    return {name: value for name, value in asdict(table).items() if name != "api_key"}
