"""The node's key: a 32-byte Ed25519 seed in a file that nobody else can read.

The file holds the seed as 64 hexadecimal digits and a newline. It has mode 0600 and lies in a folder of mode 0700, both
owned by the user who runs the node. Anything wider is refused, not repaired, because someone may have read it already.
"""

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node.errors import UserError
from protocol.signing import Keypair

KEY_NAME: Final = "node.key"
_SEED_BYTES: Final = 32
# One more than a key file has, so that a longer file is detected.
_READ_BYTES: Final = 2 * _SEED_BYTES + 2


class KeyFileError(UserError):
    """The key file cannot be used. The message is one line for the user, with the command that helps, if any."""


@dataclass(frozen=True, slots=True)
class NodeKey:
    """A key pair, its seed (the overlay needs it) and whether it was made just now."""

    keypair: Keypair
    seed: bytes
    fresh: bool


def load_or_create_key(folder: Path) -> NodeKey:
    """Load the key in `folder`; make the folder and the key if there is none. Raises KeyFileError."""
    path = folder / KEY_NAME
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(folder, folder.stat(), "700")
        fresh = not os.path.lexists(path) and _create(path)
        seed = _read(path)
    except OSError as error:
        raise KeyFileError(f"cannot use the key file {path}: {error.strerror}") from error
    return NodeKey(Keypair(seed), seed, fresh)


def load_key(folder: Path) -> NodeKey | None:
    """Load the key in `folder`; None if there is none. Nothing is made. Raises KeyFileError."""
    path = folder / KEY_NAME
    try:
        if not os.path.lexists(path):
            return None
        _check_private(folder, folder.stat(), "700")
        seed = _read(path)
    except OSError as error:
        raise KeyFileError(f"cannot use the key file {path}: {error.strerror}") from error
    return NodeKey(Keypair(seed), seed, fresh=False)


def require_key(folder: Path) -> NodeKey:
    """Load the key in `folder`. Raises KeyFileError, also if there is none."""
    key = load_key(folder)
    if key is None:
        raise KeyFileError(f"there is no key in {folder}: make one by `strand init`, or restore it from a backup")
    return key


def _create(path: Path) -> bool:
    """Write a new seed under another name first: `path` appears complete or not at all, and never replaces a key."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_SEED_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        # Another process was faster: its key is the node's.
        return False
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def _read(path: Path) -> bytes:
    """Read the seed. Checks the open file, not the path, so that nothing can be swapped in between."""
    # O_NONBLOCK: a pipe in the key's place must not hang the start.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileError(f"{path} is not a regular file")
        _check_private(path, status, "600")
        content = os.read(descriptor, _READ_BYTES)
    finally:
        os.close(descriptor)
    try:
        seed = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        seed = b""
    if len(seed) != _SEED_BYTES:
        raise KeyFileError(
            f"{path} does not hold a key: restore it from a backup, or move it away to get a new identity"
        )
    return seed


def _check_private(path: Path, status: os.stat_result, mode: str) -> None:
    if status.st_uid != os.getuid():
        raise KeyFileError(f"{path} belongs to user {status.st_uid}, not to {os.getuid()}: run strand as its owner")
    if status.st_mode & 0o077:
        raise KeyFileError(f"{path} is open to others (mode {stat.S_IMODE(status.st_mode):o}): chmod {mode} {path}")
