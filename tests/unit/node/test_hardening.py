"""Modes of files, and no dumps."""

import stat
import subprocess
import sys
from pathlib import Path

from node.hardening import open_private, open_to_others

PROGRAM = """
import ctypes, resource
from node.hardening import forbid_dumps
libc = ctypes.CDLL(None)
def state(): return libc.prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE)  # PR_GET_DUMPABLE
assert state()[0] == 1
forbid_dumps()
assert state() == (0, (0, 0)), state()
"""


def test_a_process_leaves_no_dump_and_cannot_be_attached_to() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_made_is_for_us_alone(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with open_private(file, "w") as stream:
        stream.write("ü")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes() == "ü".encode()
    assert not open_to_others(file)
    for mode in (0o604, 0o640, 0o620):
        file.chmod(mode)
        assert open_to_others(file)
    assert not open_to_others(tmp_path / "none")
