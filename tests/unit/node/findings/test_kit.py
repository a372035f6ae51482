"""The cache of the harness: shared by the nodes of a user, and sometimes not to be written."""

import os
import time
from pathlib import Path

import pytest

from node.findings.compiling import KIT_LIBRARY, KIT_RUNNER
from node.findings.kit import UNUSED_S, KitError, _store

BUILT = {KIT_LIBRARY: b"library", KIT_RUNNER: b"runner"}


def store(cache: Path, name: str, *, used_s_ago: float = 0) -> Path:
    """Put a kit into a cache, as if it had last been used some time ago."""
    folder = cache / f"harness-{name}"
    _store(cache, folder, BUILT)
    at = time.time() - used_s_ago
    os.utime(folder, (at, at))
    return folder


def test_a_cache_that_cannot_be_made_is_no_end_of_the_node(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(KitError, match="cannot write") as raised:
        store(tmp_path / "file" / "cache", "a")
    assert "writable" in raised.value.remedy


def test_a_kit_that_another_node_has_just_written_stays(tmp_path: Path) -> None:
    folder = store(tmp_path, "a")
    inode = (folder / KIT_RUNNER).stat().st_ino
    store(tmp_path, "a")
    assert (folder / KIT_RUNNER).stat().st_ino == inode
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_with_half_a_kit_is_replaced(tmp_path: Path) -> None:
    folder = store(tmp_path, "a")
    (folder / KIT_LIBRARY).unlink()
    store(tmp_path, "a")
    assert (folder / KIT_LIBRARY).read_bytes() == b"library"


def test_only_kits_that_nobody_uses_are_dropped(tmp_path: Path) -> None:
    unused = store(tmp_path, "a", used_s_ago=2 * UNUSED_S)
    used = [store(tmp_path, name, used_s_ago=10) for name in "bcd"]
    assert not unused.exists()
    assert all(folder.is_dir() for folder in used)
