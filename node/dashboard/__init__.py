"""The dashboard's files, which browsers load as they are: nothing is built, and nothing comes from elsewhere.

Modules import each other by name. A page's import map says where each name leads: here to an address below ASSETS_PATH
that holds the content's digest, so that a browser may keep the file for good; in a page that stands alone, to a data:
URL. Files of others lie in `vendor` (`versions.json` there pins them).
"""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Final

import msgspec

ASSETS_PATH: Final = "/assets/"
"""Beginning of the addresses of all files but the shell."""

SHELL: Final = "index.html"
"""The page that loads everything else."""

MEDIA: Final[Mapping[str, str]] = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
"""Endings of the files that are served, and their media types."""

_VENDOR: Final = "vendor/"
"""Folder of others' files, whose names are their paths below it."""

_OWN: Final = "strand/"
"""Beginning of the names of our own modules; their paths follow."""

_DIGEST_CHARS: Final = 16
"""Hexadecimal digits of a digest in an address: our own files must differ, which nobody attacks."""

_REFERENCE: Final = re.compile(r'\b(src|href)="([^"]+)"')
"""Address in the shell, which names a file by its path."""

_IMPORT: Final = re.compile(r"""(?:^|[;}])\s*(?:import|export)\b[^"';]*?\bfrom\s*["']([^"']+)["']""", re.MULTILINE)
"""Import of a module by its name, as it is written in our files and in those of others."""

_NO_MAP: Final = '<script type="importmap"></script>'
"""Place of the import map in the shell."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served."""

    media: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Dashboard:
    """All that a browser loads."""

    shell: bytes
    """The page, with its import map."""
    map_hash: str
    """SHA-256 of the import map as a policy for scripts names it."""
    assets: Mapping[str, Asset]
    """Files by the names that follow ASSETS_PATH."""


@cache
def sources() -> Mapping[str, str]:
    """Return the text of each file that a page may load, by its path in this folder, in the order of paths."""
    found = dict(_walk(files(__name__), PurePosixPath()))
    return {path: found[path] for path in sorted(found)}


def module_name(path: str) -> str:
    """Return the name by which modules import the file at this path."""
    return path.removeprefix(_VENDOR).removesuffix(".js") if path.startswith(_VENDOR) else _OWN + path


def import_map(addresses: Mapping[str, str]) -> str:
    """Return an import map as JSON for the addresses of files by path."""
    imports = {module_name(path): address for path, address in addresses.items() if path.endswith(".js")}
    return msgspec.json.encode({"imports": imports}).decode()


def data_map(start: str) -> str:
    """Return an import map of data: URLs, as JSON, for the module at this path and all that it needs.

    Raises KeyError for an unknown module.
    """
    paths = {module_name(path): path for path in sources() if path.endswith(".js")}
    needed, ahead = dict[str, str](), [start]
    while ahead:
        path = ahead.pop()
        if path not in needed:
            text = sources()[path]
            needed[path] = f"data:{MEDIA['.js']};base64,{base64.b64encode(text.encode()).decode()}"
            ahead += [paths[name] for name in _IMPORT.findall(text)]
    return import_map(dict(sorted(needed.items())))


@cache
def dashboard() -> Dashboard:
    """Return the files as a node serves them. Raises KeyError if the shell names a file that is not there."""
    names = {path: _served_name(path, text) for path, text in sources().items() if path != SHELL}
    addresses = {path: ASSETS_PATH + name for path, name in names.items()}
    told = import_map(addresses)
    shell = _REFERENCE.sub(lambda found: f'{found[1]}="{addresses[found[2]]}"', sources()[SHELL])
    shell = shell.replace(_NO_MAP, f'<script type="importmap">{told}</script>')
    assets = {name: Asset(MEDIA[PurePosixPath(path).suffix], sources()[path].encode()) for path, name in names.items()}
    map_hash = base64.b64encode(hashlib.sha256(told.encode()).digest()).decode()
    return Dashboard(shell.encode(), f"sha256-{map_hash}", assets)


def _served_name(path: str, text: str) -> str:
    """Return a name of one segment that tells the path and the content."""
    stem, _, ending = path.rpartition(".")
    return f"{stem.replace('/', '.')}.{hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARS]}.{ending}"


def _walk(folder: Traversable, at: PurePosixPath) -> Iterator[tuple[str, str]]:
    for each in folder.iterdir():
        path = at / each.name
        if each.is_dir():
            yield from _walk(each, path)
        elif path.suffix in MEDIA or str(path) == SHELL:
            yield str(path), each.read_text(encoding="utf-8")
