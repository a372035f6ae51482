"""Settles findings: the values about an answer that enough of a round's reports share (rule R17).

Testers may lie and machines differ, so one report proves nothing. A finding is settled if at least three reports state
the same value, and more than two thirds of those that state any, by number and by vote weight. Everything else is no
information. All values are integers and bytes, so that every recount finds the same.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from protocol.limits import OUTCOME_BYTES, TESTERS
from protocol.messages import Findings
from protocol.types import CompileStatus

Value = TypeVar("Value")

Checks = tuple[int, int, int]
"""Checks that passed, that failed, and that could not be run."""

SETTLING_MIN: Final = TESTERS
"""Reports that must state the same value. Where a third of the testers lie together, two of three do so for a quarter
of the answers, all three for one in 27."""

INFORMATIVE_MIN: Final = 8
"""Inputs on which the outcome must differ from the most frequent one. A program that returns a constant, or always
panics, behaves like many others that have nothing else in common with it."""

_NO_INFORMATION: Final = bytes(OUTCOME_BYTES)


@dataclass(frozen=True, slots=True)
class SettledFindings:
    """Settled values about one answer; empty values are no information."""

    reports: int
    """Number of reports about the answer."""
    source: bytes = b""
    """Digest of the source that was extracted."""
    status: CompileStatus = CompileStatus.UNKNOWN
    error: int = 0
    """Number of the first error's code; 0: none, or none that is settled."""
    lints: bytes = b""
    """Warnings of each class, one byte each."""
    unsafe: int | None = None
    panics: int | None = None
    tests: Checks = (0, 0, 0)
    examples: Checks = (0, 0, 0)
    outcomes: bytes = b""
    """Digest of the outcome on each input; zero bytes: no information on that input."""
    open: bool = False
    """Whether reports differ, or are too few, in something that further testers may settle."""

    @property
    def behaviour(self) -> bytes:
        """The outcomes, if there is information on every input and they tell programs apart; else empty."""
        return self.outcomes if is_informative(self.outcomes) else b""


UNTESTED: Final = SettledFindings(reports=0)


def is_informative(outcomes: bytes) -> bool:
    """Whether equal outcomes say that two programs behave alike: no input without information, and enough variety."""
    digests = outcomes_of(outcomes)
    if not digests or _NO_INFORMATION in digests:
        return False
    return len(digests) - max(Counter(digests).values()) >= INFORMATIVE_MIN


def outcomes_of(outcomes: bytes) -> list[bytes]:
    """Return the digest of each input's outcome."""
    return [outcomes[start : start + OUTCOME_BYTES] for start in range(0, len(outcomes), OUTCOME_BYTES)]


def settle(reports: Sequence[Findings], weights: Sequence[int] | None = None) -> SettledFindings:
    """Return what the reports of different testers about one answer settle.

    `weights`: vote weight of each report's author; None: all are equal.
    """
    if not reports:
        return UNTESTED
    given = [1] * len(reports) if weights is None else weights
    source = _settled([each.source for each in reports], b"", given)
    if source is None:
        return SettledFindings(reports=len(reports), open=any(each.source for each in reports))
    of_source = [(each, weight) for each, weight in zip(reports, given, strict=True) if each.source == source]
    alike, heard = [each for each, _ in of_source], [weight for _, weight in of_source]
    status = _settled([each.status for each in alike], CompileStatus.UNKNOWN, heard)
    tests = _settled([checks_of(each.tests) for each in alike], (0, 0, 0), heard)
    examples = _settled([checks_of(each.examples) for each in alike], (0, 0, 0), heard)
    outcomes, disputed = _settle_outcomes([each.outcomes for each in alike], heard)
    contested = (
        (status is None and any(each.status is not CompileStatus.UNKNOWN for each in alike))
        or (tests is None and any(any(each.tests) for each in alike))
        or (examples is None and any(any(each.examples) for each in alike))
        or disputed
    )
    return SettledFindings(
        reports=len(reports),
        source=source,
        status=status or CompileStatus.UNKNOWN,
        error=_settled([each.error for each in alike], 0, heard) or 0,
        lints=_settled([each.lints for each in alike], b"", heard) or b"",
        unsafe=_settled([each.unsafe for each in alike], None, heard),
        panics=_settled([each.panics if each.outcomes else None for each in alike], None, heard),
        tests=tests or (0, 0, 0),
        examples=examples or (0, 0, 0),
        outcomes=outcomes,
        open=contested,
    )


def contradicts(reported: Findings, settled: SettledFindings) -> bool:
    """Whether a report states something else than what is settled. Silence contradicts nothing."""
    if reported.source and settled.source and reported.source != settled.source:
        return True
    if CompileStatus.UNKNOWN not in (reported.status, settled.status) and reported.status is not settled.status:
        return True
    for stated, known in ((reported.tests, settled.tests), (reported.examples, settled.examples)):
        if any(stated) and any(known) and checks_of(stated) != known:
            return True
    pairs = zip(outcomes_of(reported.outcomes), outcomes_of(settled.outcomes), strict=False)
    return any(one != other and _NO_INFORMATION not in (one, other) for one, other in pairs)


def checks_of(counts: Sequence[int]) -> Checks:
    """Return the three counts of a report in their type."""
    passed, failed, skipped = counts
    return passed, failed, skipped


def _settled(values: Sequence[Value], nothing: Value, weights: Sequence[int]) -> Value | None:
    """Return the value that enough reports state, by number and by weight.

    `nothing` is what a report says that found nothing out.
    """
    stated = [(value, weight) for value, weight in zip(values, weights, strict=True) if value != nothing]
    if not stated:
        return None
    value, count = Counter(each for each, _ in stated).most_common(1)[0]
    total, agreeing = sum(weight for _, weight in stated), sum(weight for each, weight in stated if each == value)
    enough = count >= SETTLING_MIN and 3 * count > 2 * len(stated)
    return value if enough and (not total or 3 * agreeing > 2 * total) else None


def _settle_outcomes(stated: Sequence[bytes], weights: Sequence[int]) -> tuple[bytes, bool]:
    """Return the settled outcomes, input by input, and whether further testers may settle more."""
    if len(stated) >= SETTLING_MIN and len(set(stated)) == 1:
        # The usual case; looking at every input took a sixth of a large round's time.
        return stated[0], False
    inputs = _settled([len(each) for each in stated], 0, weights)
    if inputs is None:
        return b"", any(stated)
    heard = [weight for each, weight in zip(stated, weights, strict=True) if len(each) == inputs]
    columns = zip(*(outcomes_of(each) for each in stated if len(each) == inputs), strict=True)
    settled, disputed = b"", False
    for column in columns:
        digest = _settled(column, _NO_INFORMATION, heard)
        disputed |= digest is None and any(each != _NO_INFORMATION for each in column)
        settled += digest or _NO_INFORMATION
    return settled, disputed
