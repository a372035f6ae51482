import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from node.keys import KEY_NAME, KeyFileError, load_or_create_key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "strand" / "data"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refusal(folder: Path) -> str:
    with pytest.raises(KeyFileError) as refused:
        load_or_create_key(folder)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_key_is_made_once_and_for_us_alone(folder: Path) -> None:
    before = os.umask(0)
    try:
        made = load_or_create_key(folder)
    finally:
        os.umask(before)
    loaded = load_or_create_key(folder)
    assert (made.fresh, loaded.fresh) == (True, False)
    assert made.seed == loaded.seed
    assert made.keypair.public == loaded.keypair.public
    assert (mode(folder), mode(folder / KEY_NAME)) == (0o700, 0o600)
    assert [path.name for path in folder.iterdir()] == [KEY_NAME]


def test_each_node_has_its_own_key(tmp_path: Path) -> None:
    assert load_or_create_key(tmp_path / "a").seed != load_or_create_key(tmp_path / "b").seed


def test_of_many_that_start_at_once_one_makes_the_key(folder: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: load_or_create_key(folder), range(8)))
    assert len({key.seed for key in keys}) == 1
    assert sum(key.fresh for key in keys) == 1


@pytest.mark.parametrize("wider", [0o640, 0o604, 0o620])
def test_a_file_open_to_others_is_refused(folder: Path, wider: int) -> None:
    load_or_create_key(folder)
    path = folder / KEY_NAME
    path.chmod(wider)
    assert refusal(folder) == f"{path} is open to others (mode {wider:o}): chmod 600 {path}"


def test_a_folder_open_to_others_is_refused(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    assert refusal(folder) == f"{folder} is open to others (mode 755): chmod 700 {folder}"
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to give a file away")
def test_a_file_of_another_user_is_refused(folder: Path) -> None:
    load_or_create_key(folder)
    os.chown(folder / KEY_NAME, 65534, -1)
    assert "belongs to user 65534" in refusal(folder)


@pytest.mark.parametrize("content", [b"", b"00" * 31, b"00" * 33, b"zz" * 32, b"\xff" * 64, b"00" * 32 + b"\n00"])
def test_a_damaged_key_is_refused_and_kept(folder: Path, content: bytes) -> None:
    load_or_create_key(folder)
    (folder / KEY_NAME).write_bytes(content)
    assert "does not hold a key" in refusal(folder)
    assert (folder / KEY_NAME).read_bytes() == content


def test_what_is_no_file_is_refused(folder: Path) -> None:
    """A link may point anywhere, a pipe would hang the start."""
    key = load_or_create_key(folder)
    (folder / KEY_NAME).rename(folder / "moved")
    (folder / KEY_NAME).symlink_to("moved")
    assert refusal(folder).startswith("cannot use the key file")
    (folder / KEY_NAME).unlink()
    os.mkfifo(folder / KEY_NAME, 0o600)
    assert "is not a regular file" in refusal(folder)
    (folder / KEY_NAME).unlink()
    (folder / "moved").rename(folder / KEY_NAME)
    assert load_or_create_key(folder).seed == key.seed
