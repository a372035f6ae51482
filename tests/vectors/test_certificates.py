"""Certificates of every version: read bit for bit where a reader was kept, else named with who reads them."""

import importlib
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from consensus.certificates.reading import CertificateReading, reading_of
from consensus.certificates.versions import READERS, read_any_version, version_of
from node.cli.main import run
from protocol import versions
from protocol.errors import Fault, FaultReason
from protocol.limits import CERTIFICATE_BYTES_MAX
from protocol.recall import forgetting
from protocol.versions import CURRENT, FORMER_READERS
from tests.support.freeze import freeze
from tests.vectors.certificates import APART, FOLDER, SCENARIOS, dump, folder_name, reading

KEPT = {folder_name(version): version for version in READERS}
FORMER = {
    folder_name(replace(CURRENT, wire=wire, aggregator=aggregator)): commit
    for (wire, aggregator), commit in FORMER_READERS.items()
}
FILES = sorted(FOLDER.glob("*/*.certificate"))
VERSION = b"\xa7version"
"""The name of the field, as it is encoded."""

LATER, LATEST = CURRENT.wire + 1, CURRENT.wire + 2
FULL = FOLDER / folder_name(CURRENT) / "full.certificate"

OF_KEPT = pytest.mark.parametrize("path", [p for p in FILES if p.parent.name in KEPT], ids=lambda path: path.stem)
OF_FORMER = pytest.mark.parametrize(
    "path", [p for p in FILES if p.parent.name in FORMER], ids=lambda path: f"{path.parent.name}-{path.stem}"
)


def check_reading(read: CertificateReading | Fault, path: Path) -> None:
    """A report may say more than when the fixture was written, but nothing else."""
    assert isinstance(read, CertificateReading), read
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    if "content" in expected:
        # Before wire 2 a query was one text.
        text = expected.pop("content")
        expected["turns"] = [["user", text]] if text else []
    found = json.loads(dump(reading(read)))
    found["report"] = {name: found["report"].get(name) for name in expected["report"]}
    assert found == expected


def of_wire(wire: int, raw: bytes | None = None) -> bytes:
    """A certificate that claims another wire version."""
    return (FULL.read_bytes() if raw is None else raw).replace(
        VERSION + bytes((CURRENT.wire,)), VERSION + bytes((wire,))
    )


def named(aggregator: str) -> bytes:
    """A certificate that names another aggregator, of at most 31 bytes."""
    ours, theirs = (bytes((0xA0 + len(name),)) + name.encode() for name in (CURRENT.aggregator, aggregator))
    return FULL.read_bytes().replace(ours, theirs)


def test_every_version_has_its_certificates() -> None:
    """A reader that was kept, or a commit that is named, is one that has something to read."""
    assert {path.parent.name for path in FILES} == KEPT.keys() | FORMER.keys()


def test_todays_version_has_a_certificate_of_every_scenario() -> None:
    """`STRAND_UPDATE=1 python -P -m tests.vectors.certificates` writes what is missing."""
    names = {*SCENARIOS, *(f"{name}_apart" for name in APART), "private_revealed"}
    assert {path.stem for path in FULL.parent.glob("*.certificate")} == names


@OF_KEPT
def test_a_kept_version_is_read_bit_for_bit(path: Path) -> None:
    raw = path.read_bytes()
    assert version_of(raw) == KEPT[path.parent.name]
    with forgetting():
        read = read_any_version(raw)
    check_reading(read, path)


