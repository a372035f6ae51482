"""Checks of `strand doctor` that this machine can make by itself: ports, key, disk, engine, versions.

Each result is a level, one line of text, and the remedy unless all is well. What a check cannot know it says.
"""

import errno
import os
import platform
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped]
import trio

from node.api.engine import TrialReport
from node.config import LoadedConfig, NodeConfig
from node.facade.engine import trial_report
from node.hardening import open_to_others
from node.inference import EngineError, open_engine
from node.keys import KeyFileError, load_key
from node.overlay.addresses import Address, parse_address
from node.sandbox.choosing import SandboxOff, choose_sandbox
from node.work.trial import try_engine
from protocol.params import NetworkParams
from protocol.versions import WIRE

CONNECT_S: Final = 3.0
"""Seconds in which a TCP connection must open: three times a round trip around the world, and a retry of SYN."""

ROOM_BYTES_MIN: Final = 1024 * 1024 * 1024
"""Free bytes below which a disk is soon full: some thousand certificates, and the journal of as many rounds."""


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    """All is well."""
    WARN = "warn"
    """The node can take part; something is missing, or cannot be known from here."""
    FAIL = "fail"
    """The node cannot take part, or its secrets are not safe."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check."""

    check: str
    """What was looked at, such as `key`."""
    level: Level
    text: str
    """What was found, in one line."""
    remedy: str = ""
    """What helps, in one line; empty if all is well."""


def ok(check: str, text: str) -> CheckResult:
    """Return a result that needs nothing."""
    return CheckResult(check, Level.OK, text)


def warn(check: str, text: str, remedy: str) -> CheckResult:
    """Return a result with which the node can take part."""
    return CheckResult(check, Level.WARN, text, remedy)


def fail(check: str, text: str, remedy: str) -> CheckResult:
    """Return a result with which the node cannot take part, or its secrets are not safe."""
    return CheckResult(check, Level.FAIL, text, remedy)


def versions(config: NodeConfig, params: NetworkParams) -> CheckResult:
    """Report what peers must share with this node, and what a report of a fault should name."""
    programs = f"strand {version('strand-swarm')}, Python {platform.python_version()}, libp2p {version('libp2p')}"
    network = f"wire {WIRE}, network {params.network} {params.digest.hex()[:16]}, specialty {config.node.specialty}"
    return ok("versions", f"{programs}, {network}")


def configuration(loaded: LoadedConfig) -> Iterator[CheckResult]:
    """Report the settings that differ from the defaults, and files of secrets that others may read."""
    exposed = sorted(str(file) for file in loaded.files_of_secrets() if open_to_others(file))
    for file in exposed:
        yield fail("configuration", f"{file} holds a secret, and other users may read it", f"chmod 600 {file}")
    if not exposed:
        count = sum(_differs(loaded.config, name) for name in loaded.origins)
        are = "setting is no default" if count == 1 else "settings are no defaults"
        changed = f"{count} {are}" if count else "all settings are defaults"
        yield ok("configuration", f"{changed}; `strand config show --origin` lists them")


def _differs(config: NodeConfig, name: str) -> bool:
    """Whether a setting, "table.key", has another value than its default: a file may name all, with their defaults."""
    table, _, key = name.partition(".")
    return bool(getattr(getattr(config, table), key) != getattr(getattr(NodeConfig(), table), key))


def key(folder: Path) -> CheckResult:
    """Check that the key can be read, and by nobody else."""
    try:
        found = load_key(folder)
    except KeyFileError as error:
        if isinstance(error.__cause__, OSError):
            return fail("key", str(error), "run strand as the owner of that folder, or name another by --data-dir")
        text, _, remedy = str(error).rpartition(": ")
        return fail("key", text or str(error), remedy if text else "move it away; `strand init` makes a new one")
    if found is None:
        return warn("key", f"there is none in {folder} yet", "`strand init` or the first `strand run` makes it")
    return ok("key", f"{found.keypair.public.hex()}, private to this user, in {folder}")


def disk(folder: Path) -> CheckResult:
    """Check that the node's folder, or the nearest one that exists, takes files and has room."""
    place = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".strand-doctor-") as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(place).free
    except OSError as error:
        remedy = "give this user a folder that it may write to (--data-dir), or free some room"
        return fail("disk", f"{place} takes no file: {error.strerror}", remedy)
    text = f"{place} takes writes, {free / 1e9:.1f} GB free"
    if free < ROOM_BYTES_MIN:
        return warn("disk", text, "free some room: a node with a full disk takes no work")
    return ok("disk", text)


def ports(config: NodeConfig) -> Iterator[CheckResult]:
    """Check that the ports of a node that does not run are free."""
    host, port = config.api.address
    yield _port("HTTP", host, port, "--bind HOST:PORT")
    for text in config.overlay.listen:
        _, kind, host, _, number, *_ = text.split("/")
        yield _port("peers", host, int(number), f"--listen /{kind}/{host}/tcp/PORT")


