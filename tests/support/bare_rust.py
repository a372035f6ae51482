"""A bare rustc, for programs of this project's own: no stranger's program may reach it."""

import subprocess
from pathlib import Path

from node.sandbox.toolchain import ToolchainMissing, find_toolchain
from tests.support.rust_required import needs_rust

_FOUND = find_toolchain(None)

COMMAND = (
    None if isinstance(_FOUND, ToolchainMissing) else _FOUND.readable.get("/toolchain/bin", Path("/usr/bin")) / "rustc"
)
"""The compiler that the node would take, by its real path: an older one is no use, and rustup's proxy may download."""

needs_rustc = needs_rust(f"{_FOUND.reason}: {_FOUND.remedy}" if isinstance(_FOUND, ToolchainMissing) else "")

SECONDS_MAX = 120
"""Seconds of one command: a crate of all tasks compiles in ten on a busy machine."""


def build_and_test(folder: Path, source: str) -> str:
    """Compile a crate without a warning, run its tests, and return what they print. Fails with the compiler's words."""
    assert COMMAND is not None
    file = folder / "crate.rs"
    file.write_text(source)
    flags = ["--edition", "2021", "--test", "-Cdebuginfo=0", "-Dwarnings", "-o", str(folder / "tests"), str(file)]
    built = subprocess.run([str(COMMAND), *flags], capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    assert built.returncode == 0, built.stderr[:4_000]
    ran = subprocess.run([folder / "tests"], capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    assert ran.returncode == 0, ran.stdout[-4_000:]
    return ran.stdout
