"""Modes of files, and no dumps."""

import stat
from pathlib import Path

from node.hardening import open_private, open_to_others


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
