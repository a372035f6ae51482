"""Nodes as child processes on loopback: start, wait until ready, stop."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import trio

from node.errors import Exit, UserError
from node.files import writing
from node.hardening import open_private
from node.inference import EngineConfig, VllmConfig
from node.inference.supervision import end_with_stdin

NODES_MAX = 25
"""Most nodes on one machine: each is a process of about 90 MB."""

START_S = 120.0
"""Seconds for a node to start while others of its swarm do, and again for all to learn each other's offers."""

READY_BYTES_MAX = 64 * 1024
"""Longest line of a child in bytes: its URL, key and addresses."""

RECORDING_NAME = "recording"

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
    round: Mapping[str, int | float] = field(default_factory=dict)
    """Further settings of the configuration's [round] table, which a question cannot carry."""
    record: bool = False
    """Whether to record the node's inputs in RECORDING_NAME in its folder; then it can be started only once."""
    vllm: VllmConfig = field(default_factory=VllmConfig)
    """Settings for an engine of kind vllm."""
    friends: bool = True
    """Whether every node counts as known, however new its key is."""
    overlay: Mapping[str, object] = field(default_factory=dict)
    """Further settings of the [overlay] table; without `listen` the node is on loopback."""
    command: tuple[str, ...] = (sys.executable, "-P", "-m", "node")
    """Command that runs `strand`; another machine or a test may use its own."""


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


async def start_swarm(specs: Sequence[NodeSpec], stack: AsyncExitStack) -> list[Child]:
    """Start the first node alone, then the others, which find each other through it. Raises LocalNodeError."""
    children: dict[int, Child] = {}

    async def start(index: int, spec: NodeSpec) -> None:
        children[index] = await start_node(spec, stack)

    await start(0, specs[0])
    async with trio.open_nursery() as nursery:
        for index, spec in enumerate(specs[1:], 1):
            nursery.start_soon(start, index, replace(spec, bootstrap=children[0].addresses[:1]))
    return [children[index] for index in range(len(specs))]


async def start_node(spec: NodeSpec, stack: AsyncExitStack) -> Child:
    """Start a node and wait until it is ready; `stack` stops it. Raises LocalNodeError."""
    config = spec.folder / "node.toml"
    with writing(config):
        spec.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open_private(config, "w") as config_file:
            config_file.write(_config(spec))
    log = spec.folder / "node.log"
    # Keys must stay out of argument lists and files that others may read.
    environment = {**os.environ, "STRAND_ENGINE_API_KEY": spec.engine.api_key}
    command = [*spec.command, "run", "--json", "--until-stdin-closes", "--config", str(config)]
    if spec.record:
        command += ["--record", str(spec.folder / RECORDING_NAME)]
    with open_private(log, "ab") as log_file:
        process = await trio.lowlevel.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log_file, env=environment
        )
    stack.push_async_callback(partial(end_with_stdin, process, STOP_S))
    assert process.stdout is not None
    line = b""
    try:
        with trio.fail_after(START_S):
            while not line.endswith(b"\n") and len(line) < READY_BYTES_MAX:
                chunk = await process.stdout.receive_some(READY_BYTES_MAX)
                if not chunk:
                    await process.wait()
                    raise LocalNodeError(f"a node did not start: {_last_line(log)}")
                line += chunk
    except trio.TooSlowError as error:
        raise StartTimeoutError(f"a node did not start within {START_S:.0f} s") from error
    ready = json.loads(line)
    return Child(process, ready["url"], ready["key"], tuple(ready["addresses"]), log)


def _config(spec: NodeSpec) -> str:
    engine = spec.engine
    values: dict[str, dict[str, object]] = {
        "node": {"data_dir": str(spec.folder), "network": spec.network},
        "overlay": {"listen": ["/ip4/127.0.0.1/tcp/0"], "bootstrap": list(spec.bootstrap), **spec.overlay},
        # The members are processes of this machine; none is named, because their keys are made when they start.
        "api": {"bind": "127.0.0.1:0", "audience": "members"},
        "engine": _told(engine) | {"temperature": spec.temperature},
        "vllm": _told(spec.vllm),
        # Nodes of one machine know each other; in an open network a node without history has no weight.
        "trust": {"default_weight": 1.0, "friends": spec.friends},
        # The engine's key was made here for these nodes: its tokens cost nothing.
        "serve": {"whom": "everyone"},
        "round": {"patience_ms": spec.patience_ms, **spec.round},
        "log": {"format": "json"},
    }
    if spec.seed is not None:
        values["engine"]["seed"] = spec.seed
    # JSON's strings, numbers and lists are valid TOML.
    tables = (
        f"[{table}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
        for table, keys in values.items()
    )
    return "\n".join(tables)


def _told(table: EngineConfig | VllmConfig) -> dict[str, object]:
    """Return the settings without the key and without None, which TOML cannot express."""
    return {name: value for name, value in asdict(table).items() if value is not None and name != "api_key"}


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].removeprefix("strand: ") if lines else "it said nothing"
