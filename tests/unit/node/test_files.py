"""The user's files, as editors and shells of several systems write them."""

import os
import threading
from pathlib import Path

import pytest

from node.files import FileError, NoFileError, UnwritableError, read_text, read_toml, writing

BYTES_MAX = 64

TEXTS = [
    (b"a = 1\nb = 2\n", "a = 1\nb = 2\n"),
    (b"\xef\xbb\xbfa = 1\nb = 2\n", "a = 1\nb = 2\n"),
    (b"a = 1\r\nb = 2\r\n", "a = 1\nb = 2\n"),
    (b"\xef\xbb\xbfa = 1\r\nb = 2", "a = 1\nb = 2"),
    (b"", ""),
    (b"\xef\xbb\xbf", ""),
    ("# ä\u2028\n".encode(), "# ä\u2028\n"),
    (b"x" * BYTES_MAX, "x" * BYTES_MAX),
]
REFUSED = [
    (b"\xff\xfea\0=\0", "FILE is UTF-16: save it as UTF-8"),
    (b"\xfe\xff\0a\0=", "FILE is UTF-16: save it as UTF-8"),
    (b"a = 1\n# \xe4\n", "FILE, line 2: byte 0xe4 is not UTF-8: save it as UTF-8"),
    (b"x" * (BYTES_MAX + 1), f"FILE has more than {BYTES_MAX} bytes"),
]


@pytest.mark.parametrize(("raw", "text"), TEXTS)
def test_marks_and_ends_of_lines_do_not_matter(tmp_path: Path, raw: bytes, text: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(raw)
    assert read_text(file, BYTES_MAX) == text


@pytest.mark.parametrize(("raw", "words"), REFUSED)
def test_what_is_not_read_is_explained(tmp_path: Path, raw: bytes, words: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(raw)
    with pytest.raises(FileError) as refusal:
        read_text(file, BYTES_MAX)
    assert str(refusal.value).replace(str(file), "FILE") == words


def test_a_path_that_is_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoFileError, match=f"cannot read {tmp_path / 'none'}: No such file"):
        read_text(tmp_path / "none", BYTES_MAX)
    with pytest.raises(FileError, match=f"cannot read {tmp_path}: Is a directory"):
        read_text(tmp_path, BYTES_MAX)
    with pytest.raises(FileError, match="null byte"):
        read_text(tmp_path / "a\0b", BYTES_MAX)


def test_a_pipe_is_read_to_its_limit(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"\xef\xbb\xbfa = 1\r\n",))
    writer.start()
    assert read_toml(pipe, BYTES_MAX) == {"a": 1}
    writer.join()


@pytest.mark.parametrize("text", ["a = ", "[a", "a = " + "[" * 20_000])
def test_what_is_no_toml_is_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "file"
    file.write_text(text)
    with pytest.raises(FileError, match=f"^{file} is not TOML: ") as refusal:
        read_toml(file, 32_768)
    assert "\n" not in str(refusal.value)


def test_a_disk_without_room_is_named_with_the_path(tmp_path: Path) -> None:
    with (
        pytest.raises(UnwritableError, match=f"cannot write {tmp_path}/x: No space left on device"),
        writing(tmp_path / "x"),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"x")
