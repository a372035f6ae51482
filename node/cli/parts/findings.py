"""Prints findings about a round's answers for people: cells, marks, and lines about a certificate."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import convert
from rich.console import Console

from node.api.findings import AnswerFindings, RoundTesting
from node.cli.parts.options import outside
from node.cli.parts.tables import print_rows, shown_key
from node.findings.notes import tests_failed_by, tests_unknown_of, why_nothing_tested
from node.findings.words import cell, why_set_aside
from protocol.types import CompileStatus

_STOPS: Final[Mapping[str, str]] = {
    "certain": "the winner is certain enough",
    "spent": "all judgements of the plan are in",
    "budget": "the time of the phase was over",
    "futile": "more judging would hardly change the answer",
    "unanimous": "there is nothing to compare",
    "agreed": "independent answers behave alike",
    "aborted": "there is no answer",
}
"""Reasons for the end of a round, in words."""


def stopped(reason: str) -> str:
    """Return why a round stopped, its name with words."""
    return f"{reason} ({_STOPS[reason]})" if reason in _STOPS else reason


def read_testing(report: Mapping[str, Any]) -> RoundTesting | None:
    """Return the testing phase of a round; None if nothing was asked for, or in a report of an earlier version."""
    found: RoundTesting | None = convert(report.get("testing"), RoundTesting | None)
    return found


def findings_of(row: Mapping[str, Any]) -> AnswerFindings | None:
    """Return the findings in one row of a report; None if nothing was tested."""
    found: AnswerFindings | None = convert(row.get("findings"), AnswerFindings | None)
    return found


def was_tested(report: Mapping[str, Any]) -> bool:
    """Whether a report has findings to show."""
    testing = read_testing(report)
    return testing is not None and testing.stages > 0


def ranked_cells(report: Mapping[str, Any]) -> list[str]:
    """Return the cells of the ranking's column of findings, best answer first."""
    places = {row["answer_id"]: f"#{place}" for place, row in enumerate(report["ranking"], 1)}
    return [cell(findings_of(row), places) for row in report["ranking"]]


def winner_fails(report: Mapping[str, Any]) -> str:
    """Return how the winner fails the asker's tests; empty if it does not, as far as is known, or there are none."""
    return tests_failed_by(findings_of(report["ranking"][0])) if _has_tests(report) else ""


def winner_unproven(report: Mapping[str, Any]) -> str:
    """Return why it is not known whether the winner passes the asker's tests; empty if it is, or there are none."""
    return tests_unknown_of(findings_of(report["ranking"][0])) if _has_tests(report) else ""


def _has_tests(report: Mapping[str, Any]) -> bool:
    """Whether there is a winner, and the asker gave tests that it must pass."""
    testing = read_testing(report)
    return testing is not None and testing.tests_digest != "" and bool(report["ranking"])


def marks(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an asker must know of the answer before reading it."""
    yield from marks_of(findings_of(report["ranking"][0]) if report["ranking"] else None)
    if was_tested(report) and (unknown := winner_unproven(report)):
        yield f"This answer {unknown}."


def marks_of(found: AnswerFindings | None) -> Iterator[str]:
    """Yield what an asker must know of an answer with these findings."""
    if found is not None and found.status is CompileStatus.FAILS:
        code = f" ({found.error})" if found.error else ""
        yield f"This answer does not compile{code}; what else was tested does no better."
    elif failed := tests_failed_by(found):
        yield f"This answer {failed}."


def print_set_aside(report: Mapping[str, Any], console: Console) -> None:
    """Print the answers that cannot win because of what was found out; and a line where nobody could test."""
    rows: Sequence[Mapping[str, Any]] = report.get("set_aside", ())
    for row in rows:
        found = findings_of(row)
        if found is not None:
            who = shown_key(row["author"], console)
            console.print(f"set aside: {who} {why_set_aside(found)}", soft_wrap=True, highlight=False)
    if why := why_nothing_tested(read_testing(report)):
        console.print(f"The answers were not tested: {why}.", soft_wrap=True)


def told_testing(report: Mapping[str, Any]) -> str:
    """Return who tested with what, in a line; empty if nothing was asked for."""
    testing = read_testing(report)
    if testing is None:
        return ""
    asked = ", ".join(testing.findings)
    if not testing.tool_versions:
        return f"asked to find out: {asked}; no member could test"
    if not testing.stages:
        return f"asked to find out: {asked}; {testing.testers} members can with {testing.tool_versions}, too few"
    stages = f"{testing.stages} stage{'' if testing.stages == 1 else 's'}"
    return (
        f"asked to find out: {asked}; {testing.testers} members can with {testing.tool_versions}, "
        f"{testing.reports} reports in {stages}"
    )


def print_testing(report: Mapping[str, Any], console: Console) -> None:
    """Print what was found out about each answer, also those that were set aside, and whose reports were contradicted.

    Nothing is printed of a round that asked for nothing.
    """
    testing = read_testing(report)
    if testing is None:
        return
    console.print()
    console.print(outside(told_testing(report)), soft_wrap=True, highlight=False)
    rows = [*_rows(report, console)]
    if testing.stages and rows:
        print_rows(("place", "author", "reports", "findings", "warnings by class", "inputs"), rows, console)
    for key in testing.contradicted:
        console.print(f"reports contradicted: {shown_key(key, console)}", soft_wrap=True, highlight=False)


def _rows(report: Mapping[str, Any], console: Console) -> Iterator[tuple[str, ...]]:
    places = {row["answer_id"]: f"#{place}" for place, row in enumerate(report["ranking"], 1)}
    for row in (*report["ranking"], *report.get("set_aside", ())):
        found = findings_of(row)
        if found is None:
            continue
        warnings = " ".join(f"{name} {count}" for name, count in (found.lints or {}).items())
        yield (
            places.get(row["answer_id"], "set aside"),
            shown_key(row["author"], console),
            str(found.reports),
            cell(found, places),
            warnings,
            str(found.inputs) if found.inputs else "",
        )
