"""The audit's own reading of testing, from the text of rules R17 and R18: who tests what, and what that settles.

Apart from `consensus.ranking`, as `audit` is from all of `consensus`. Which texts are equal (R7) is not read a second
time, and so neither is which answers without a behaviour join others.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple, TypeVar

from protocol.messages import Findings, Report
from protocol.types import Key, StopReason, TaskType
from simnet.parsed_certificate import Finding, Opened, ParsedCertificate, beacon_of

Value = TypeVar("Value")

FIRST, FURTHER = 3, 4
"""Testers of an answer in the first stage, and in the second."""

STAGES = 2

ENOUGH = 3
"""Reports that must state the same."""

DIGEST = 3
"""Bytes of one outcome; zeros are no information."""

VARIED = 8
"""Outcomes that must differ from the most frequent one."""

THIRDS = 3
"""One of them of the votes, for seats with the round's tools, is the least with which anybody tests."""

QUARTERS = 4
"""More than one of them of the votes, for answers that stay open, leaves nothing settled."""

ONE = 65_536


@dataclass(frozen=True, slots=True)
class Settled:
    """Settled values about one answer."""

    status: str
    """`compiles`, `fails` or `unknown`."""
    failed: int
    """Tests of the asker's that it fails."""
    behaviour: bytes
    """Outcomes on all inputs, if they tell programs apart; else empty."""
    disputed: bool
    """Whether further testers may settle more."""

    @property
    def badness(self) -> int:
        """Twice whether it does not compile, and whether it fails a test: only the least bad answers can win."""
        return 2 * (self.status == "fails") + (self.failed > 0)


NOTHING = Settled("unknown", 0, b"", disputed=False)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of testing as it should be."""

    assigned: Mapping[Key, tuple[int, ...]]
    """Answers of each tester, ascending."""
    settled: tuple[Settled, ...]
    """Settled values of each answer at its closing; empty without a closing."""


def stages_of(papers: ParsedCertificate) -> tuple[Stage, ...]:
    """R17: return the stages that the round must have; those after the last closing of reports have nothing settled."""
    query = papers.query[1]
    stages: list[Stage] = []
    about = range(len(papers.answers))
    asked: dict[int, set[Key]] = {}
    silent: set[Key] = set()
    while query.findings.kinds and query.task is TaskType.CODE and len(stages) < STAGES:
        able = _able(papers) - papers.accused[1 + len(stages)] - silent
        assigned = _assign(papers, len(stages), able, about, asked)
        most = max((sum(each in own for own in assigned.values()) for each in about), default=0)
        if not assigned or (not stages and most < ENOUGH):
            break
        if len(stages) >= len(papers.reports):
            stages.append(Stage(assigned, ()))
            break
        settled = _settle_all(papers, len(stages))
        silent = assigned.keys() - {report.author for _, report in papers.reports[len(stages)]}
        asked = {answer: {key for key, own in assigned.items() if answer in own} for answer in about}
        about = [answer for answer in about if settled[answer].disputed]  # type: ignore[assignment]
        stages.append(Stage(assigned, settled))
    return tuple(stages)


def settled_of(papers: ParsedCertificate) -> tuple[Settled, ...]:
    """Return what the round settles about each answer of its slate: nothing, if too much stays open in the end."""
    nothing = (NOTHING,) * len(papers.answers)
    if not papers.reports:
        return nothing
    settled = _settle_all(papers, len(papers.reports) - 1)
    votes = [papers.seats[Key(answer.author)].vote_weight for _, answer in papers.answers]
    disputed = sum(weight for weight, each in zip(votes, settled, strict=True) if each.disputed)
    return nothing if QUARTERS * disputed > sum(votes) else settled


def check_testing(papers: ParsedCertificate) -> Iterator[Finding]:
    """R17: the stages are those of the rule; each report is a tester's, on exactly its answers, in their order."""
    stages = stages_of(papers)
    if len(papers.testing) != len(stages):
        yield Finding("R17", f"{len(papers.testing)} stages of testing instead of {len(stages)}")
        return
    for number, (stage, (_, closing), reports) in enumerate(zip(stages, papers.testing, papers.reports, strict=True)):
        if closing.stage != number:
            yield Finding("R2", f"the closing of stage {closing.stage} in the place of stage {number}")
        for _, report in reports:
            name = f"report of {report.author.hex()[:8]}"
            if report.stage != number:
                yield Finding("R2", f"{name} is of stage {report.stage}, not {number}")
            if tuple(each.answer for each in report.findings) != stage.assigned.get(Key(report.author)):
                yield Finding("R17", f"{name} is not on the answers that it was to test")
            if any(len(each.outcomes) % DIGEST for each in report.findings):
                yield Finding("R17", f"{name} has a part of an outcome")


