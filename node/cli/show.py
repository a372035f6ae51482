"""`strand show`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from consensus.certificates.certificate import VerifiedCertificate
from consensus.certificates.versions import verify_any_version
from node.cli.certificates import print_report, read_certificate, refused
from node.cli.options import JsonFlag, Source, outside, print_json, stdout
from node.rounds.report import describe


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
    verified = verify_any_version(raw)
    if not isinstance(verified, VerifiedCertificate):
        raise refused(verified)
    report = describe(verified)
    if json:
        print_json(report)
        return 0
    console = stdout()
    if verified.content:
        console.print(outside(f"query: {verified.content}"), soft_wrap=True)
        console.print()
    print_report(report, console)
    return 0
