"""Profiles: several nodes of one user, each with a configuration, a key, a store and ports of its own."""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from node.config.loading import CONFIG_BYTES_MAX
from node.errors import Exit, UserError
from node.files import FileError, read_toml

PROFILES_MAX: Final = 64
"""Profiles that get ports of their own: more than a machine runs, and few enough to look at all of their files."""

FIRST_PORT: Final = 4212
"""Port of the first profile's HTTP interface; 4210 and 4211 are those of the node without a profile."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_PORT: Final = re.compile(r"(?::|/tcp/)(\d{1,5})$")


class ProfileError(UserError):
    """The profile cannot be used. The message is one line for the user."""

    code = Exit.USAGE


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile's places."""

    name: str

    def __post_init__(self) -> None:
        """Refuse a name that is no plain folder's name. Raises ProfileError."""
        if not _NAME.fullmatch(self.name):
            raise ProfileError(
                f"--profile {self.name!r}: a name has 1 to 32 of the characters a-z, 0-9, - and _, and begins with a "
                "letter or a digit"
            )

    @property
    def file(self) -> Path:
        """Its configuration file."""
        return platformdirs.user_config_path("strand") / "profiles" / f"{self.name}.toml"

    @property
    def folder(self) -> Path:
        """Folder of its key, store and certificates, unless its file names another."""
        return platformdirs.user_data_path("strand") / "profiles" / self.name

    def require(self) -> None:
        """Raise ProfileError unless `strand init` made it."""
        if not self.file.exists():
            others = f" (there are: {', '.join(names)})" if (names := profile_names()) else ", nor any other yet"
            raise ProfileError(
                f"there is no profile {self.name!r}{others}: make it with `strand init --profile {self.name}`"
            )


def profile_names() -> list[str]:
    """Return the names of the profiles that exist, at most PROFILES_MAX."""
    folder = platformdirs.user_config_path("strand") / "profiles"
    names = sorted(file.stem for file in folder.glob("*.toml") if _NAME.fullmatch(file.stem))
    return names[:PROFILES_MAX]


def free_ports() -> tuple[int, int]:
    """Return two ports, for HTTP and for peers, that no profile has and nobody listens at now. Raises ProfileError."""
    taken = {port for name in profile_names() for port in _ports(Profile(name).file)}
    for port in range(FIRST_PORT, FIRST_PORT + 4 * PROFILES_MAX, 2):
        if not taken & {port, port + 1} and is_free("127.0.0.1", port) and is_free("0.0.0.0", port + 1):
            return port, port + 1
    raise ProfileError(f"no two ports from {FIRST_PORT} on are free: choose some with --bind and --listen")


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError:
            return False
    return True


def _ports(file: Path) -> Iterator[int]:
    """Yield the ports that a profile's file names; a file that cannot be read names none."""
    try:
        content = read_toml(file, CONFIG_BYTES_MAX)
    except FileError:
        return
    for table, key in (("api", "bind"), ("overlay", "listen")):
        values = content.get(table)
        found = values.get(key) if isinstance(values, dict) else None
        for text in found if isinstance(found, list) else [found]:
            if isinstance(text, str) and (match := _PORT.search(text)):
                yield int(match[1])
