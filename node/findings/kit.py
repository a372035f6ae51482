"""Builds the harness for a toolchain, in the sandbox, and keeps it in the node's cache."""

import shutil
import tempfile
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Final

import trio

from node.findings.compiling import (
    HARNESS_FLAGS,
    KIT_LIBRARY,
    KIT_RUNNER,
    harness_command,
    lint_help_command,
    read_lint_groups,
)
from node.sandbox.ports import Ending, Finished, Limits, Sandbox
from node.sandbox.toolchain import Toolchain

_MIB: Final = 1024 * 1024

_LIMITS: Final = Limits(
    cpu_s=60, wall_s=180, memory_bytes=2048 * _MIB, processes=64, file_bytes=256 * _MIB, output_bytes=_MIB
)
"""It takes 2 s of CPU, once for each toolchain."""

_KITS_MAX: Final = 2
"""Kits that are kept: the toolchain's in use, and one from before an update or a step back."""

_SOURCES: Final = ("lib.rs", "arbitrary.rs", "generator.rs", "item.rs", "show.rs", "system.rs", "wire.rs")
_RUNNER_SOURCES: Final = ("runner.rs", "wire.rs")


class KitError(Exception):
    """The harness cannot be built here. The message is a clause that says so."""


@dataclass(frozen=True, slots=True)
class Kit:
    """The harness, built for one toolchain."""

    folder: Path
    """Holds the library and the runner."""
    lint_groups: dict[str, int] | None
    """Class of each of clippy's lints; None without clippy."""


async def ready_kit(sandbox: Sandbox, toolchain: Toolchain, cache: Path) -> Kit:
    """Return the harness for a toolchain, built now if `cache` (the node's own folder) lacks it. Raises KitError."""
    folder = cache / f"harness-{_key(toolchain)}"
    if not (folder / KIT_RUNNER).is_file():
        built = {}
        for name, sources in ((KIT_LIBRARY, _SOURCES), (KIT_RUNNER, _RUNNER_SOURCES)):
            command = harness_command(
                toolchain, {source: _source(source) for source in sources}, library=name == KIT_LIBRARY
            )
            built[name] = _result(await sandbox.run(command, _LIMITS), name)
        await trio.to_thread.run_sync(_store, cache, folder, built)
    groups = None
    if toolchain.clippy is not None:
        finished = await sandbox.run(lint_help_command(toolchain), _LIMITS)
        groups = read_lint_groups(finished.stdout.decode(errors="replace"))
        if not groups:
            raise KitError(f"clippy does not list its lints: {_reason(finished)}")
    return Kit(folder, groups)


def _result(finished: Finished, name: str) -> bytes:
    if name not in finished.files:
        raise KitError(f"the harness does not build: {_reason(finished)}")
    return finished.files[name]


def _reason(finished: Finished) -> str:
    """One line for the owner: the sandbox's reason, or the first of the compiler's about our own source."""
    told = finished.detail or finished.stderr.decode(errors="replace")
    first = next((line for line in told.splitlines() if line.strip()), "no output")
    return f"{finished.ending.value}, {first[:200]}" if finished.ending is not Ending.EXITED else first[:200]


def _source(name: str) -> bytes:
    return (files("node.findings") / "harness" / name).read_bytes()


def _key(toolchain: Toolchain) -> str:
    digest = blake2b(digest_size=12)
    for part in (toolchain.version, *map(str, toolchain.readable.values()), *HARNESS_FLAGS):
        digest.update(part.encode() + b"\0")
    for name in sorted({*_SOURCES, *_RUNNER_SOURCES}):
        digest.update(_source(name) + b"\0")
    return digest.hexdigest()


def _store(cache: Path, folder: Path, built: dict[str, bytes]) -> None:
    """Write a kit as a whole, and drop the oldest beyond the limit."""
    cache.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".harness-", dir=cache))
    try:
        temporary.chmod(0o755)
        for name, content in built.items():
            (temporary / name).write_bytes(content)
            (temporary / name).chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if not (folder / KIT_RUNNER).is_file():
            raise KitError(f"cannot write {folder}: {error.strerror}") from error
    kits = sorted(cache.glob("harness-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in kits[_KITS_MAX:]:
        shutil.rmtree(old, ignore_errors=True)
