"""The model folder: its content, the records about it, and how a file gets in.

Each pulled model has a folder of its own. A file gets its name there when its checksum is right, and
`.strand/record.json` holds the verified checksums: a file with its recorded size was verified when it came. Unfinished
files lie in `.strand` too, each named by its checksum, so that a broken pull can resume.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import msgspec
from rich.filesize import decimal

from node.errors import UserError

MODELS_MAX = 1_024
"""Entries of the model folder that are examined: more than anybody keeps."""

FILES_MAX = 1_024
"""Files of one model: the largest checkpoints have some 200, weights included."""

BYTES_MAX = 4 * 1024**4
"""Bytes of one model: the largest open checkpoints have 1.3 TB."""

NAME_BYTES_MAX = 255
"""Bytes of each part of a file's name: the limit of Linux's file systems."""

PATH_BYTES_MAX = 1_024
"""Bytes of a file's name within a model: a quarter of Linux's limit for a whole path."""

RECORD_BYTES_MAX = 4 * 1024 * 1024
"""Bytes of a record: FILES_MAX files with the longest names, twice over."""

FREE_BYTES_MIN = 512 * 1024**2
"""Bytes that a pull leaves free: the node's store and other programs write to the same disk."""

CHUNK_BYTES = 1024 * 1024
"""Bytes read at a time."""

PRIVATE = ".strand"
"""Name of our own folder in a model's folder; no file of a model may have it."""

Kind = Literal["gguf", "checkpoint", "adapter"]
State = Literal["verified", "unverified", "incomplete", "changed", "damaged", "not installed"]
"""State of a model. verified: its checksums were right when it came, and its sizes still are. unverified: no checksums
are known. incomplete: a pull did not end. changed: files have other sizes since. damaged: its checksum is wrong."""

Told = Callable[[str, int, int], None]
"""Called with a file's name, its bytes so far and in total. An exception ends the work; the bytes so far are kept."""

Checksum = Annotated[str, msgspec.Meta(pattern="^(sha256:[0-9a-f]{64}|git-sha1:[0-9a-f]{40})$")]
"""The content's SHA-256, or for small files git's name of it: SHA-1 of "blob <bytes>\\0" and the content."""


class ModelError(UserError):
    """A model cannot be listed, pulled or converted. The message is one line for the user."""


class File(msgspec.Struct, frozen=True):
    """The required size and checksum of one file of a model."""

    bytes: Annotated[int, msgspec.Meta(ge=0, le=BYTES_MAX)]
    checksum: Checksum


class ModelManifest(msgspec.Struct, frozen=True):
    """The record of a pulled model."""

    name: str
    source: str
    commit: str
    files: dict[str, File]


@dataclass(frozen=True, slots=True)
class StoredModel:
    """One model: a GGUF file, or a folder with a checkpoint or an adapter."""

    name: str
    kind: Kind
    bytes: int
    path: Path | None
    state: State


@dataclass(frozen=True, slots=True)
class FileResult:
    """The result for one file. kept: it was there and is still right. resumed: a part of it was there."""

    name: str
    bytes: int
    checksum: str
    how: Literal["fetched", "resumed", "kept", "linked", "copied"]


@dataclass(frozen=True, slots=True)
class PulledModel:
    """A model whose files all have the right checksums."""

    name: str
    path: Path
    commit: str
    files: tuple[FileResult, ...]


def is_safe(name: str) -> bool:
    """Whether a foreign name denotes a file within a model's folder, and is readable for people."""
    parts = name.split("/")
    return (
        len(name.encode(errors="replace")) <= PATH_BYTES_MAX
        and all(part not in ("", ".", "..") and len(part.encode(errors="replace")) <= NAME_BYTES_MAX for part in parts)
        and name.isprintable()
        and "\\" not in name
        and parts[0] != PRIVATE
    )


def is_right(path: Path, file: File, name: str, told: Told) -> bool:
    """Whether there is a file with this size and checksum. Reads all of it."""
    if not path.is_file() or path.stat().st_size != file.bytes:
        return False
    digest = hasher(file)
    add_content(digest, path, file, name, told)
    return shown_digest(digest, file) == file.checksum


def hasher(file: File) -> "hashlib._Hash":
    """Return the hash object for the file's content."""
    if file.checksum.startswith("sha256:"):
        return hashlib.sha256()
    return hashlib.sha1(b"blob %d\0" % file.bytes, usedforsecurity=False)


def add_content(digest: "hashlib._Hash", path: Path, file: File, name: str, told: Told) -> None:
    """Feed the content of `path` to a hash object."""
    done = 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            told(name, done, file.bytes)


