"""The rounds that a report opens: their list on the page, and their replays as data, which scripts of the page draw."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from simnet.keeping import choice_of
from simnet.plan import START_MS
from simnet.results import Cell, Choice, KeptRound, RoundResult, Study
from simnet.study import value_text

REPLAYS_BYTES_MAX: Final = 6 * 1024 * 1024
"""Bytes of all replays on a page, which a mail still takes: 48 rounds of 35 members, with 70 to 150 kB each, fit."""

WORDS: Final[Mapping[Choice, str]] = {
    Choice.WRONG: "✕ wrong",
    Choice.DEGRADED: "▲ degraded",
    Choice.RIGHT: "✓ right",
}
"""Names of the choices, each with a sign of its own, so that colour is never alone."""

NO_SCRIPTS: Final = "Without JavaScript the list below leads nowhere."


@dataclass(frozen=True, slots=True)
class Viewer:
    """What draws a round on the page. The dashboard's parts do, which this package does not know."""

    styles: str
    """Style sheets, as one text."""
    import_map: str
    """Import map as JSON, whose addresses hold the modules themselves."""
    start: str
    """Name of the module that draws the round which the page's address names."""
    replay_of: Callable[[bytes], Mapping[str, Any] | None]
    """Returns the course of a certificate's round as plain data; None: it cannot be rebuilt."""


@dataclass(frozen=True, slots=True)
class PageRound:
    """A round that the page opens."""

    world: str
    kept: KeptRound
    data: str
    """What the round's view shows, as JSON that is safe inside a script's element."""


def rounds_of(study: Study, viewer: Viewer) -> Sequence[PageRound]:
    """Return the kept rounds of all worlds, as far as there is room for their replays.

    The worlds take turns, so that a lack of room does not hit the last ones alone.
    """
    first_cells = {id(cell.run): cell for cell in reversed(study.cells)}
    worlds = [first_cells[id(run)] for run in study.runs]
    by_turns = sorted((turn, place) for place, cell in enumerate(worlds) for turn in range(len(cell.run.kept)))
    room, found = REPLAYS_BYTES_MAX, dict[tuple[int, int], PageRound]()
    for turn, place in by_turns:
        each = _page_round(_name(worlds[place]), worlds[place].run.kept[turn], viewer)
        size = 0 if each is None else len(each.data.encode())
        if each is not None and size <= room:
            room -= size
            found[place, turn] = each
    return [found[at] for at in sorted(found)]


def _name(cell: Cell) -> str:
    """Return in which settings a world differs from the others; empty: it is alone."""
    return ", ".join(f"{name} {value_text(value)}" for name, value in cell.point.items() if value_text(value))


def _page_round(world: str, kept: KeptRound, viewer: Viewer) -> PageRound | None:
    replay = viewer.replay_of(kept.certificate)
    if replay is None:
        return None
    data = {
        "title": f"Round {kept.result.number}",
        "facts": _facts(world, kept),
        "start_ms": START_MS,
        "replay": replay,
    }
    return PageRound(world, kept, in_script(data))


def in_script(value: Any) -> str:
    """Return JSON that stands inside an element `script`, which ends nowhere but where it should.

    Only `<` begins what HTML reads there: an end tag, or a comment that hides the next one.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def section(study: Study, rounds: Sequence[PageRound]) -> str:
    """Return the part of the report that leads to the rounds, as markup; without rounds it says why there are none."""
    results = [each for run in study.runs for each in run.rounds]
    title = "<h2>Rounds to open</h2>"
    if not rounds:
        return f"{title}\n<p>{_why_none(results)}</p>"
    found = len({each.world for each in rounds})
    of_worlds = f", from {found} of {len(study.runs)} worlds," if len(study.runs) > 1 else ""
    told = (
        f"{len(rounds)} of {len(results)} rounds{of_worlds} are in this file, to be replayed step by step: the first "
        "that were decided wrongly, that are degraded, and that were decided rightly, as far as there is room. "
        "A round that failed, or had no outcome, has no certificate and cannot be opened."
    )
    unsigned = _UNSIGNED if any(each.kept.unsigned for each in rounds) else ""
    return (
        f"{title}\n<p>{escape(told)}{escape(unsigned)}</p>\n<noscript><p>{NO_SCRIPTS}</p></noscript>\n{_list(rounds)}"
    )


_UNSIGNED: Final = (
    " The aggregate layer has no messages, and a round ends there with its decision: its certificate is signed and "
    "holds, but no member has co-signed it."
)


def _why_none(results: Sequence[RoundResult]) -> str:
    if not any(map(choice_of, results)):
        return "No round has an answer, so there is none to open."
    return (
        "No round can be opened: none was kept. Rounds of pairings other than the swarm's have no certificate, and one "
        "that is very large is left out."
    )


def _facts(world: str, kept: KeptRound) -> list[list[str]]:
    """Return what the simulator knows of a round, and its members do not, as names with texts."""
    result = kept.result
    facts = [["World", world], ["Choice", WORDS[kept.choice]], ["Right answers", _places(kept.right)]]
    if kept.choice is Choice.DEGRADED:
        facts.append(["Its answer is", "right" if result.verdicts.swarm else "wrong"])
    facts += [[f"Dishonest: {kind}", _places(places)] for kind, places in kept.dishonest.items()]
    if kept.unsigned:
        facts.append(["Co-signatures", "none, because the aggregate layer has no messages"])
    if result.answered_ms is not None:
        facts.append(["Time to the answer", f"{result.answered_ms / 1000:.1f} s"])
    return [fact for fact in facts if fact[1]]


def _list(rounds: Sequence[PageRound]) -> str:
    rows = [_cells(each) for each in rounds]
    # One world has no name, and needs no column.
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    head = "".join(f'<th scope="col"{_look(name)}>{escape(name)}</th>' for name in ("round", *names))
    lines = "\n".join(
        f'<tr><th scope="row"><a href="#/round/{number}">Round {each.kept.result.number}</a></th>'
        + "".join(f"<td{_look(name)}>{escape(row[name])}</td>" for name in names)
        + "</tr>"
        for number, (each, row) in enumerate(zip(rounds, rows, strict=True))
    )
    return (
        '<div class="wide" tabindex="0" role="group" aria-label="Rounds to open">'
        f"<table>\n<tr>{head}</tr>\n{lines}\n</table></div>"
    )


def _cells(each: PageRound) -> dict[str, str]:
    """Return a round's line in the list, by column."""
    kept, result = each.kept, each.kept.result
    return {
        "world": each.world,
        "choice": WORDS[kept.choice],
        "right answers": f"{len(kept.right)} of {result.answers}",
        "P(best)": "" if result.p_best is None else f"{100 * result.p_best:.1f} %",
        "comparisons": str(result.comparisons),
    }


def _look(name: str) -> str:
    """Return the class of a column with words, as an attribute; the others have numbers."""
    return ' class="words"' if name in ("world", "choice") else ""


def _places(right: Sequence[int]) -> str:
    """Return the names of answers as the round's view has them: it counts from 1."""
    return ", ".join(f"#{place + 1}" for place in right) or "none"
