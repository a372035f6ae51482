"""Builds the harness for a toolchain, in the sandbox, and keeps it in the node's cache."""

import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Final

import trio

from node.findings.compiling import (
    HARNESS_FLAGS,
    HARNESS_LIBRARY,
    HARNESS_RUNNER,
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
"""Limits of one build of the harness. It takes 2 s of CPU, once for each toolchain."""

_HARNESSES_MAX: Final = 2
"""Harnesses that are kept: the toolchain's in use, and one from before an update or a step back."""

UNUSED_S: Final = 7 * 24 * 3600.0
"""Seconds since its last use from which a harness beyond `_HARNESSES_MAX` is dropped: until then another node of
the user may use it."""

_NEW_TOOLCHAIN: Final = "reinstall the Rust toolchain, or set sandbox.rustc to another one"
_WRITABLE: Final = "make it writable, free some disk, or set sandbox.enabled to off"

_SOURCES: Final = ("lib.rs", "arbitrary.rs", "generator.rs", "item.rs", "show.rs", "system.rs", "wire.rs")
_RUNNER_SOURCES: Final = ("runner.rs", "wire.rs")


class HarnessError(Exception):
    """The harness cannot be built here. The message is a clause that says so."""

    def __init__(self, reason: str, remedy: str) -> None:
        """Create an error with what helps against it, in one clause."""
        super().__init__(reason)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Harness:
    """The harness, built for one toolchain."""

    folder: Path
    """Folder with the library and the runner."""
    lint_groups: dict[str, int] | None
    """Class of each of clippy's lints; None without clippy."""

    @property
    def is_whole(self) -> bool:
        """Whether its files are still there: whoever clears the cache takes them away."""
        return all((self.folder / name).is_file() for name in (HARNESS_LIBRARY, HARNESS_RUNNER))

    def mark_used(self) -> None:
        """Keep it from being dropped by another node of the same user."""
        # A cache that can only be read is good enough to use it.
        with suppress(OSError):
            os.utime(self.folder)


async def ready_harness(sandbox: Sandbox, toolchain: Toolchain, cache: Path) -> Harness:
    """Return the harness for a toolchain, built now if `cache` lacks it. Raises HarnessError.

    `cache`: the node's own folder for it.
    """
    folder = cache / f"harness-{_key(toolchain)}"
    if not _holds_harness(folder):
        built = {}
        for name, sources in ((HARNESS_LIBRARY, _SOURCES), (HARNESS_RUNNER, _RUNNER_SOURCES)):
            command = harness_command(
                toolchain, {source: _source(source) for source in sources}, library=name == HARNESS_LIBRARY
            )
            built[name] = _result(await sandbox.run(command, _LIMITS), name)
        await trio.to_thread.run_sync(_store, cache, folder, built)
    groups = None
    if toolchain.clippy is not None:
        finished = await sandbox.run(lint_help_command(toolchain), _LIMITS)
        groups = read_lint_groups(finished.stdout.decode(errors="replace"))
        if not groups:
            raise HarnessError(f"clippy does not list its lints: {_reason(finished)}", _NEW_TOOLCHAIN)
    harness = Harness(folder, groups)
    harness.mark_used()
    return harness


def _result(finished: Finished, name: str) -> bytes:
    if name not in finished.files:
        raise HarnessError(f"the harness does not build: {_reason(finished)}", _NEW_TOOLCHAIN)
    return finished.files[name]


def _reason(finished: Finished) -> str:
    """Return one line for the owner: the sandbox's reason, or the compiler's first about our own source."""
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
    """Write a harness as a whole, unless another node has just done so, and drop old ones beyond the limit."""
    temporary = None
    try:
        cache.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".harness-", dir=cache))
        temporary.chmod(0o755)
        for name, content in built.items():
            (temporary / name).write_bytes(content)
            (temporary / name).chmod(0o755)
        if not _holds_harness(folder):
            shutil.rmtree(folder, ignore_errors=True)
            temporary.replace(folder)
    except OSError as error:
        if not _holds_harness(folder):
            raise HarnessError(f"cannot write {folder}: {error.strerror}", _WRITABLE) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    _prune(cache)


def _holds_harness(folder: Path) -> bool:
    return Harness(folder, None).is_whole


def _prune(cache: Path) -> None:
    used = []
    for folder in cache.glob("harness-*"):
        # Another node may be pruning, too.
        with suppress(OSError):
            used.append((folder.stat().st_mtime, folder))
    for at, folder in sorted(used, reverse=True)[_HARNESSES_MAX:]:
        if at < time.time() - UNUSED_S:
            shutil.rmtree(folder, ignore_errors=True)
