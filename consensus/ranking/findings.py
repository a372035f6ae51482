"""What the reports of a round settle about its answers, and what that weighs (rules R17, R18).

Testers may lie and machines differ, so one report proves nothing. A finding is settled if at least three reports state
the same value, and more than two thirds of those that state any, by number and by vote weight. Everything else is no
information. All values are integers and bytes, so that every recount finds the same.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, TypeVar

from protocol.limits import FURTHER_TESTERS, OUTCOME_BYTES, TESTERS
from protocol.messages import Findings, FindingsPlan, Seat
from protocol.types import ONE, CompileStatus, Key

Value = TypeVar("Value")

Checks = tuple[int, int, int]
"""Checks that passed, that failed, and that could not be run."""

SETTLING_MIN: Final = TESTERS
"""Reports that must state the same value. Where a third of the testers lie together, two of three do so for a quarter
of the answers, all three for one in 27."""

INFORMATIVE_MIN: Final = 8
"""Inputs on which the outcome must differ from the most frequent one. A program that returns a constant, or always
panics, behaves like many others that have nothing else in common with it."""

AGREEING_MAX: Final = 2 * ONE
"""Vote weight beyond the first answer's that counts as agreement: measured, two that agree are almost all the
information, and more must not let a crowd outweigh everything else."""

WARNINGS_MAX: Final = 8
"""Warnings that cost an answer the whole strength of lint."""

SCORE_MAX: Final = 4 * ONE
"""Largest score of findings, in log-odds, that enters P(correct)."""

_NO_INFORMATION: Final = bytes(OUTCOME_BYTES)
_SEED_TAG: Final = b"strand/testers/1"


@dataclass(frozen=True, slots=True)
class SettledFindings:
    """What the reports about one answer settle; empty values are no information."""

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


# -- testers -------------------------------------------------------------------------------------------------------


def tool_versions_of(seats: Iterable[Seat]) -> str:
    """Return the tool versions of the round: those with most vote weight, then seats, then the highest name.

    Only reports of equal versions can be compared, so the other seats test nothing. Empty: nobody can test.
    """
    votes: Counter[str] = Counter()
    heads: Counter[str] = Counter()
    for seat in seats:
        if seat.tool_versions:
            votes[seat.tool_versions] += seat.vote_weight
            heads[seat.tool_versions] += 1
    return max(heads, key=lambda name: (votes[name], heads[name], name), default="")


def assign_testers(
    *,
    beacon: bytes,
    stage: int,
    testers: Sequence[Key],
    authors: Sequence[Key],
    answers: Sequence[int],
    tested: Mapping[int, Collection[Key]],
) -> dict[Key, tuple[int, ...]]:
    """Return the answers that each tester reports on in one stage, ascending; testers without any are left out.

    Each answer gets the testers with the least work so far; a lot drawn by hash from beacon, stage and answer decides
    among equals. Nobody tests its own answer, or one that it reported on before.

    Args:
        beacon: the round's randomness, rule R5.
        stage: number of the stage.
        testers: keys that may test.
        authors: key of each answer's author, in the order of the slate.
        answers: positions of the answers to test.
        tested: keys that were asked about an answer in the stage before.
    """
    count = FURTHER_TESTERS if stage else TESTERS
    seed = blake2b(_SEED_TAG + beacon + stage.to_bytes(4, "big"), digest_size=32).digest()
    work: dict[Key, list[int]] = {key: [] for key in sorted(testers)}
    for answer in answers:
        able = [key for key in work if key != authors[answer] and key not in tested.get(answer, ())]
        lots = {key: blake2b(key + answer.to_bytes(4, "big"), key=seed, person=b"testers").digest() for key in able}
        for key in sorted(able, key=lambda each: (len(work[each]), lots[each]))[:count]:
            work[key].append(answer)
    return {key: tuple(sorted(positions)) for key, positions in work.items() if positions}


# -- settling ------------------------------------------------------------------------------------------------------


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


# -- what they weigh -----------------------------------------------------------------------------------------------


def behaviour_clusters(
    texts: Sequence[int], findings: Sequence[SettledFindings], vote_weights: Sequence[int]
) -> tuple[int, ...]:
    """Return each answer's cluster, shape (answers,): equal behaviour joins texts. Numbered by first appearance.

    Args:
        texts: each answer's cluster of equal text (rule R7).
        findings: what is settled about each answer.
        vote_weights: its author's vote weight.

    An answer without a behaviour of its own goes with the answers of equal text: with the behaviour that has most vote
    weight among them. So nobody separates others, or takes their behaviour from them, by what it writes.
    """
    names: list[tuple[bytes, int]] = []
    for index, text in enumerate(texts):
        behaviour = findings[index].behaviour
        if not behaviour:
            votes: dict[bytes, int] = {}
            for other, same in enumerate(texts):
                if same == text and (shown := findings[other].behaviour):
                    votes[shown] = votes.get(shown, 0) + vote_weights[other]
            behaviour = max(votes, key=votes.__getitem__, default=b"")
        names.append((behaviour, -1 if behaviour else text))
    numbers: dict[tuple[bytes, int], int] = {}
    return tuple(numbers.setdefault(name, len(numbers)) for name in names)


def agreement(members: Iterable[tuple[int, int, SettledFindings]]) -> int:
    """Return the vote weight, 2^-16, that agrees with a cluster's heaviest answer, at most AGREEING_MAX.

    `members`: text cluster, vote weight and findings of each answer of one cluster. Equal texts are not independent, so
    each text counts once, with its heaviest author. Without a settled behaviour there is no agreement.
    """
    heaviest: dict[int, int] = {}
    for text, weight, found in members:
        if found.behaviour:
            heaviest[text] = max(weight, heaviest.get(text, 0))
    return min(sum(heaviest.values()) - max(heaviest.values(), default=0), AGREEING_MAX)


@dataclass(frozen=True, slots=True)
class FindingFeatures:
    """What findings say for and against one answer, before the strengths of a query weigh it."""

    agreeing: int
    """The `agreement` of its cluster, 2^-16."""
    compiles: bool
    checks: int
    """-1: a test or an example failed; 1: all that were run passed; 0: none was run."""
    warnings: int
    """Number of warnings, at most WARNINGS_MAX."""


def features(found: SettledFindings, agreeing: int) -> FindingFeatures:
    """Return what weighs of an answer's settled findings. `agreeing`: the `agreement` of its cluster."""
    passed, failed = (found.tests[place] + found.examples[place] for place in (0, 1))
    return FindingFeatures(
        agreeing=agreeing,
        compiles=found.status is CompileStatus.COMPILES,
        checks=-1 if failed else int(passed > 0),
        warnings=min(sum(found.lints), WARNINGS_MAX),
    )


def score(plan: FindingsPlan, given: FindingFeatures) -> int:
    """Return what findings add to the prior mean of an answer's strength, log-odds in 2^-16."""
    total = plan.agreement * given.agreeing // ONE + plan.tests * given.checks
    if given.compiles:
        total += plan.compiles
    return total - plan.lint * given.warnings // WARNINGS_MAX
