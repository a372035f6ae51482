"""The text of a question: argument, stdin and files in this order, bounded."""

import errno
import io
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from node.cli.ask.question import FILES_MAX, compose
from node.cli.parts.errors import CliError
from node.files import FileError
from protocol.limits import TEXT_BYTES_MAX


def on_stdin(monkeypatch: pytest.MonkeyPatch, raw: bytes, *, terminal: bool = False) -> None:
    stream = io.TextIOWrapper(io.BytesIO(raw))
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stdin", stream)


def test_one_source_alone_is_the_question_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compose("  Why?\n", ()) == "  Why?\n"
    on_stdin(monkeypatch, "Größe?\r\n".encode())
    assert compose(None, ()) == "Größe?\n"
    on_stdin(monkeypatch, b"Why?\n")
    assert compose("-", ()) == "Why?\n"


def test_stdin_and_files_follow_the_argument(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.rs").write_text("fn a() {}")
    Path("b.txt").write_text("two\nlines\n")
    on_stdin(monkeypatch, b"error[E0382]\n")
    assert compose("What is wrong?", (Path("a.rs"), Path("b.txt"))) == (
        "What is wrong?\n\nerror[E0382]\n\na.rs:\n\n```rust\nfn a() {}\n```\n\nb.txt:\n\n```\ntwo\nlines\n```\n"
    )


def test_a_fence_is_longer_than_those_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "readme.md"
    file.write_text("````\n```rust\n```\n````\n")
    assert compose(None, (file,)).count("`````") == 2


def test_a_name_cannot_start_a_line_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "a\n```\x1b.rs"
    file.write_text("x")
    heading = compose("q", (file,)).splitlines()[2]
    assert heading.endswith("a ```\N{REPLACEMENT CHARACTER}.rs:")


def test_a_terminal_is_read_only_if_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    on_stdin(monkeypatch, b"typed\n", terminal=True)
    assert compose("Why?", ()) == "Why?"
    with pytest.raises(CliError, match="nothing is asked"):
        compose(None, ())
    assert compose("-", ()) == "typed\n"


def test_a_signal_ends_the_wait_for_a_pipe(tmp_path: Path) -> None:
    """A command's own handler cancels its task, which a blocking read never notices."""
    pipe, found = tmp_path / "pipe", []
    os.mkfifo(pipe)

    def write() -> None:
        # Opens when the reader does.
        with pipe.open("w") as file:
            found.append(signal.getsignal(signal.SIGTERM))
            file.write("piped")

    before = signal.signal(signal.SIGTERM, lambda *_: None)
    writer = threading.Thread(target=write)
    try:
        writer.start()
        assert "piped" in compose("q", (pipe,))
        writer.join()
        assert found == [signal.SIG_DFL] != [signal.getsignal(signal.SIGTERM)]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("size", [TEXT_BYTES_MAX // 2, TEXT_BYTES_MAX + 1])
def test_all_parts_together_are_bounded(tmp_path: Path, size: int) -> None:
    files = (tmp_path / "one", tmp_path / "two")
    for file in files:
        file.write_text("x" * size)
    with pytest.raises((CliError, FileError), match=f"more than {TEXT_BYTES_MAX}"):
        compose("q", files)


def test_more_files_than_a_question_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=f"at most {FILES_MAX} files"):
        compose("q", (tmp_path,) * (FILES_MAX + 1))


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"ab\n\xff")
    with pytest.raises(FileError, match="binary, line 2: byte 0xff is not UTF-8"):
        compose("q", (tmp_path / "binary",))


def test_only_white_space_is_no_question(tmp_path: Path) -> None:
    (tmp_path / "empty.rs").write_text(" \n")
    for argument, files in ((" ", ()), ("-", ()), (None, (tmp_path / "empty.rs",))):
        with pytest.raises(CliError, match="empty"):
            compose(argument, files)


class Broken(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readinto(self, _: object) -> int:
        raise OSError(errno.EIO, "Input/output error")


def test_a_stdin_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Broken())))
    with pytest.raises(CliError, match="cannot read stdin: Input/output error"):
        compose("Why?", ())