def shown_digest(digest: "hashlib._Hash", file: File) -> str:
    """Return a digest in the form of the file's checksum."""
    return f"{file.checksum.partition(':')[0]}:{digest.hexdigest()}"


def settle(partial: Path, target: Path) -> None:
    """Give a verified file its name, after it is on the disk."""
    with partial.open("rb") as stream:
        os.fsync(stream.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    partial.replace(target)


@contextmanager
def pulling(folder: Path, record: ModelManifest, offered: Mapping[str, File]) -> Iterator[Path]:
    """Lock a model's folder while its files come; yields their place, where they are named by `partial_name`.

    Files that the folder has and the source still offers unchanged stay; those that it no longer offers are removed at
    the end, when the new files are there. Raises ModelError if another pull is at work there.
    """
    private = folder / PRIVATE
    parts = private / "partial"
    parts.mkdir(parents=True, exist_ok=True)
    with (private / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ModelError(f"another strand pulls into {folder} already") from error
        before = _read_record(private / "record.json")
        known = {} if before is None else before.files
        kept = {name: file for name, file in known.items() if offered.get(name) == file}
        record = msgspec.structs.replace(record, files=kept | record.files)
        draft = private / "pulling.json"
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
        yield parts
        for name in known.keys() - record.files.keys():
            if is_safe(name):
                (folder / name).unlink(missing_ok=True)
        draft.replace(private / "record.json")
        shutil.rmtree(parts)


def partial_name(file: File) -> str:
    """Return the name of an unfinished file: its checksum, so that no other file is taken for its beginning."""
    return file.checksum.partition(":")[2]


def check_free(folder: Path, name: str, needed: int) -> None:
    """Raise ModelError if the disk has no room for this many more bytes."""
    free = max(0, shutil.disk_usage(folder).free - FREE_BYTES_MIN)
    if needed > free:
        raise ModelError(
            f"{name} needs {decimal(needed)} more and {folder} has {decimal(free)} to spare: choose with --file"
        )


def list_models(folder: Path) -> list[StoredModel]:
    """Return the models in the folder, by name. Raises ModelError if it cannot be read."""
    try:
        if not folder.is_dir():
            return []
        found: list[StoredModel] = []
        for entry in sorted(islice(folder.iterdir(), MODELS_MAX)):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                found += models_of(entry)
            elif entry.suffix == ".gguf":
                found.append(StoredModel(entry.stem, "gguf", entry.stat().st_size, entry, "unverified"))
    except OSError as error:
        raise ModelError(f"cannot read {error.filename or folder}: {error.strerror}") from error
    return found


def models_of(folder: Path) -> list[StoredModel]:
    """Return the models in one model's folder: a checkpoint or an adapter, and every GGUF file. Raises OSError."""
    private = folder / PRIVATE
    record = _read_record(private / "pulling.json") or _read_record(private / "record.json")
    known = {} if record is None else record.files
    there = dict(islice(_sizes(folder), FILES_MAX))
    name = folder.name if record is None else record.name
    names = there.keys() | known.keys()
    ggufs = sorted(each for each in names if each.endswith(".gguf"))
    found = [
        StoredModel(f"{name}/{each}", "gguf", there.get(each, 0), folder / each, _state({each}, there, known))
        for each in ggufs
    ]
    kind = _kind_of(names)
    if kind is not None:
        rest = names.difference(ggufs)
        found.insert(
            0, StoredModel(name, kind, sum(there.get(each, 0) for each in rest), folder, _state(rest, there, known))
        )
    return found


def _kind_of(names: set[str]) -> Kind | None:
    """Return the kind of a folder with these files, besides its GGUF files."""
    if "adapter_config.json" in names:
        return "adapter"
    weights = any(PurePosixPath(name).suffix in (".safetensors", ".bin") for name in names)
    return "checkpoint" if weights and "config.json" in names else None


def _state(names: set[str], there: Mapping[str, int], known: Mapping[str, File]) -> State:
    expected = names & known.keys()
    if not expected:
        return "unverified"
    if expected - there.keys():
        return "incomplete"
    return "verified" if all(there[name] == known[name].bytes for name in expected) else "changed"


def _sizes(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield every file below except our own, by its name within the folder, with its size."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != PRIVATE)
        for name in sorted(names):
            path = Path(place, name)
            if path.is_file():
                yield path.relative_to(folder).as_posix(), path.stat().st_size


def _read_record(path: Path) -> ModelManifest | None:
    """Return a record, or None if there is no readable one: then a model is unverified and pulled anew."""
    try:
        with path.open("rb") as stream:
            return msgspec.json.decode(stream.read(RECORD_BYTES_MAX), type=ModelManifest)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None
