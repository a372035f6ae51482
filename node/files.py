"""The user's files: one reader for all of them, and one-line errors with the path.

Editors and shells write UTF-8 with or without a byte order mark and with either end of line; all are read alike.
"""

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from node.errors import Exit, UserError

_OTHER_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class FileError(UserError):
    """A file of the user's cannot be read or written. The message is one line for the user, with the path."""

    code = Exit.USAGE


class UnwritableError(FileError):
    """The disk refuses the file: full, read-only, of another owner."""

    code = Exit.REFUSED


class TooLargeError(FileError):
    """The file has more bytes than any valid one."""


class NoFileError(FileError):
    """There is no such file."""


def read_bytes(path: Path, bytes_max: int) -> bytes:
    """Return all of a file of at most `bytes_max` bytes: also a pipe, and for "-" stdin. Raises FileError."""
    try:
        if str(path) == "-":
            raw = sys.stdin.buffer.read(bytes_max + 1)
        else:
            with path.open("rb") as file:
                raw = file.read(bytes_max + 1)
    except FileNotFoundError as error:
        raise NoFileError(f"cannot read {path}: {error.strerror}") from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        # A name with a zero byte.
        raise FileError(f"cannot read {str(path)!r}: {error}") from error
    if len(raw) > bytes_max:
        raise TooLargeError(f"{path} has more than {bytes_max} bytes")
    return raw


def read_text(path: Path, bytes_max: int) -> str:
    """Return the text of a file of at most `bytes_max` bytes, with line feeds as line ends. Raises FileError."""
    raw = read_bytes(path, bytes_max)
    if raw.startswith(_OTHER_MARKS):
        raise FileError(f"{path} is UTF-16: save it as UTF-8")
    try:
        return decode(raw)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FileError(f"{path}, line {line}: byte {raw[error.start]:#04x} is not UTF-8: save it as UTF-8") from error


def read_toml(path: Path, bytes_max: int) -> dict[str, Any]:
    """Return the tables of a TOML file of at most `bytes_max` bytes. Raises FileError."""
    # Imported late: `--help` does not need it.
    import tomllib

    try:
        return tomllib.loads(read_text(path, bytes_max))
    except tomllib.TOMLDecodeError as error:
        raise FileError(f"{path} is not TOML: {error}") from error
    except RecursionError as error:
        raise FileError(f"{path} is not TOML: its values lie too deep in each other") from error


def decode(raw: bytes) -> str:
    """Decode UTF-8 with or without a byte order mark, with either line end. Raises UnicodeDecodeError."""
    return raw.decode("utf-8-sig").replace("\r\n", "\n")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Add `path` to a refusal of the disk: the system does not name the file without room. Raises UnwritableError."""
    try:
        yield
    except OSError as error:
        raise UnwritableError(f"cannot write {path}: {error.strerror or error}") from error


def require_writable(path: Path) -> None:
    """Find out, before long work, whether `write_whole` can write this file; nothing stays. Raises UnwritableError."""
    _draft(path)
    folder = next((each for each in path.parents if each.exists()), path.parent)
    trial = folder / f".strand.{os.getpid()}"
    # Tried: permissions do not tell of a file system that takes no files.
    with writing(path), remove_if_broken(trial):
        trial.touch()
        trial.unlink()


def _draft(path: Path) -> Path:
    """Return where the content of `path` lies until it is whole. Raises UnwritableError for what is no file's path."""
    if not path.name or path.name == ".." or path.is_dir():
        raise UnwritableError(f"cannot write {path}: it is a folder; name a file in it")
    return path.with_name(f".{path.name}.{os.getpid()}")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it appears as a whole or not at all; folders that are made are private. Raises FileError."""
    draft = _draft(path)
    with writing(path):
        # Private: a folder that is made here may later hold the node's key.
        for folder in reversed([folder for folder in path.parents if not folder.exists()]):
            folder.mkdir(mode=0o700, exist_ok=True)
        with remove_if_broken(draft):
            draft.write_bytes(content)
            draft.replace(path)


@contextmanager
def remove_if_broken(path: Path) -> Iterator[None]:
    """Remove the file that the block was to write, if the block fails."""
    with ExitStack() as undoing:
        undoing.callback(path.unlink, missing_ok=True)
        yield
        undoing.pop_all()
