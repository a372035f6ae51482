"""Finds the Rust compiler of this machine: the real one, not rustup's proxy, and all that it needs in a sandbox."""

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

VERSION_MIN: Final = (1, 70)
"""The oldest compiler that is used: the first whose standard library has `OnceLock`, which the harness needs."""

ANSWER_S_MAX: Final = 20.0
"""Seconds in which a compiler must tell its version: the first start reads 200 MB from a disk."""

ANSWER_BYTES_MAX: Final = 4_096
"""Bytes of a program's answer that are read."""

INSTALL: Final = "`apt-get install gcc` and rustup from https://rustup.rs (version 1.70 or newer; Debian 12's is older)"
"""Remedy where there is no usable compiler."""

UPDATE: Final = "`rustup update stable`, or first install rustup from https://rustup.rs (Debian 12's rustc is too old)"
"""Remedy where the compiler is too old."""

_PLACE: Final = "/toolchain"
"""Folder inside the sandbox of a toolchain that is not part of the system."""

_SYSTEM_PATH: Final = "/usr/bin:/bin"

_KEPT: Final = ("HOME", "PATH", "RUSTUP_HOME", "CARGO_HOME", "RUSTUP_TOOLCHAIN")
"""Variables by which rustup's proxy finds its toolchains."""


@dataclass(frozen=True, slots=True)
class ToolchainMissing:
    """There is no usable compiler."""

    reason: str
    """Why there is no toolchain, in one clause."""
    remedy: str
    """Remedy, in one clause."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A compiler as a sandbox sees it. Programs are absolute paths inside."""

    rustc: str
    clippy: str | None
    """clippy-driver, which takes rustc's arguments; None: there is none of the same toolchain."""
    linker: str
    """Path of the linker, for `-C linker=`."""
    version: str
    """Version of rustc: "1.95.0", or "1.97.0-nightly+59807616e", since a nightly's number names many compilers."""
    readable: Mapping[str, Path]
    """Folders and files that compiling must be able to read, for `Command.readable`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that compiling needs, for `Command.environment`."""


def find_toolchain(configured: Path | None) -> Toolchain | ToolchainMissing:
    """Find a compiler, by starting it a few times (some 0.1 s); say why none can be used.

    `configured`: the owner's choice, a rustc or rustup's proxy of that name; None: the first of PATH, ~/.cargo/bin and
    /usr/bin that works.
    """
    first: ToolchainMissing | None = None
    for rustc in _candidates(configured):
        found = _look(rustc)
        if isinstance(found, Toolchain):
            return found
        first = first or found
    if configured is not None:
        return first or ToolchainMissing(f"there is no {configured}", f"correct sandbox.rustc, or {INSTALL}")
    return first or ToolchainMissing("no rustc was found", INSTALL)


def _candidates(configured: Path | None) -> Iterator[Path]:
    if configured is not None:
        if configured.is_file():
            yield configured
        return
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    path = os.pathsep.join((os.environ.get("PATH", ""), str(home / "bin"), _SYSTEM_PATH))
    tried = set()
    for folder in path.split(os.pathsep):
        # A relative folder would let a file of the current one be started.
        rustc = Path(folder, "rustc")
        if rustc.is_absolute() and rustc.is_file() and rustc not in tried:
            tried.add(rustc)
            yield rustc


def _look(rustc: Path) -> Toolchain | ToolchainMissing:
    root = _ask(rustc, "--print", "sysroot")
    if root is None:
        return ToolchainMissing(f"{rustc} does not start", f"`{rustc} --version` says why; or {INSTALL}")
    sysroot = Path(root.strip()).resolve()
    real = sysroot / "bin" / "rustc"
    told = _ask(real, "--version", "--verbose") if real.is_file() else None
    found = re.search(r"^release: ((\d+)\.(\d+)\.\S{1,32})$", told or "", re.MULTILINE)
    if found is None:
        return ToolchainMissing(f"{rustc} names {sysroot}, which holds no compiler that starts", INSTALL)
    if (int(found[2]), int(found[3])) < VERSION_MIN:
        least = ".".join(map(str, VERSION_MIN))
        return ToolchainMissing(f"{real} is version {found[1]}, older than {least}", UPDATE)
    if closed := next(_closed_to_others(sysroot), None):
        return ToolchainMissing(f"other users may not read {closed}", f"`chmod -R o+rX {sysroot}`")
    linker, system = _linker()
    if linker is None:
        return ToolchainMissing("there is no gcc, with which rustc links", "`apt-get install gcc`")
    return _toolchain(sysroot, _version(found[1], told or ""), linker, system)


def _version(release: str, told: str) -> str:
    """Return the release; of one that is not stable, also the commit, as far as the compiler tells it."""
    commit = re.search(r"^commit-hash: ([0-9a-f]{9})", told, re.MULTILINE)
    return release if commit is None or "-" not in release else f"{release}+{commit[1]}"


def _toolchain(sysroot: Path, version: str, linker: Path, system: Mapping[str, Path]) -> Toolchain:
    clippy = sysroot / "bin" / "clippy-driver"
    has_clippy = clippy.is_file() and not clippy.is_symlink()
    if sysroot == Path("/usr"):
        programs = {"/usr/bin/rustc": sysroot / "bin" / "rustc"}
        if has_clippy:
            programs["/usr/bin/clippy-driver"] = clippy
        place, readable = "/usr", {**system, **programs}
    else:
        # Not its documentation, which is larger than all the rest.
        parts = {f"{_PLACE}/{name}": sysroot / name for name in ("bin", "lib")}
        place, readable = _PLACE, {**system, **parts}
    return Toolchain(
        rustc=f"{place}/bin/rustc",
        clippy=f"{place}/bin/clippy-driver" if has_clippy else None,
        linker=str(linker),
        version=version,
        readable=readable,
        # clippy-driver finds the standard library by it.
        environment={"SYSROOT": place},
    )


def _linker() -> tuple[Path | None, dict[str, Path]]:
    """Return gcc by its real name, since `cc` may lead through /etc, and what of the system linking reads."""
    found = {name: Path(where).resolve() for name in ("gcc", "ld") if (where := shutil.which(name, path=_SYSTEM_PATH))}
    if len(found) < 2:
        return None, {}
    gcc = found["gcc"]
    readable = {str(gcc): gcc, "/usr/bin/ld": found["ld"]}
    # Where some distributions keep the parts of gcc.
    helpers = Path("/usr/libexec/gcc")
    if helpers.is_dir():
        readable[str(helpers)] = helpers
    return gcc, readable


def _closed_to_others(sysroot: Path) -> Iterator[Path]:
    """Yield parts of a toolchain that users of sandboxes could not read, as far as a glance shows."""
    library = sysroot / "lib"
    for path, wanted in (
        (sysroot, stat.S_IXOTH),
        (sysroot / "bin", stat.S_IXOTH),
        (sysroot / "bin" / "rustc", stat.S_IROTH | stat.S_IXOTH),
        (library, stat.S_IROTH | stat.S_IXOTH),
        (library / "rustlib", stat.S_IROTH | stat.S_IXOTH),
    ):
        if path.exists() and path.stat().st_mode & wanted != wanted:
            yield path


def _ask(program: Path, *arguments: str) -> str | None:
    """Return what a program prints; None if it fails."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        # In the root: a folder's rust-toolchain.toml could name another toolchain, which rustup would then download.
        told = subprocess.run(
            [program, *arguments],
            cwd="/",
            env={**kept, "RUSTUP_AUTO_INSTALL": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ANSWER_S_MAX,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout[:ANSWER_BYTES_MAX].decode(errors="replace")
