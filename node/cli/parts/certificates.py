"""Reading certificate files and printing their contents."""

import re
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from node.cli.parts.errors import CliError
from node.cli.parts.findings import marks, print_set_aside, ranked_cells, stopped, was_tested
from node.cli.parts.options import Source, outside
from node.cli.parts.tables import print_rows, shown_key
from node.files import TooLargeError, read_bytes
from node.watch.conditions import NO_WEIGHT_REMEDY
from protocol.errors import Fault, FaultReason
from protocol.limits import CERTIFICATE_BYTES_MAX, DIGEST_BYTES
from protocol.types import OutcomeReason

FILE_DIGITS: Final = 16
"""Hexadecimal digits of a query's id in the name of its certificate's file."""

ID_DIGITS: Final = 2 * DIGEST_BYTES
"""Hexadecimal digits of a query's id."""

_ID: Final = re.compile(f"[0-9a-f]{{{FILE_DIGITS},{ID_DIGITS}}}")


def is_id(text: str) -> bool:
    """Whether a text is a query's id, whole or at least as in its file's name."""
    return _ID.fullmatch(text) is not None


def read_certificate(path: Path) -> bytes:
    """Return the bytes of a certificate file. Raises CliError and FileError."""
    try:
        return read_bytes(path, CERTIFICATE_BYTES_MAX)
    except TooLargeError as error:
        raise CliError(f"{path} is larger than any certificate ({CERTIFICATE_BYTES_MAX} bytes)") from error


def refused(fault: Fault) -> CliError:
    """Return the error, one line with exit code 1, for a certificate that is invalid or cannot be read here."""
    if fault.reason is FaultReason.OTHER_VERSION:
        return CliError(f"the certificate is of another version, {fault.detail}")
    if fault.reason is FaultReason.MALFORMED:
        return CliError(f"this is no certificate, or a damaged one: {fault}")
    return CliError(f"the certificate does not hold: {fault}")


def print_report(report: dict[str, Any], console: Console) -> None:
    """Print the winning answer, marked if it is only a guess; then the ranking and the evidence behind it."""
    print_winner(report, console)
    print_evidence(report, console)


def print_winner(report: dict[str, Any], console: Console) -> None:
    """Print the winning answer, marked if it is only a guess."""
    if report["reason"] == OutcomeReason.LOW_CONFIDENCE:
        print_abstention(certainty(report), report["confidence_min"], console)
    for mark in marks(report):
        console.print(outside(mark), soft_wrap=True)
        console.print()
    console.print(outside(report["winner"]["text"].strip()), soft_wrap=True)
    console.print()


def print_abstention(told: str, confidence_min: float | None, console: Console) -> None:
    """Print that the answer which follows is a guess.

    `told`: the winner's certainty in words; `confidence_min`: what was asked for, None if it is not known here.
    """
    asked = "what was asked for" if confidence_min is None else f"the {confidence_min:.2f} asked for"
    console.print(
        f"The swarm abstains: {told} is less than {asked}. "
        "Its best guess follows: check it, ask again, or ask for less (--min-confidence).",
        soft_wrap=True,
    )
    console.print()


def print_evidence(report: dict[str, Any], console: Console) -> None:
    """Print the ranking and the evidence behind it."""
    print_ranking(report, console)
    print_summary(report, console)


def print_ranking(report: dict[str, Any], console: Console) -> None:
    """Print the ranked answers as a table, with what was found out about them."""
    names = ("place", "author", "strength", "P(best)", "equal answers", "finish")
    found = [(each,) for each in ranked_cells(report)] if was_tested(report) else [()] * len(report["ranking"])
    rows = [
        (
            str(place),
            shown_key(row["author"], console),
            f"{row['strength']:+.3f}",
            f"{row['p_best']:.2f}",
            str(row["cluster_size"]),
            row["finish"],
            *cells,
        )
        for place, (row, cells) in enumerate(zip(report["ranking"], found, strict=True), 1)
    ]
    print_rows((*names, "findings") if was_tested(report) else names, rows, console)
    print_set_aside(report, console)


def print_summary(report: dict[str, Any], console: Console) -> None:
    """Print the outcome in a line, and what kept members from contributing."""
    kind = "full" if report["full"] else "partial"
    console.print(
        f"{outcome(report)}, {certainty(report)}, stopped: {stopped(report['stop'])}; {report['ballots']} ballots, "
        f"{report['comparisons']} comparisons, {report['abstentions']} abstentions; "
        f"{kind} certificate, co-signed by {report['cosignatures']} of {report['members']} members",
        soft_wrap=True,
    )
    if report["reason"] == OutcomeReason.NO_WEIGHT:
        console.print(
            outside(f"Nobody's vote counts for the asker, which can change that: {NO_WEIGHT_REMEDY}."), soft_wrap=True
        )
    if report["reason"] in (OutcomeReason.TOO_FEW_ANSWERS, OutcomeReason.TOO_FEW_JUDGES):
        console.print(
            "The network asks for more nodes that answer and judge than took part; `strand peers` shows who offers to.",
            soft_wrap=True,
        )
    for each in report["declines"]:
        who = shown_key(each["author"], console)
        console.print(f"declined: {who} {each['phase']}, {each['reason']}", soft_wrap=True)
    for label in ("unopened", "silent_judges", "removed"):
        if report[label]:
            shown = ", ".join(shown_key(key, console) for key in report[label])
            console.print(f"{label.replace('_', ' ')}: {shown}", soft_wrap=True)


def outcome(report: dict[str, Any]) -> str:
    """Return the outcome, with its reason if it has one."""
    return str(report["outcome"]) if report["reason"] == "none" else f"{report['outcome']} ({report['reason']})"


def certainty(report: dict[str, Any]) -> str:
    """Return the winner's probability and the basis of the figure."""
    return certainty_of(report["ranking"][0]["p_best"], report["p_correct"])


def certainty_of(p_best: float, p_correct: float | None) -> str:
    """Return the winner's probability, P(correct) if it is calibrated, and the basis of the figure."""
    if p_correct is None:
        return f"P(best) {p_best:.2f} (uncalibrated)"
    return f"P(correct) {p_correct:.2f} (calibrated on the asker's gold; P(best) {p_best:.2f})"


def file_name(query_id: str) -> str:
    """Return the name of the file of a query's certificate, by its id or FILE_DIGITS of it; the page uses it, too."""
    return f"{query_id[:FILE_DIGITS]}.strand"


def kept_path(source: Source, query_id: str) -> Path:
    """Return the file in which `strand ask` keeps the certificate of a query, by its id or FILE_DIGITS of it."""
    return source.load().config.node.data_dir / "certificates" / file_name(query_id)