def _port(purpose: str, host: str, port: int, flag: str) -> CheckResult:
    place = f"{host}:{port} for {purpose}"
    if port == 0:
        return ok("ports", f"{place}: the system chooses a free one at each start")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as taken:
        # As a node does: connections of an ended one, which the system still remembers, are no obstacle.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((host, port))
            taken.listen(1)
        except OSError as error:
            match error.errno:
                case errno.EADDRINUSE:
                    return fail("ports", f"{place} is held by {holder(port)}", f"end it, or choose another by {flag}")
                case errno.EACCES:
                    return fail("ports", f"{place} is reserved for the system", f"choose one from 1024 by {flag}")
                case errno.EADDRNOTAVAIL:
                    return fail("ports", f"{place}: this machine has no such address", f"choose another by {flag}")
            return fail("ports", f"{place} cannot be bound: {error.strerror}", f"choose another by {flag}")
    return ok("ports", f"{place} is free")


def holder(port: int) -> str:
    """Return the process that listens on a TCP port, as far as this user may see it."""
    try:
        listening = [each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
        pids = {each.pid for each in listening if each.laddr and each.laddr.port == port and each.pid}
        return ", ".join(f"process {pid} ({psutil.Process(pid).name()})" for pid in sorted(pids)) or "another user's"
    except psutil.Error:
        return "a process that this user may not see"


async def bootstraps(config: NodeConfig) -> list[CheckResult]:
    """Check that a TCP connection to each bootstrap peer opens; whose node is there, only a running node finds out."""
    if not config.overlay.bootstrap:
        remedy = "give it one by --bootstrap, an address that another's `strand status` shows"
        return [warn("peers", "no bootstrap peer is named: this node waits for others to come", remedy)]
    return [
        ok("peers", f"{address.text} accepts connections")
        if why is None
        else fail("peers", f"{address.text}: {why}", "start that node, open its port, or name another")
        for address, why in (await why_not_reached(config.overlay.bootstrap)).items()
    ]


async def why_not_reached(texts: Iterable[str]) -> Mapping[Address, str | None]:
    """Connect to all of these addresses at once; return why no TCP connection opened, None if one did.

    What is no address is left out.
    """
    addresses = dict.fromkeys(address for text in texts if (address := parse_address(text)) is not None)
    whys: dict[Address, str | None] = {}

    async def look(address: Address) -> None:
        whys[address] = await _why_not_reached(address)

    async with trio.open_nursery() as nursery:
        for address in addresses:
            nursery.start_soon(look, address)
    return {address: whys[address] for address in addresses}


async def _why_not_reached(address: Address) -> str | None:
    """Return why no TCP connection opens; None if one does, which is closed at once."""
    try:
        with trio.fail_after(CONNECT_S):
            stream = await trio.open_tcp_stream(address.host, address.port)
            await stream.aclose()
    except trio.TooSlowError:
        return f"no connection within {CONNECT_S:.0f} s"
    except OSError as error:
        cause = error.__cause__
        inner = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause or error
        return (inner.strerror or str(inner)) if isinstance(inner, OSError) else str(error)
    return None


async def sandbox(config: NodeConfig) -> CheckResult:
    """Find and try the sandbox in which this node would compile and run answers."""
    chosen = await choose_sandbox(config.sandbox)
    if isinstance(chosen, SandboxOff):
        text = f"off, so that this node tests no answers in Rust: {chosen.reason}"
        return ok("sandbox", text) if config.sandbox.enabled == "off" else warn("sandbox", text, chosen.remedy)
    clippy = "" if chosen.toolchain.clippy else ", without clippy"
    text = f"{chosen.name} holds, {chosen.places} at a time, with rustc {chosen.toolchain.version}{clippy}"
    return ok("sandbox", text)


async def engine(config: NodeConfig) -> CheckResult:
    """Let the engine of a node that does not run give one real answer and one real judgement."""
    if config.engine.kind == "vllm" and config.vllm.model:
        text = "not tried: this node starts vLLM itself, which takes minutes"
        return warn("engine", text, "start the node by `strand run`, and then run `strand doctor` again")
    try:
        async with open_engine(config.engine, config.vllm, config.node.data_dir / "vllm") as opened:
            trial = await try_engine(opened, config.engine)
    except EngineError as error:
        return fail("engine", str(error), "see docs/how-to/model-servers.md, or choose another by --engine")
    return tried(trial_report(trial))


def tried(trial: TrialReport) -> CheckResult:
    """Return the result of a trial of the engine."""
    if trial.answer is None or trial.judgement is None or not trial.works:
        # The error has the first remedy: to start it, or to correct its URL.
        remedy = "see docs/how-to/model-servers.md; `strand engine` shows what is configured"
        return fail("engine", trial.error, remedy)
    answer_s, judgement_s = trial.answer.ms / 1000, trial.judgement.ms / 1000
    text = f"{trial.probe.text} gave an answer in {answer_s:.1f} s, a judgement in {judgement_s:.1f} s"
    return ok("engine", text)
