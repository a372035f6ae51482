"""`strand top`."""

from collections.abc import Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Annotated, Final

import trio
from cyclopts import Parameter, validators
from msgspec import to_builtins
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from node.api.engine import EngineReport
from node.api.events import Ended, Progress, StreamedEvent
from node.api.queue import QueueReport
from node.api.rounds import RoundPage, RoundSummary
from node.api.status import Peer, Peers, Status
from node.cli.parts.certificates import FILE_DIGITS
from node.cli.parts.client import open_client
from node.cli.parts.options import KEY_DIGITS, JsonFlag, Source, outside, print_json, stdout
from node.cli.parts.tickets import all_held, length
from node.cli.rounds import WORDS_MIN, ending
from node.cli.status import clock, connections
from node.client import Client, ClientError

EVERY_S: Final = 2.0
"""Seconds between two looks at the node, unless the user says otherwise: five short requests each."""

EVERY_S_MIN: Final = 0.5
"""Fewest seconds between two looks: a node has better things to do than to describe itself."""

PHASES_MAX: Final = 64
"""Open rounds whose phases are remembered: more than a node runs at once."""

ROUNDS_SHOWN: Final = 6
"""Rounds in the picture, the latest ones; `strand rounds` lists all."""

LINES_MIN: Final = 16
"""Lines of the smallest terminal for which the picture is made."""


@dataclass(frozen=True, slots=True)
class View:
    """What a node said of itself at one moment."""

    status: Status
    engine: EngineReport
    peers: Peers
    rounds: RoundPage
    queue: QueueReport


@dataclass(slots=True)
class Phases:
    """The present phase of each round of the node's own, from its events."""

    latest: dict[str, Progress] = field(default_factory=dict)
    """Last progress of each open round, by its id."""

    def note(self, event: StreamedEvent) -> None:
        """Take in one event."""
        if isinstance(event, Progress):
            self.latest.pop(event.query_id, None)
            self.latest[event.query_id] = event
            if len(self.latest) > PHASES_MAX:
                self.latest.pop(next(iter(self.latest)))
        elif isinstance(event, Ended) and event.role == "requester":
            self.latest.pop(event.query_id, None)

    def shown(self, told: RoundSummary) -> str:
        """Return a round's outcome, or the phase in which it is."""
        event = self.latest.get(told.query_id)
        if event is None or told.ending is not None:
            return ending(told)
        return f"{event.phase} {len(event.received)}/{len(event.expected)}"


