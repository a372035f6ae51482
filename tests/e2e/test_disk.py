"""Disks that fill up or may not be written, and files that are damaged, with real processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import PATIENCE_S, STRAND, Shell, assert_refused

ROOT = Path(__file__).parents[2]


def may_mount() -> bool:
    """Whether this user may have mounts of its own."""
    unshare = shutil.which("unshare")
    return unshare is not None and subprocess.run([unshare, "--mount", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount a small disk of its own")
def test_a_full_disk_is_a_state_and_no_end(tmp_path: Path) -> None:
    """Given a node whose disk fills up, its log's included, then it says so, takes no work, and goes on by itself."""
    ran = subprocess.run(
        ["unshare", "--mount", sys.executable, "-P", "-m", "tests.support.small_disk", tmp_path],
        capture_output=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        timeout=4 * PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    found = json.loads(ran.stdout)
    assert found["before"]["outcome"] == "decided"
    assert found["alive"]
    disk = tmp_path / "disk"
    assert found["full"]["store"].startswith(f"full: no room for {disk / 'strand.db'}: free some space")
    assert found["refused"]["code"] == 503 and "takes no new work: full: " in found["refused"]["error"]
    assert found["after"]["outcome"] == "decided"
    # Of the two rounds that it was in; one had to wait for room, if it came when the disk was full already.
    assert found["certificates"] == 2
    assert found["read_only"]["code"] == 1
    (line,) = found["read_only"]["stderr"].splitlines()
    assert line.startswith("strand: read-only: ") and str(disk) in line


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount a small disk of its own")
def test_a_command_on_a_full_disk_names_the_path(shell: Shell, tmp_path: Path) -> None:
    """`init` was an internal error, and left half a configuration to be kept by the next one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        f"mount -t tmpfs -o size=64k tmpfs {disk}; head -c 100000 /dev/zero > {disk}/filler;"
        f"{STRAND} init --config {disk}/node.toml --data-dir {tmp_path}/data; echo $?; ls {disk}"
    )
    ran = subprocess.run(
        ["unshare", "--mount", "bash", "-c", script],
        capture_output=True,
        text=True,
        env=shell.environment(),
        timeout=PATIENCE_S,
        check=False,
    )
    assert f"strand: cannot write {disk}/node.toml: No space left on device\n" in ran.stderr
    assert ran.stdout.splitlines() == ["1", "filler"]


@pytest.mark.parametrize("name", ["strand.db", "strand.db-wal"])
def test_a_damaged_file_at_the_start_is_one_line_and_nothing_is_deleted(
    shell: Shell, tmp_path: Path, name: str
) -> None:
    """Given a store of which a file is garbage, then `strand run` names it and what to do, unless SQLite can do
    without it: a write-ahead log that is garbage is an empty one, and costs the node only silence."""
    data = tmp_path / "data"
    made = shell.strand("init", "--no-write-config", "--data-dir", data)
    assert made.code == 0, made
    (data / name).write_bytes(b"garbage" * 1_000)
    if name.endswith("-wal"):
        again = shell.strand("init", "--no-write-config", "--data-dir", data)
        assert again.code == 0, again
        return
    ran = shell.strand("run", "--data-dir", data, "--engine", "scripted", "--bind", "127.0.0.1:0")
    assert_refused(ran, 1, str(data / "strand.db"), "is damaged", "move it", "start again")
    assert (data / name).read_bytes() == b"garbage" * 1_000
