"""The testing phase of a record: who tests what in each stage, and what the reports settle (rule R17)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from consensus.certificates.record import RoundRecord, bodies
from consensus.ranking.behaviour import behaviour_clusters
from consensus.ranking.settling import SETTLING_MIN, UNTESTED, settle
from consensus.ranking.testers import assign_testers
from protocol.limits import STAGES_MAX
from protocol.messages import Findings, Report
from protocol.types import Key, TaskType

CAPABLE_PARTS: Final = 3
"""Seats that can test must have one part in so many of the roster's vote weight: else a few fresh keys with a compiler,
beside members who have none, would decide what every answer does."""

DISPUTED_PARTS: Final = 4
"""If answers with more than one part in so many of the vote weight stay open, nothing is settled. Where two fifths of
the testers lie together, what they dispute is left unsettled and what they favour is not: without this rule the right
answers lost 4.8 points by being tested. Where a fifth lie, a tenth stays open."""


def first_testers(record: RoundRecord) -> Mapping[Key, tuple[int, ...]]:
    """Return the answers that each tester reports on in the first stage; empty: there is no testing phase.

    There is none where no answer would have testers enough to settle anything.
    """
    testers = _testers(record, range(len(record.answers)), 0)
    asked = Counter(answer for answers in testers.values() for answer in answers)
    return testers if max(asked.values(), default=0) >= SETTLING_MIN else {}


def further_testers(record: RoundRecord) -> Mapping[Key, tuple[int, ...]]:
    """Return the testers of what the present stage leaves open; empty: there is no further stage."""
    return _testers(record, _open(record), record.stage + 1)


def settle_reports(record: RoundRecord) -> RoundRecord:
    """Return the record with what its reports settle, and the clusters that follow.

    The reports of members that are removed by now do not count. Evidence that comes later changes nothing here.
    """
    about: list[list[Findings]] = [[] for _ in record.answers]
    weights: list[list[int]] = [[] for _ in record.answers]
    for report in bodies([each for each in record.reports if each.author not in record.removed], Report):
        for found in report.findings:
            about[found.answer].append(found)
            weights[found.answer].append(record.seats[Key(report.author)].vote_weight)
    findings = tuple(map(settle, about, weights))
    return replace(record, findings=findings, clusters=behaviour_clusters(record.texts, findings, _votes(record)))


def drop_disputed(record: RoundRecord) -> RoundRecord:
    """Return the record without any finding if too much stays open after the last stage; else as it is."""
    votes = _votes(record)
    if DISPUTED_PARTS * sum(votes[index] for index in _open(record)) <= sum(votes):
        return record
    return replace(record, findings=(UNTESTED,) * len(record.answers), clusters=record.texts)


def _open(record: RoundRecord) -> list[int]:
    return [index for index, found in enumerate(record.findings) if found.open]


def _votes(record: RoundRecord) -> list[int]:
    return [record.votes_of(index) for index in range(len(record.answers))]


def _testers(record: RoundRecord, answers: Sequence[int], stage: int) -> Mapping[Key, tuple[int, ...]]:
    query, versions = record.query, record.tool_versions
    if not (query.findings.kinds and query.task is TaskType.CODE and versions and stage < STAGES_MAX):
        return {}
    capable = [seat.vote_weight for seat in record.seats.values() if seat.tool_versions == versions]
    if CAPABLE_PARTS * sum(capable) < sum(seat.vote_weight for seat in record.seats.values()):
        return {}
    silent = record.testers.keys() - {report.author for report in record.reports}
    return assign_testers(
        beacon=record.beacon,
        stage=stage,
        testers=[
            key
            for key, seat in record.seats.items()
            if seat.tool_versions == versions and key not in record.removed | silent
        ],
        authors=[Key(answer.author) for answer in record.answers],
        answers=answers,
        tested=_tested(record),
    )


def _tested(record: RoundRecord) -> dict[int, set[Key]]:
    """Return the testers that were asked about each answer in the present stage."""
    tested: dict[int, set[Key]] = {}
    for key, positions in record.testers.items():
        for position in positions:
            tested.setdefault(position, set()).add(key)
    return tested
