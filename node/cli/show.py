"""`strand show`."""

import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from consensus.certificates.versions import read_any_version
from node.cli.certificates import FILE_DIGITS, kept_path, print_report, read_certificate, refused
from node.cli.options import JsonFlag, Source, outside, print_json, stdout
from protocol.errors import Fault
from protocol.limits import DIGEST_BYTES

ID_DIGITS = 2 * DIGEST_BYTES
"""Hexadecimal digits of a query's id; `strand ask` names its file by the first FILE_DIGITS of them."""


async def show(
    certificate: Annotated[str, Parameter(help="A certificate file, or a query's id, whole or as in its file's name.")],
    *,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Show a certificate in words, after verifying it."""
    path = Path(certificate)
    if not path.exists() and re.fullmatch(f"[0-9a-f]{{{FILE_DIGITS},{ID_DIGITS}}}", certificate):
        kept = kept_path(source, certificate)
        path = kept if kept.exists() or len(certificate) < ID_DIGITS else path
    if path.exists() or len(certificate) != ID_DIGITS:
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
    for role, text in read.turns:
        console.print(outside(f"{role if len(read.turns) > 1 else 'query'}: {text}"), soft_wrap=True)
        console.print()
    print_report(report, console)
    return 0