@OF_FORMER
@pytest.mark.parametrize("command", ["verify", "show"])
def test_a_former_version_is_one_line_that_names_who_reads_it(
    path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before: "malformed (rule P1): Certificate: fields are not those of Certificate"."""
    assert run([command, str(path)]) == 1
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and line.startswith("strand: the certificate is of another version, a draft of the")
    assert f"verify it with the strand of commit {FORMER[path.parent.name]}" in line
    assert str(CURRENT) in line


def test_a_later_version_asks_for_a_newer_strand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "later.certificate"
    path.write_bytes(of_wire(LATER))
    assert run(["verify", str(path), "--json"]) == 1
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert (told["valid"], told["reason"], told["rule"]) == (False, "other_version", "C6")
    assert f"wire {LATER}, {CURRENT.aggregator}" in captured.err and "install a newer strand" in captured.err


def test_another_aggregator_is_another_version() -> None:
    """Even where the layout is today's: nobody may recount by rules that the round did not have."""
    fault = read_any_version(named("hbt/999"))
    assert isinstance(fault, Fault) and fault.reason is FaultReason.OTHER_VERSION and "hbt/999" in fault.detail


def test_the_version_picks_the_reader() -> None:
    """Given a second reader, of a version of this test alone, then each certificate is read by its own."""
    second = replace(CURRENT, wire=LATER, aggregator="hbt/999")
    asked: list[tuple[bytes, object]] = []

    def frozen(raw: bytes, *, trusted: object = None) -> CertificateReading | Fault:
        asked.append((raw, trusted))
        return reading_of(FULL.read_bytes())

    both = {**READERS, second: frozen}
    theirs = of_wire(LATER, named("hbt/999"))
    assert isinstance(read_any_version(theirs, trusted=frozenset(), readers=both), CertificateReading)
    assert asked == [(theirs, frozenset())]
    assert isinstance(read_any_version(FULL.read_bytes(), readers=both), CertificateReading)
    assert len(asked) == 1
    third = read_any_version(of_wire(LATEST), readers=both)
    assert isinstance(third, Fault) and third.reason is FaultReason.OTHER_VERSION
    assert str(CURRENT) in third.detail and str(second) in third.detail


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x80",
        b"\x81\xa7version\x01",
        b"\x82\xa6params\x80\xa7version\x01",
        b"\x82\xa6params\x01\xa7version\x01",
        b"\x82\xa6params\x80\xa7version\xc0",
        b"\x82\xa6params\x80\xa7version\xcd\xff\xff",
        b"\x91" * 1_000,
        b"\x01",
        b"\xa7version",
        b"x" * (CERTIFICATE_BYTES_MAX + 1),
    ],
)
def test_what_shows_no_version_is_refused_as_before(raw: bytes) -> None:
    assert version_of(raw) is None
    fault = read_any_version(raw)
    assert isinstance(fault, Fault) and fault == reading_of(raw)
    assert fault.reason in (FaultReason.MALFORMED, FaultReason.TOO_LARGE)


def test_what_a_stranger_names_is_printed_safely() -> None:
    """A version's name may be any text of its maker's, with the terminal's commands in it."""
    fault = read_any_version(named("\x1b]0;\x07"))
    assert isinstance(fault, Fault) and fault.reason is FaultReason.OTHER_VERSION
    assert fault.detail.isprintable() and "\\x1b" in fault.detail


def test_former_versions_are_no_versions_of_today() -> None:
    assert not {(version.wire, version.aggregator) for version in READERS} & FORMER_READERS.keys()
    assert CURRENT in READERS and CURRENT.wire == versions.WIRE


def test_todays_reader_can_be_frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rehearsal of the next change: the copy imports nothing of ours but itself, and reads what we read."""
    name = "frozen_rehearsal"
    copies = freeze(tmp_path / name, name)
    ours = re.compile(r"^\s*(?:from|import) (?:protocol|consensus|node|simnet)\b", re.MULTILINE)
    assert [copy for copy in copies if ours.search(copy.read_text(encoding="utf-8"))] == []
    assert not [copy for copy in copies if {"rounds", "learning"} & set(copy.parts)], "what a verifier does not run"
    monkeypatch.syspath_prepend(tmp_path)
    try:
        frozen = importlib.import_module(name)
        for scenario in ("waves", "declines_apart", "evidence", "private_revealed"):
            path = FULL.with_stem(scenario)
            raw = path.read_bytes()
            check_reading(read_any_version(raw, readers={CURRENT: frozen.reading_of}), path)
            assert frozen.reading_of(raw[:-1]) == reading_of(raw[:-1])
    finally:
        for module in [module for module in sys.modules if module.partition(".")[0] == name]:
            del sys.modules[module]
