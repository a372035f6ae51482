import os
from pathlib import Path

from node.sandbox.collecting import collect


def test_only_plain_files_within_their_bytes_are_returned(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"12345")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("plain")
    (tmp_path / "away").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    wanted = dict.fromkeys(("plain", "empty", "folder", "link", "away", "pipe", "sparse", "missing"), 5)
    before = len(list(Path("/proc/self/fd").iterdir()))
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        assert collect(folder, wanted) == {"plain": b"12345", "empty": b""}
        assert collect(folder, {"plain": 4}) == {}
    finally:
        os.close(folder)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
