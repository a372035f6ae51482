"""The versions that an offer states."""

from node.findings.tester import fitted_versions
from protocol.limits import NAME_BYTES_MAX


def test_versions_that_fit_are_told_as_they_are() -> None:
    assert fitted_versions("rustc 1.95.0 clippy x86_64 g1 x1") == "rustc 1.95.0 clippy x86_64 g1 x1"


def test_long_versions_that_differ_at_their_end_still_differ() -> None:
    first, second = (fitted_versions("rustc " + NAME_BYTES_MAX * "1" + f" g1 x{number}") for number in (1, 2))
    assert first != second and len(first.encode()) <= NAME_BYTES_MAX
