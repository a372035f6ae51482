"""`strand ask`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from node.api.asking import Audience
from node.cli.certificates import kept_path, print_report
from node.cli.client import open_client
from node.cli.errors import Exit
from node.cli.follow import follow, report, save_certificate
from node.cli.options import JsonFlag, Source, any_case, print_json, read_query, stderr, stdout
from node.client import Question
from node.hardening import keep_private
from protocol.types import TaskType

_POSITIVE = validators.Number(gt=0)


async def ask(
    query: Annotated[str, Parameter(allow_leading_hyphen=True, help="The question; - reads it from stdin.")],
    *,
    task: Annotated[
        Literal["code", "final", "open"], Parameter(converter=any_case, help="How equal answers are recognised.")
    ] = "code",
    audience: Annotated[
        Literal["trusted", "members", "public"] | None,
        Parameter(converter=any_case, help="Nodes that may read the text; members and trusted are not gossiped."),
    ] = None,
    allow_secrets: Annotated[
        bool, Parameter(negative="", help="Send the text although it looks like it holds a key, token or password.")
    ] = False,
    strict: Annotated[bool, Parameter(negative="", help="Exit with 3 unless the outcome is decided.")] = False,
    confidence_min: Annotated[
        float | None,
        Parameter(
            name="--min-confidence",
            validator=validators.Number(gte=0, lte=1),
            help="Probability of being right below which the swarm abstains: outcome degraded, its best guess marked.",
        ),
    ] = None,
    max_tokens: Annotated[int | None, Parameter(validator=_POSITIVE, help="Length of one answer.")] = None,
    timeout_s: Annotated[
        float, Parameter(name="--timeout", validator=_POSITIVE, help="Seconds without news before giving up.")
    ] = 600.0,
    out: Annotated[Path | None, Parameter(help="Where to write the certificate.")] = None,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Ask the swarm through the local node, and wait for its answer."""
    question = Question.single(
        read_query(query),
        task=TaskType(task),
        audience=None if audience is None else Audience(audience),
        allow_secrets=allow_secrets,
        max_tokens=max_tokens,
        confidence_min=confidence_min,
    )
    async with open_client(source, url) as client:
        followed = await follow(client, question, timeout_s, stderr())
    path = out or kept_path(source, followed.query_id)
    if out is None:
        # The file holds the question, private or not.
        keep_private()
    save_certificate(followed.certificate, path)
    told = report(followed, path)
    if json:
        print_json(told)
    else:
        print_report(told, stdout())
        print(f"certificate: {path}")
    return Exit.NO_QUORUM if strict and told["outcome"] != "decided" else Exit.OK
