"""`strand engine`."""

from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter
from msgspec import to_builtins

from node.api.engine import EngineReport
from node.cli.parts.client import open_client
from node.cli.parts.errors import Exit
from node.cli.parts.options import JsonFlag, Source, outside, print_json, stderr, stdout
from node.cli.parts.tables import print_pairs


async def engine(
    *,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Show the abilities, load and failures of the local node's engine."""
    async with open_client(source, url) as client:
        told = await client.engine()
    if json:
        print_json(to_builtins(told))
    else:
        print_pairs(rows(told), stdout())
    if told.answers:
        return Exit.OK
    trouble = outside(f"strand: the engine does not answer: {told.trouble or 'it was not asked yet'}")
    stderr().print(trouble, soft_wrap=True)
    return Exit.UNREACHABLE


def rows(told: EngineReport) -> Iterator[tuple[str, str]]:
    """Return the engine's report as names and texts."""
    probe, cache = told.probe, told.cache
    yield "engine", told.kind
    if (server := told.server) is not None:
        progress = f" ({server.progress})" if server.progress else ""
        yield "server", f"{server.stage}{progress} for {server.seconds:.0f} s, child process {server.pid or 'none'}"
        yield "restarts", f"{server.restarts}"
        if server.trouble:
            yield "why it ended", server.trouble
    if probe is not None:
        adapters = [f"{name} (adapter)" if name in probe.adapters else name for name in probe.models]
        yield "model", probe.model
        yield "models listed", ", ".join(adapters) or "none"
        yield "context", f"{probe.context_tokens} tokens"
        last = f"{probe.tokens_per_second:.1f} in the last probe"
        yield "speed", f"{told.tokens_per_second:.1f} tokens/s at best lately, {last}"
        yield "judges by", probe.judging
        yield "logprobs", f"{probe.logprobs} alternatives" if probe.logprobs else "none"
        yield "constrained choice", probe.constraint or "none"
        yield "asked without", ", ".join(probe.refused) or "nothing is refused"
        if probe.skip:
            yield "kept from thinking by", probe.skip
        if probe.thinking_tokens:
            yield "room to think", f"{probe.thinking_tokens} tokens before each text"
        yield "tells its prefix cache", probe.cache_report
    yield "prefix cache hits", "not told" if cache is None else f"{cache.hit_rate:.0%} of {cache.tokens} tokens"
    yield "in flight", f"{told.in_flight} of {told.concurrency}, for {told.working_on} pieces of work"
    yield "asked", f"{told.asked.answers} answers, {told.asked.judgements} judgements"
    if told.judgement_ms is not None:
        yield "one judgement", f"{told.judgement_ms} ms"
    yield "abstentions", f"{told.abstentions} judgements without a letter"
    yield "failures", str(told.failures)
    for name, role in told.roles.items():
        offered = "offered" if role.offered else "not offered"
        why = f"; last: {role.reason}" if role.reason else ""
        yield f"role {name}", f"{offered}; the engine left {role.rounds_failed} rounds without{why}"
    if told.last_failure:
        yield "last failure", told.last_failure
