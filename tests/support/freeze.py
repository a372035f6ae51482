"""Freezes today's reader of certificates: a copy of all that it runs, which later changes cannot reach.

`python -P -m tests.support.freeze` writes `consensus/certificates/frozen/<version>/`; run it before the wire or the
aggregator changes (protocol/README.md, "Versions"). tests/vectors/test_certificates.py rehearses it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from protocol.versions import CURRENT, RoundVersion

ROOT = Path(__file__).parents[2]
PACKAGES = ("protocol", "consensus")
ENTRY = "consensus.certificates.reading"
"""The module whose `reading_of` is frozen, with everything of ours that it imports."""

_IMPORT = re.compile(rf"^(\s*)(from|import) ({'|'.join(PACKAGES)})\b", re.MULTILINE)

_ADAPTER = '''"""The reader of {version}: a copy of what read it, frozen.

Nothing below this file is edited or shared. The file fits what the copy finds into today's `CertificateReading`.
"""

from collections.abc import Collection

from {package}.consensus.certificates import reading as frozen
from {package}.protocol.errors import Fault as FrozenFault
from {package}.protocol.types import Key as FrozenKey

from consensus.certificates.reading import CertificateReading
from protocol.errors import Fault, FaultReason
from protocol.types import Key


def reading_of(raw: bytes, *, trusted: Collection[Key] | None = None) -> CertificateReading | Fault:
    """Recompute a certificate of this version from its bytes alone."""
    theirs = None if trusted is None else frozenset(map(FrozenKey, trusted))
    read = frozen.reading_of(raw, trusted=theirs)
    if isinstance(read, FrozenFault):
        return Fault(FaultReason(read.reason.value), read.rule, read.detail)
    cosigners = frozenset(map(Key, read.cosigners))
    return CertificateReading(read.description, read.turns, cosigners, read.full, read.ranking_digest)
'''


def package_name(version: RoundVersion) -> str:
    """The name of a version's package: wire_1_hbt_2_forms_1_draws_1."""
    names = (f"wire/{version.wire}", version.aggregator, version.canonical_form, version.draws)
    return "_".join(name.replace("/", "_") for name in names)


def freeze(folder: Path, package: str) -> list[Path]:
    """Write the reader as `package` into `folder`, which must not be there yet; return the copies."""
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(_ADAPTER.format(version=CURRENT, package=package), encoding="utf-8")
    copies = []
    for source in closure():
        copy = folder / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        copy.write_text(_IMPORT.sub(rf"\1\2 {package}.\3", text), encoding="utf-8")
        copies.append(copy)
    return copies


def closure() -> list[Path]:
    """The files of all modules of ours that the reader imports, directly or not, and of the packages they are in."""
    found: set[Path] = set()
    waiting = [ENTRY]
    while waiting:
        file = _file(waiting.pop())
        if file is None or file in found:
            continue
        found.add(file)
        waiting += _imports(file)
    packages = {folder / "__init__.py" for file in found for folder in file.parents if ROOT in folder.parents}
    return sorted(found | packages)


def _file(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            assert not any(alias.name.split(".")[0] in PACKAGES for alias in node.names), f"{file}: import of a package"


if __name__ == "__main__":
    name = package_name(CURRENT)
    frozen = ROOT / "consensus" / "certificates" / "frozen"
    frozen.mkdir(exist_ok=True)
    (frozen / "__init__.py").write_text('"""Readers of earlier versions, frozen: nothing here is edited."""\n')
    print(*freeze(frozen / name, f"consensus.certificates.frozen.{name}"), sep="\n")