async def top(
    *,
    once: Annotated[bool, Parameter(negative="", help="Print one picture, and end.")] = False,
    every_s: Annotated[
        float, Parameter(name="--every", validator=validators.Number(gte=EVERY_S_MIN), help="Seconds between looks.")
    ] = EVERY_S,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Show the local node live: itself, its engine, its latest rounds and its peers. Ctrl-C ends it.

    Without a terminal, with --once and with --json it looks once.
    """
    console = stdout()
    async with open_client(source, url) as client:
        view = await look(client)
        if json:
            print_json({each.name: to_builtins(getattr(view, each.name)) for each in fields(view)})
        elif once or not console.is_terminal:
            _print(picture(view, client.url, _now(), console), console)
        else:
            await _follow(client, view, every_s)
    return 0


async def look(client: Client) -> View:
    """Ask a node about itself, in five requests. Raises ClientError."""
    # One after another: the node is on this machine, and a failure is one error.
    return View(
        await client.status(),
        await client.engine(),
        await client.peers(),
        await client.rounds(limit=ROUNDS_SHOWN),
        await client.queue(),
    )


async def _follow(client: Client, view: View, every_s: float) -> None:
    """Draw the picture again after each look, on a screen of its own, until the user interrupts."""
    console, phases, trouble = Console(), Phases(), ""
    live = Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
    with live:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_listen, client, phases, every_s)
            while True:
                lines_max = max(LINES_MIN, console.height)
                drawn = picture(view, client.url, _now(), console, phases, lines_max=lines_max, trouble=trouble)
                live.update(drawn, refresh=True)
                await trio.sleep(every_s)
                try:
                    view, trouble = await look(client), ""
                except ClientError as error:
                    trouble = str(error)


async def _listen(client: Client, phases: Phases, every_s: float) -> None:
    """Follow the events of the node's rounds until cancelled; the looks tell what is wrong if they cannot be had."""
    while True:
        with suppress(ClientError):
            async with aclosing(client.events()) as events:
                async for _, event in events:
                    phases.note(event)
        await trio.sleep(every_s)


def _print(drawn: RenderableType, console: Console) -> None:
    """Print a picture without the blanks that fill its lines."""
    with console.capture() as captured:
        console.print(drawn, soft_wrap=False)
    for line in captured.get().splitlines():
        console.file.write(line.rstrip() + "\n")


def _now() -> datetime:
    return datetime.now().astimezone()


def picture(
    view: View,
    url: str,
    now: datetime,
    console: Console,
    phases: Phases | None = None,
    *,
    lines_max: int | None = None,
    trouble: str = "",
) -> RenderableType:
    """Return the picture for a console's width, of `lines_max` lines (None: all). `trouble`: why it is an older one."""
    status = view.status
    head = [outside(f"{url}  {now:%H:%M:%S}  {status.network}, {status.specialty}"), Text(status.key)]
    head[0].stylize("bold")
    if trouble:
        head.append(outside(f"as of before: {trouble}"))
        head[-1].stylize("bold red")
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in (*_node(status), *_engine(view.engine), _questions(view.queue)):
        facts.add_row(name, outside(value))
    troubles = [outside(each.text) for each in status.conditions]
    for each in troubles:
        each.stylize("yellow")
    rounds = _rounds(view.rounds.rounds, console.width, phases or Phases())
    parts: list[RenderableType] = [*head, Text(), facts, *troubles, Text(), rounds, Text()]
    peers = sorted(view.peers.peers, key=lambda each: (not each.connected, each.key))
    # Two lines for the peers' heading and for how many more there are.
    above = len(console.render_lines(Group(*parts))) + 2
    shown = peers if lines_max is None else peers[: max(1, lines_max - above)]
    parts.append(_peers(shown))
    if left := len(peers) - len(shown):
        parts.append(Text(f"and {left} more peers: `strand peers` lists all"))
    return Group(*parts)


def _node(status: Status) -> Iterator[tuple[str, str]]:
    """Yield what the node says of itself."""
    serving = status.serving
    whom = serving.whom if serving.open else f"nobody now ({(serving.why_not or '').replace('_', ' ')})"
    yield "works for", f"{whom}; {status.working_on} pieces of work; {status.nodes_offering} nodes offer to work"
    yield "store", f"{status.store}; {'?' if status.certificates is None else status.certificates} certificates"
    yield "network", f"{status.peers_connected} peers; {connections(status.connections)}"
    yield "clock", clock(status.clock)


def _engine(engine: EngineReport) -> Iterator[tuple[str, str]]:
    """Yield what the node says of its engine."""
    if not engine.answers:
        yield "engine", f"does not answer: {engine.trouble or 'it was not asked yet'}"
        return
    model = engine.probe.model if engine.probe else engine.kind
    judging = "" if engine.judgement_ms is None else f", a judgement {engine.judgement_ms / 1000:.1f} s"
    yield "engine", f"{model} ({engine.kind}), {engine.tokens_per_second:.0f} tok/s{judging}"
    asked = f"{engine.asked.answers} answers, {engine.asked.judgements} judgements, {engine.failures} failures"
    yield "", f"{engine.in_flight} of {engine.concurrency} in flight; until now {asked}"


def _questions(queue: QueueReport) -> tuple[str, str]:
    """Return what the node says of its own questions."""
    held = sum(each.held_until_ms is not None for each in queue.running)
    cancelled = f" ({held} cancelled)" if held else ""
    told = f"{len(queue.running)} of {queue.running_max} rounds run{cancelled}, {len(queue.waiting)} wait"
    asks_wait = queue.waiting or all_held(queue)
    return "questions", f"{told}; a new one would wait {length(queue.wait_s)}" if asks_wait else told


def _rounds(found: tuple[RoundSummary, ...], width: int, phases: Phases) -> Table:
    """Return the latest rounds, a line each; of a question the first words that there is room for."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    names = ("asked", "round", "audience", "outcome", "P(best)", "question")
    for name in names:
        table.add_column(name, no_wrap=True)
    rows = [
        (
            f"{datetime.fromtimestamp(each.asked_ms / 1000).astimezone():%H:%M:%S}",
            each.query_id[:FILE_DIGITS],
            str(each.audience or ""),
            phases.shown(each),
            "" if each.p_best is None else f"{each.p_best:.2f}",
        )
        for each in found
    ]
    taken = sum(max(len(name), *(len(row[column]) for row in rows), 0) + 2 for column, name in enumerate(names[:-1]))
    for row, each in zip(rows, found, strict=True):
        words = outside(" ".join(each.text.split()))
        words.truncate(max(WORDS_MIN, width - taken), overflow="ellipsis")
        table.add_row(*map(outside, row), words)
    return table


def _peers(peers: list[Peer]) -> Table:
    """Return peers, a line each; a model's name goes on below if it is long."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("peer", "connected", "ms", "score", "offers", "tok/s", "queue"):
        table.add_column(name, no_wrap=True)
    table.add_column("model", overflow="fold")
    for each in peers:
        offers = each.offers
        row = (
            each.key[:KEY_DIGITS],
            each.direction or ("yes" if each.connected else "no"),
            "" if each.round_trip_ms is None else f"{each.round_trip_ms:.0f}",
            f"{each.score:.0f}" if each.connected or each.score else "",
            " ".join(offers.roles) if offers else "",
            f"{offers.tokens_per_second:.0f}" if offers else "",
            str(offers.queue) if offers else "",
            offers.model if offers else "",
        )
        table.add_row(*map(outside, row))
    return table
