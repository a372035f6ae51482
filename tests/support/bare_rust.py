"""A bare rustc, for programs of this project's own: no stranger's program may reach it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

COMMAND = shutil.which("rustc", path=f"{os.environ.get('PATH', '')}:{Path.home() / '.cargo/bin'}")

needs_rustc = pytest.mark.skipif(
    COMMAND is None, reason="there is no rustc: `apt-get install rustc gcc`, or rustup from https://rustup.rs"
)

SECONDS_MAX = 120
"""Seconds of one command: a crate of all tasks compiles in ten on a busy machine."""


def build_and_test(folder: Path, source: str) -> str:
    """Compile a crate without a warning, run its tests, and return what they print. Fails with the compiler's words."""
    assert COMMAND is not None
    file = folder / "crate.rs"
    file.write_text(source)
    flags = ["--edition", "2021", "--test", "-Cdebuginfo=0", "-Dwarnings", "-o", str(folder / "tests"), str(file)]
    built = subprocess.run([COMMAND, *flags], capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    assert built.returncode == 0, built.stderr[:4_000]
    ran = subprocess.run([folder / "tests"], capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    assert ran.returncode == 0, ran.stdout[-4_000:]
    return ran.stdout
