"""`strand status`."""

from typing import Annotated

from cyclopts import Parameter
from msgspec import to_builtins
from msgspec.structs import asdict

from node.api.serving import Cost, Requester, ServingReport, Strangers
from node.api.status import ClockComparison, Connections, Status, ToolsReport
from node.cli.parts.client import open_client
from node.cli.parts.options import JsonFlag, Source, outside, print_json, stdout
from node.cli.parts.tables import print_pairs
from node.cli.parts.tickets import all_held, length
from node.config import NOBODY_HELP


async def status(
    *,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Show what the local node does, and whether it really takes part."""
    async with open_client(source, url) as client:
        told = await client.status()
        queue = None if json else await client.queue()
    if json:
        print_json(to_builtins(told))
        return 0
    console = stdout()
    # One line for each address, because people copy them from here.
    rows = ((name, value if isinstance(value, list) else [value]) for name, value in _lines(told).items())
    print_pairs([(name, str(each)) for name, values in rows for each in values or [""]], console)
    if told.store != "ok":
        console.print("This node takes no new work: see the line `store`. It goes on by itself when that is mended.")
    elif not told.engine:
        console.print("This node offers nothing: its engine does not answer. See its log.")
    if queue is not None and (held := all_held(queue)):
        console.print(f"A question to this node waits for {length(queue.wait_s)}: {held}.", soft_wrap=True)
    for condition in told.conditions:
        console.print(outside(f"{condition.text}: {condition.remedy}"), soft_wrap=True)
    return 0


def _lines(told: Status) -> dict[str, object]:
    """Return the status as names and values; a list has a line for each of its values."""
    engine, serving = told.engine, told.serving
    lines: dict[str, object] = {
        **({"name": told.name} if told.name else {}),
        "key": told.key,
        "addresses": list(told.addresses),
        "network": told.network,
        "params digest": told.params_digest,
        "specialty": told.specialty,
        "working on": told.working_on,
        "peers connected": told.peers_connected,
        "nodes offering": told.nodes_offering,
        "store": told.store,
        "certificates": told.certificates,
        "data dir": told.data_dir,
        "engine": f"{engine.model} ({engine.kind}, {engine.tokens_per_second} tok/s)" if engine else "does not answer",
        "tests answers": tools(told.tools),
        "challenges": challenges(told.tools),
        "connections": connections(told.connections),
        "clock": clock(told.clock),
        "works for": _works_for(serving),
        "strangers": _strangers(serving.strangers),
        "by requester": [_requester(each, told.key) for each in serving.requesters] or "nobody in the last day",
    }
    if refused := {**serving.refused, **({"too fast": serving.ignored} if serving.ignored else {})}:
        lines["refused"] = ", ".join(f"{reason.replace('_', ' ')}: {count}" for reason, count in refused.items())
    return lines


def tools(told: ToolsReport) -> str:
    """Return the line about the means to test Rust answers."""
    if told.state == "ready":
        return f"with {told.versions}"
    if told.state == "opening":
        return "not yet: it looks for a sandbox and a compiler"
    return f"no: {told.why_off}" + (f"; {told.remedy}" if told.remedy else "")


def challenges(told: ToolsReport) -> str:
    """Return the line about newcomers."""
    if not told.challenges:
        return "nobody: challenge.enabled is off"
    return "newcomers, see `strand reputation`" if told.state == "ready" else "nobody while it cannot test answers"


def connections(counts: Connections) -> str:
    """Return the line about inbound connections."""
    used = f"{counts.inbound} of {counts.inbound_max} inbound"
    if counts.half_open:
        used += f", {counts.half_open} half-open"
    refused = ", ".join(f"{reason}: {count}" for reason, count in sorted(counts.refused.items()))
    return f"{used}; refused since the start: {refused}" if refused else used


def clock(view: ClockComparison) -> str:
    """Return the line about this machine's clock."""
    if not view.peers:
        return "compared with no peer yet"
    if view.ours_is_off:
        off_s = abs(view.offset_ms) / 1000
        return f"off by {off_s:.1f} s from most of {view.peers} peers: set this machine's clock"
    agree = view.peers - view.off
    return f"agrees with {agree} of {view.peers} peer{'s' if view.peers > 1 else ''}"


def _works_for(serving: ServingReport) -> str:
    whom = {"everyone": "everyone", "reputation": "nodes that it knows", "named": "named keys"}[serving.whom]
    if serving.serves_nobody:
        return f"nobody: {NOBODY_HELP}"
    if serving.open:
        return whom
    left_ms = serving.paused_for_ms
    if serving.why_not == "paused":
        return "nobody: paused" + (
            " until `strand resume`" if left_ms is None else f" for {left_ms / 60_000:.0f} min more"
        )
    if serving.why_not == "stopping":
        return "nobody: it is being stopped"
    return f"nobody at this hour; else {whom}"


def _strangers(strangers: Strangers) -> str:
    """Return the cost of all strangers, and their remaining allowance."""
    parts = [f"{_cost(strangers.hour)} this hour", f"{strangers.left.engine_s_this_hour:.0f} s of the engine left"]
    left = asdict(strangers.left)
    limited = {name: count for name, count in left.items() if name != "engine_s_this_hour" and count is not None}
    return ", ".join([*parts, *(f"{count} {name.replace('_', ' ')} left" for name, count in limited.items())])


def _requester(each: Requester, own: str) -> str:
    told_apart = each.key != "others"
    who = " (this node)" if each.key == own else " (stranger)" if told_apart and not each.known else ""
    return f"{each.key}{who}: {_cost(each)}"


def _cost(spent: Cost | Requester) -> str:
    rounds = f"{spent.rounds} round{'' if spent.rounds == 1 else 's'}"
    return f"{rounds}, {spent.tokens} tokens, {spent.engine_s:.0f} s"
