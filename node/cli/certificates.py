"""Reading certificate files, and showing what they hold."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from node.cli.errors import CliError, Exit
from node.cli.options import KEY_DIGITS, outside
from protocol.limits import CERTIFICATE_BYTES_MAX


def read_certificate(path: Path) -> bytes:
    """The bytes of a certificate file. Raises CliError."""
    try:
        with path.open("rb") as file:
            raw = file.read(CERTIFICATE_BYTES_MAX + 1)
    except OSError as error:
        raise CliError(f"cannot read {path}: {error.strerror}", Exit.USAGE) from error
    if len(raw) > CERTIFICATE_BYTES_MAX:
        raise CliError(f"{path} is larger than any certificate ({CERTIFICATE_BYTES_MAX} bytes)")
    return raw


def print_report(report: dict[str, Any], console: Console) -> None:
    """The winning answer, then the ranking and what it rests on."""
    console.print(outside(report["winner"]["text"].strip()), soft_wrap=True)
    console.print()
    table = Table("", "author", "strength", "P(best)", "equal answers", "finish")
    for place, row in enumerate(report["ranking"], 1):
        table.add_row(
            str(place),
            row["author"][:KEY_DIGITS],
            f"{row['strength']:+.3f}",
            f"{row['p_best']:.2f}",
            str(row["cluster_size"]),
            row["finish"],
        )
    console.print(table)
    kind = "full" if report["full"] else "partial"
    reason = "" if report["reason"] == "none" else f" ({report['reason']})"
    console.print(
        f"{report['outcome']}{reason}, stopped: {report['stop']}; {report['ballots']} ballots, "
        f"{report['comparisons']} comparisons, {report['abstentions']} abstentions; "
        f"{kind} certificate, co-signed by {report['cosignatures']} of {report['members']} members"
    )
    for label in ("unopened", "removed"):
        if report[label]:
            console.print(f"{label}: {', '.join(key[:KEY_DIGITS] for key in report[label])}")
