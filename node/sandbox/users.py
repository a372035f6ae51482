"""User ids for sandboxes of a node that runs as root, one for each sandbox that runs."""

import fcntl
import grp
import os
import pwd
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

UIDS: Final = range(60_800, 60_928)
"""User ids that sandboxes run under; group ids are the same numbers.

systemd and Debian leave 60,706 to 61,183 to nobody, and containers that map 65,536 ids have them. There are 128: two
sandboxes for each of 64 nodes on one machine, which simulations need.
"""

LOCKS: Final = Path("/run/strand-sandbox")
"""Folder, private to root, of one empty file for each id. Who holds a lock on it has the id: nodes share the pool."""


class NoUserError(Exception):
    """No user id is free, or the locks cannot be made. The message is a clause that says so."""


@contextmanager
def sandbox_user(folder: Path = LOCKS) -> Iterator[int]:
    """Hold a user id that no user has and no other sandbox uses. Raises NoUserError.

    Two sandboxes with one id could send signals to each other, and share the limit of processes.
    """
    with ExitStack() as held:
        yield _take(folder, held)


def _take(folder: Path, held: ExitStack) -> int:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for uid in UIDS:
            if is_somebodys(uid):
                continue
            descriptor = os.open(folder / str(uid), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            held.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.close()
            else:
                return uid
    except OSError as error:
        raise NoUserError(f"cannot lock a user id in {folder}: {error.strerror}") from error
    raise NoUserError(f"all user ids from {UIDS[0]} to {UIDS[-1]} are in use")


def is_somebodys(number: int) -> bool:
    """Whether a user or a group of this machine has this id."""
    for lookup in (pwd.getpwuid, grp.getgrgid):
        try:
            lookup(number)
        except KeyError:
            continue
        return True
    return False
