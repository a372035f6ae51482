"""`strand show`."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from consensus.certificates.reading import CertificateReading
from node.api.rounds import RoundDetail
from node.cli.parts.certificates import print_ranking, print_summary, print_winner
from node.cli.parts.errors import CliError, Exit
from node.cli.parts.findings import print_testing
from node.cli.parts.options import KEY_DIGITS, JsonFlag, Source, outside, print_json, stderr, stdout
from node.cli.show.explained import ExplainedRound, as_json, print_intervals, print_judging
from node.cli.show.loading import known_detail, load, names_file
from node.files import write_whole

PLOTS = (".png", ".svg")
"""Suffixes of pictures that --plot can write."""


async def show(
    certificate: Annotated[
        str | None,
        Parameter(help="A certificate file, or a query's id, whole or as in its file's name; else the last round."),
    ] = None,
    *,
    plot: Annotated[
        Path | None, Parameter(help="Write a picture, .png or .svg: strengths with intervals, and the pairs.")
    ] = None,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Show a certificate in words, after verifying it: who got the question, and why the answer won.

    Of strengths only the differences within a round mean something; what was found out about the answers is added to
    them, so that all may lie above zero.
    """
    if plot is not None and plot.suffix.lower() not in PLOTS:
        raise CliError(f"--plot writes {' or '.join(PLOTS)}, not {str(plot)!r}", Exit.USAGE)
    told = await load(certificate, source, url)
    # A file is read without the node.
    asks = certificate is None or not names_file(certificate)
    detail = await known_detail(told.query_id, source, url) if asks else None
    read, why = told.reading, told.why
    if plot is not None:
        _plot(why, plot)
    if json:
        print_json(_document(read, why, detail))
        return 0
    _print(read, why, detail, stdout())
    return 0


def _plot(why: ExplainedRound | None, file: Path) -> None:
    if why is None:
        raise CliError("a certificate of an earlier version has no picture")
    try:
        from node.cli.show.round_plot import draw
    except ImportError as error:
        raise CliError("--plot needs matplotlib: pip install 'strand-swarm[sim]'") from error
    write_whole(file, draw(why, file))
    stderr().print(outside(f"picture: {file}"), soft_wrap=True)


def _document(read: CertificateReading, why: ExplainedRound | None, detail: RoundDetail | None) -> dict[str, Any]:
    told = dict(read.description)
    if why is not None:
        told["explanation"] = as_json(why)
    if detail is not None:
        told["audience"] = detail.round.audience
        told["received"] = None if detail.received is None else list(detail.received)
    return told


def _print(read: CertificateReading, why: ExplainedRound | None, detail: RoundDetail | None, console: Console) -> None:
    known = () if detail is None else tuple((str(turn.role), turn.text) for turn in detail.conversation)
    turns = read.turns or known
    for role, text in turns:
        console.print(outside(f"{role if len(turns) > 1 else 'query'}: {text}"), soft_wrap=True)
        console.print()
    print_winner(read.description, console)
    if why is None:
        print_ranking(read.description, console)
    else:
        print_intervals(why, console)
    print_summary(read.description, console)
    print_testing(read.description, console)
    console.print(outside(_readers(read, detail)), soft_wrap=True, highlight=False)
    if why is None:
        console.print("the certificate is of an earlier version: its pairs and judges are not explained")
    else:
        print_judging(why, console)


def _readers(read: CertificateReading, detail: RoundDetail | None) -> str:
    """Say who received the question's text."""
    if detail is None or detail.round.audience is None:
        # Only the asker knows.
        if read.turns:
            return "the text is in the certificate, and was published with the query unless it was added later"
        return "the text is not in the certificate: members fetched it from the asker"
    if detail.received is None:
        return f"audience {detail.round.audience}: the text was published, everybody may have it"
    keys = ", ".join(key[:KEY_DIGITS] for key in detail.received) or "none"
    return (
        f"audience {detail.round.audience}: {len(detail.received)} of {len(detail.members)} members have the text for "
        f"sure: {keys}; others of them may have it from a member"
    )
