"""`strand show`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from consensus.certificates.versions import read_any_version
from node.cli.certificates import print_report, read_certificate, refused
from node.cli.options import JsonFlag, Source, outside, print_json, stdout
from protocol.errors import Fault


async def show(
    certificate: Annotated[str, Parameter(help="A certificate file, or the id of a query that the local node has.")],
    *,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Show a certificate in words, after verifying it."""
    path = Path(certificate)
    if path.exists() or len(certificate) != 64:
        raw = read_certificate(path)
    else:
        from node.cli.client import open_client

        async with open_client(source, url) as client:
            raw = await client.certificate(certificate)
    read = read_any_version(raw)
    if isinstance(read, Fault):
        raise refused(read)
    report = read.report
    if json:
        print_json(report)
        return 0
    console = stdout()
    if read.content:
        console.print(outside(f"query: {read.content}"), soft_wrap=True)
        console.print()
    print_report(report, console)
    return 0
