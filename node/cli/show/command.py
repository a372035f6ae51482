"""`strand show`."""

import re
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from consensus.certificates.report import CertificateReading
from consensus.certificates.versions import read_any_version
from node.api.rounds import RoundDetail
from node.cli.parts.certificates import (
    FILE_DIGITS,
    kept_path,
    print_ranking,
    print_summary,
    print_winner,
    read_certificate,
    refused,
)
from node.cli.parts.client import open_client
from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import JsonFlag, Source, outside, print_json, stdout
from node.cli.rounds import listed, whole_id
from node.cli.show.explained import ExplainedRound, as_json, explained, print_intervals, print_judging
from node.client import RefusedError, UnreachableError
from node.files import write_whole
from protocol.errors import Fault
from protocol.limits import DIGEST_BYTES

ID_DIGITS = 2 * DIGEST_BYTES
"""Hexadecimal digits of a query's id; `strand ask` names its file by the first FILE_DIGITS of them."""

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
    """Show a certificate in words, after verifying it: who got the question, and why the answer won."""
    if plot is not None and plot.suffix.lower() not in PLOTS:
        raise CliError(f"--plot writes {' or '.join(PLOTS)}, not {str(plot)!r}", Exit.USAGE)
    raw, detail = await load(certificate, source, url)
    read = read_any_version(raw)
    if isinstance(read, Fault):
        raise refused(read)
    why = explained(raw)
    if plot is not None:
        _plot(why, plot)
    if json:
        print_json(_document(read, why, detail))
        return 0
    _print(read, why, detail, stdout())
    return 0


async def load(named: str | None, source: Source, url: str | None) -> tuple[bytes, RoundDetail | None]:
    """Return the certificate of a file, an id or the last round asked (None), and what the node knows of the round.

    A file is read without the node; with an id the node is asked, too, if it runs. Raises CliError and ClientError.
    """
    if named is None:
        async with open_client(source, url) as client:
            found, _ = await listed(client, 1, gold=0)
            if not found:
                raise CliError("no round was asked yet: `strand ask` asks one")
            return await client.certificate(found[0].query_id), await client.round(found[0].query_id)
    path = Path(named)
    if path.exists() or not re.fullmatch(f"[0-9a-f]{{{FILE_DIGITS},{ID_DIGITS}}}", named):
        return read_certificate(path), None
    kept = kept_path(source, named)
    if kept.exists():
        raw = read_certificate(kept)
        whole = _id_of(raw) if len(named) < ID_DIGITS else named
        return raw, None if whole is None else await _detail(whole, source, url)
    async with open_client(source, url) as client:
        try:
            whole = named if len(named) == ID_DIGITS else await whole_id(client, named)
            return await client.certificate(whole), await _detail(whole, source, url)
        except UnreachableError:
            if len(named) == ID_DIGITS:
                raise
            # Neither here nor there: the file's name tells more to whoever meant one.
            return read_certificate(kept), None


def _id_of(raw: bytes) -> str | None:
    read = read_any_version(raw)
    return None if isinstance(read, Fault) else str(read.report["query_id"])


async def _detail(query_id: str, source: Source, url: str | None) -> RoundDetail | None:
    """Return what the node knows of a round; None if it does not run or does not know it."""
    async with open_client(source, url) as client:
        try:
            return await client.round(query_id)
        except (UnreachableError, RefusedError):
            return None


def _plot(why: ExplainedRound | None, file: Path) -> None:
    if why is None:
        raise CliError("a certificate of an earlier version has no picture")
    try:
        from node.cli.show.round_plot import draw
    except ImportError as error:
        raise CliError("--plot needs matplotlib: pip install 'strand-swarm[sim]'") from error
    write_whole(file, draw(why, file))


def _document(read: CertificateReading, why: ExplainedRound | None, detail: RoundDetail | None) -> dict[str, Any]:
    told = dict(read.report)
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
    print_winner(read.report, console)
    if why is None:
        print_ranking(read.report, console)
    else:
        print_intervals(why, console)
    print_summary(read.report, console)
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
    keys = ", ".join(key[:12] for key in detail.received) or "none"
    return (
        f"audience {detail.round.audience}: {len(detail.received)} of {len(detail.members)} members have the text for "
        f"sure: {keys}; others of them may have it from a member"
    )