def check_standing(papers: ParsedCertificate) -> Iterator[Finding]:
    """R18: an answer wins only if none is less bad; AGREED needs enough votes of equal behaviour. R19: FUTILE."""
    query, tally = papers.query[1], papers.tally[1]
    settled, removed = settled_of(papers), papers.accused[-1]
    here = {place: answer for place, (_, answer) in enumerate(papers.answers) if answer.author not in removed}
    won = next((place for place in here if papers.answers[place][0] == tally.winner), None)
    if won is None:
        return
    if settled[won].badness > min(settled[place].badness for place in here):
        yield Finding("R18", "the winner is set aside by what reports settle")
    if tally.stop is StopReason.AGREED and not _can_be_agreed(papers, settled, won, list(here)):
        yield Finding("R18", "agreed, but too few votes are for equal behaviour")
    if tally.stop is not StopReason.FUTILE:
        return
    if not query.futility:
        yield Finding("R19", "futile, but the query asks for every wave")
    if len(papers.judging) >= len(query.waves):
        yield Finding("R19", "futile after the last wave")
    if tally.reason == "too_few_judges":
        yield Finding("R19", "futile in spite of too_few_judges")


def _able(papers: ParsedCertificate) -> set[Key]:
    """Return the seats whose tools are the round's: of most votes, then of most seats, then of the highest name."""
    tools: dict[str, list[int]] = {}
    for seat in papers.query[1].roster:
        if seat.tool_versions:
            tools.setdefault(seat.tool_versions, []).append(seat.vote_weight)
    if not tools:
        return set()
    ours = sorted(tools, key=lambda name: (sum(tools[name]), len(tools[name]), name))[-1]
    if THIRDS * sum(tools[ours]) < sum(seat.vote_weight for seat in papers.query[1].roster):
        return set()
    return {Key(seat.member) for seat in papers.query[1].roster if seat.tool_versions == ours}


def _assign(
    papers: ParsedCertificate, stage: int, able: set[Key], about: Sequence[int], asked: Mapping[int, set[Key]]
) -> dict[Key, tuple[int, ...]]:
    """R17: each answer in turn gets the testers that have least to do, and of these those with the smallest lots."""
    number = stage.to_bytes(4, "big")
    seed = blake2b(b"strand/testers/1" + beacon_of(papers) + number, digest_size=32).digest()
    work: dict[Key, list[int]] = {}
    for answer in about:
        author = papers.answers[answer][1].author
        lots = []
        for key in able - asked.get(answer, set()) - {author}:
            lot = blake2b(key + answer.to_bytes(4, "big"), key=seed, person=b"testers").digest()
            lots.append((len(work.get(key, ())), lot, key))
        for _, _, key in sorted(lots)[: FURTHER if stage else FIRST]:
            work.setdefault(key, []).append(answer)
    return {key: tuple(answers) for key, answers in work.items()}


def _settle_all(papers: ParsedCertificate, stage: int) -> tuple[Settled, ...]:
    """R17: settle by all reports up to this stage whose authors are not removed at its closing."""
    removed = papers.accused[2 + stage]
    told: list[list[_Word]] = [[] for _ in papers.answers]
    for reports in papers.reports[: stage + 1]:
        for _, report in reports:
            votes = papers.seats[Key(report.author)].vote_weight
            for each in report.findings if report.author not in removed else ():
                if each.answer < len(told):
                    told[each.answer].append(_Word(each, votes))
    return tuple(map(_settle, told))


