"""The cache of the harness: shared by the nodes of a user, and sometimes not to be written."""

import os
import time
from pathlib import Path

import pytest

from node.findings.compiling import HARNESS_LIBRARY, HARNESS_RUNNER
from node.findings.harness_build import UNUSED_S, HarnessError, _store

BUILT = {HARNESS_LIBRARY: b"library", HARNESS_RUNNER: b"runner"}


def store(cache: Path, name: str, *, used_s_ago: float = 0) -> Path:
    """Put a harness into a cache, as if it had last been used some time ago."""
    folder = cache / f"harness-{name}"
    _store(cache, folder, BUILT)
    at = time.time() - used_s_ago
    os.utime(folder, (at, at))
    return folder


def test_a_cache_that_cannot_be_made_is_no_end_of_the_node(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(HarnessError, match="cannot write") as raised:
        store(tmp_path / "file" / "cache", "a")
    assert "writable" in raised.value.remedy


def test_a_harness_that_another_node_has_just_written_stays(tmp_path: Path) -> None:
    folder = store(tmp_path, "a")
    inode = (folder / HARNESS_RUNNER).stat().st_ino
    store(tmp_path, "a")
    assert (folder / HARNESS_RUNNER).stat().st_ino == inode
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_with_half_a_harness_is_replaced(tmp_path: Path) -> None:
    folder = store(tmp_path, "a")
    (folder / HARNESS_LIBRARY).unlink()
    store(tmp_path, "a")
    assert (folder / HARNESS_LIBRARY).read_bytes() == b"library"


def test_only_harnesses_that_nobody_uses_are_dropped(tmp_path: Path) -> None:
    unused = store(tmp_path, "a", used_s_ago=2 * UNUSED_S)
    used = [store(tmp_path, name, used_s_ago=10) for name in "bcd"]
    assert not unused.exists()
    assert all(folder.is_dir() for folder in used)
