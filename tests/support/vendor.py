"""The dashboard's libraries of others: fetched by npm at the pinned versions, checked, and unpacked as they are loaded.

`python -P -m tests.support.vendor` does it anew; for another version, edit name, version and sha512 in `versions.json`
(`npm view NAME dist.integrity` says it in base64, `npm pack` and `sha512sum` in hexadecimal) and run it. One thing is
changed in the files: imports by a relative path become imports by name, which an import map resolves everywhere.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).parents[2] / "node/dashboard/vendor"
VERSIONS = VENDOR / "versions.json"

_RELATIVE = re.compile(r"""(\bfrom\s*|\bimport\s*)(["'])(\.{1,2}/[^"']+)\2""")


@dataclass(frozen=True, slots=True)
class Package:
    """One package of npm of which the dashboard loads files."""

    name: str
    version: str
    licence: str
    """SPDX id."""
    sha512: str
    """Of the package's tarball, hex."""
    files: Mapping[str, Mapping[str, str]]
    """Module's name -> its path in the tarball (`from`), and the digest of the file here (`sha256`)."""

    @property
    def licence_path(self) -> Path:
        """The licence's text, as the package has it."""
        return VENDOR / self.name / "LICENSE"


def packages() -> list[Package]:
    """What `versions.json` pins, in its order."""
    return [Package(**each) for each in json.loads(VERSIONS.read_text())]


def path_of(module: str) -> Path:
    """The file of a module with this name."""
    return VENDOR / f"{module}.js"


def by_name(source: str, path: str, names: Mapping[str, str]) -> str:
    """A module's text with relative imports replaced by names. `names`: path in the tarball -> name.

    Raises KeyError for an import of a file that has no name.
    """

    def named(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), found[3]))
        return f"{found[1]}{found[2]}{names[target]}{found[2]}"

    return _RELATIVE.sub(named, source)


def fetch(package: Package, folder: Path) -> dict[str, Any]:
    """Unpack a package's files, and return its entry of `versions.json` with their digests.

    Raises ValueError for another tarball than the pinned one.
    """
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), f"{package.name}@{package.version}"]
    packed = subprocess.run(command, check=True, capture_output=True, text=True)
    tarball = folder / packed.stdout.strip()
    if (found := hashlib.sha512(tarball.read_bytes()).hexdigest()) != package.sha512:
        raise ValueError(f"{package.name}: the tarball's sha512 is {found}")
    names = {each["from"]: module for module, each in package.files.items()}
    files = {}
    with tarfile.open(tarball) as archive:
        for path, module in names.items():
            text = by_name(_read(archive, path), path, names)
            _write(path_of(module), text)
            files[module] = {"from": path, "sha256": hashlib.sha256(text.encode()).hexdigest()}
        _write(package.licence_path, _read(archive, "LICENSE"))
    pinned = {"name": package.name, "version": package.version, "licence": package.licence, "sha512": package.sha512}
    return {**pinned, "files": files}


def _read(archive: tarfile.TarFile, path: str) -> str:
    member = archive.extractfile(f"package/{path}")
    assert member is not None
    return member.read().decode()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def main() -> int:
    """Fetch all packages, and write the digests down."""
    with tempfile.TemporaryDirectory() as folder:
        entries = [fetch(package, Path(folder)) for package in packages()]
    VERSIONS.write_text(json.dumps(entries, indent=2) + "\n")
    for entry in entries:
        print(f"{entry['name']} {entry['version']}: {', '.join(entry['files'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