class _Word(NamedTuple):
    """A tester's findings, and its votes."""

    of: Findings
    votes: int


def _settle(told: Sequence[_Word]) -> Settled:
    source = _common([(each.of.source, each.votes) for each in told], b"")
    if source is None:
        return Settled("unknown", 0, b"", disputed=any(each.of.source for each in told))
    told = [each for each in told if each.of.source == source]
    status, open_status = _read([(str(each.of.status), each.votes) for each in told], "unknown")
    tests, open_tests = _read([(each.of.tests, each.votes) for each in told], (0, 0, 0))
    _, open_examples = _read([(each.of.examples, each.votes) for each in told], (0, 0, 0))
    length, open_length = _read([(len(each.of.outcomes), each.votes) for each in told], 0)
    outcomes, is_open = [], open_status or open_tests or open_examples or open_length
    for start in range(0, length or 0, DIGEST):
        whole = [each for each in told if len(each.of.outcomes) == length]
        column = [(each.of.outcomes[start : start + DIGEST], each.votes) for each in whole]
        outcome, open_outcome = _read(column, bytes(DIGEST))
        outcomes.append(outcome or bytes(DIGEST))
        is_open = is_open or open_outcome
    return Settled(
        status or "unknown", tests[1] if tests else 0, b"".join(outcomes) if _tells(outcomes) else b"", is_open
    )


def _read(values: Sequence[tuple[Value, int]], nothing: Value) -> tuple[Value | None, bool]:
    """Return the settled value, and whether more reports may settle one. `values`: each with its tester's votes."""
    common = _common(values, nothing)
    return common, common is None and any(value != nothing for value, _ in values)


def _common(values: Sequence[tuple[Value, int]], nothing: Value) -> Value | None:
    """Return what at least three state, and more than two thirds of those that state anything, in heads and votes."""
    stated = [(value, votes) for value, votes in values if value != nothing]
    for value, _ in stated:
        heads = [votes for each, votes in stated if each == value]
        total = sum(votes for _, votes in stated)
        if len(heads) >= ENOUGH and 3 * len(heads) > 2 * len(stated) and (total == 0 or 3 * sum(heads) > 2 * total):
            return value
    return None


def _tells(outcomes: Sequence[bytes]) -> bool:
    """R18: every input has an outcome, and enough of them differ from the most frequent one."""
    if not outcomes or bytes(DIGEST) in outcomes:
        return False
    return len(outcomes) - max(outcomes.count(each) for each in outcomes) >= VARIED


def _can_be_agreed(papers: ParsedCertificate, settled: Sequence[Settled], won: int, here: Sequence[int]) -> bool:
    """Whether the winner, or what its text may stand for, has the votes: texts that differ may yet be of equal form."""
    votes = {place: papers.seats[Key(papers.answers[place][1].author)].vote_weight for place in here}
    share, least = papers.query[1].findings.agreed_share, papers.certificate.params.answers_min
    own = settled[won].behaviour
    for behaviour in {own} if own else {settled[place].behaviour for place in here} - {b""}:
        alike = [
            place
            for place in here
            if settled[place].behaviour == behaviour and settled[place].badness == settled[won].badness
        ]
        texts = {papers.answers[place][1].content.text for place in alike}
        enough = sum(votes[place] for place in alike) * ONE >= share * sum(votes.values())
        if share and enough and len(texts) > 1 and sum(votes[place] > 0 for place in alike) >= least:
            return True
    return False


def reporting(papers: ParsedCertificate) -> Iterator[tuple[int, Sequence[Opened[Report]]]]:
    """Yield each stage's place among the closings, and its reports."""
    for stage, reports in enumerate(papers.reports):
        yield 2 + stage, reports
