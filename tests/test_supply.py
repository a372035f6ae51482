"""The supply chain: all is pinned by hash, no host is named, licences are allowed and listed, a bill is made."""

import re

import pytest

from tests.support import supply, vendor
from tests.support.supply import LOCKS, ROOT

locks = pytest.mark.parametrize("lock", LOCKS)


def test_every_lock_file_is_known() -> None:
    """Of the overrides each is pinned again in the lock files."""
    assert {path.name for path in ROOT.glob("requirements*.txt")} == {*LOCKS, "requirements-overrides.txt"}


@locks
def test_every_package_is_pinned_by_hash(lock: str) -> None:
    packages = supply.locked(lock)
    assert packages and all(package.hashes for package in packages)
    assert len({package.name for package in packages}) == len(packages)


@locks
def test_a_package_has_one_version(lock: str) -> None:
    """What two lock files pin is the same in both: they are installed into one environment."""
    versions = {package.name: package.version for package in supply.everything()}
    assert {package.name: package.version for package in supply.locked(lock)}.items() <= versions.items()


@locks
def test_no_host_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|--index-url|--extra-index|--find-links|--trusted-host|^-e\b|@ ", text, re.MULTILINE)


def test_the_installation_insists_on_hashes() -> None:
    installs = [line for line in (ROOT / "Makefile").read_text().splitlines() if "-r requirements" in line]
    assert len(installs) == len(LOCKS)
    assert all("--no-deps --require-hashes" in line for line in installs)


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MIT AND Apache-2.0", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("LGPL-2.1-or-later", False),
        ("unknown", False),
    ],
)
def test_which_licences_are_allowed(expression: str, allowed: bool) -> None:
    assert supply.allowed(expression) is allowed


def test_licences() -> None:
    assert supply.refused() == []


def test_the_list_of_licences_is_as_installed() -> None:
    """Of packages that are not installed here the page may say more."""
    page = (ROOT / "docs/reference/licences.md").read_text()
    for package in supply.everything():
        told = supply.licence(package.name)
        line = f"| {package.name} | {package.version} | {told or ''}"
        assert line in page, f"{line}: `make licences` writes it anew"
    assert all(f"| {each.name} | {each.version} | {each.licence} |" in page for each in vendor.packages())


def test_the_bill_of_materials() -> None:
    bill = supply.sbom()
    assert bill == supply.sbom(), "the same lock file, the same bill"
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    components = bill["components"]
    packages = [*supply.locked(supply.RUNTIME), *vendor.packages()]
    assert [(each["name"], each["version"]) for each in components] == [(each.name, each.version) for each in packages]
    references = [each["bom-ref"] for each in components]
    assert len(set(references)) == len(references)
    assert bill["dependencies"][0]["dependsOn"] == sorted(references)
    assert all(
        re.fullmatch(r"pkg:(?:pypi|npm)/[a-z0-9./%-]+@[^@]+", each["purl"]) and each["hashes"] for each in components
    )
