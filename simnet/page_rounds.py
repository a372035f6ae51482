"""The rounds that a report opens: their list on the page, and their replays as data, which scripts of the page draw."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from simnet.keeping import openable
from simnet.results import Choice, KeptRound, Study
from simnet.study import value_text

REPLAYS_BYTES_MAX: Final = 4 * 1024 * 1024
"""Bytes of all replays on a page: what a browser opens at once and a mail still takes; 48 rounds of 25 members fit."""

WORDS: Final[Mapping[Choice, str]] = {
    Choice.WRONG: "✕ wrong",
    Choice.DEGRADED: "▲ degraded",
    Choice.RIGHT: "✓ right",
}
"""Names of the choices, each with a sign of its own, so that colour is never alone."""

HEAD: Final = ("round", "world", "choice", "right answers", "P(best)", "comparisons")
"""Columns of the list."""

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


def rounds_of(study: Study, viewer: Viewer) -> Iterator[PageRound]:
    """Yield the kept rounds of all worlds, as far as there is room for their replays."""
    room, seen = REPLAYS_BYTES_MAX, set[int]()
    for cell in study:
        if id(cell.run) in seen:
            continue
        seen.add(id(cell.run))
        world = ", ".join(f"{name} {value_text(value)}" for name, value in cell.point.items() if value_text(value))
        for kept in cell.run.kept:
            replay = viewer.replay_of(kept.certificate)
            if replay is None:
                continue
            data = in_script({"title": f"Round {kept.result.number}", "facts": _facts(world, kept), "replay": replay})
            if len(data.encode()) <= room:
                room -= len(data.encode())
                yield PageRound(world, kept, data)


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
        return f"{title}\n<p>{_why_none(openable(results))}</p>"
    told = (
        f"{len(rounds)} of {len(results)} rounds are in this file, to be looked at step by step: of each world the first "
        "that were decided wrongly, that are degraded, and that were decided rightly, as far as there is room. "
        "A round that failed, or had no outcome, has no certificate and cannot be opened."
    )
    unsigned = "" if any(each.kept.result.full for each in rounds) else _UNSIGNED
    rows = "\n".join(_row(number, each) for number, each in enumerate(rounds))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in HEAD)
    return (
        f"{title}\n<p>{escape(told)}{escape(unsigned)}</p>\n<noscript><p>{NO_SCRIPTS}</p></noscript>\n"
        f'<div class="wide" tabindex="0" role="group" aria-label="Rounds to open"><table class="rounds">\n'
        f"<tr>{head}</tr>\n{rows}\n</table></div>"
    )


_UNSIGNED: Final = (
    " No member has co-signed them: the aggregate layer has no messages, and a round ends there with its decision. "
    "All else is signed and holds."
)


def _why_none(count: int) -> str:
    if not count:
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
    if result.answered_ms is not None:
        facts.append(["Time to the answer", f"{result.answered_ms / 1000:.1f} s"])
    return [fact for fact in facts if fact[1]]


def _row(number: int, each: PageRound) -> str:
    kept, result = each.kept, each.kept.result
    p_best = "" if result.p_best is None else f"{100 * result.p_best:.1f} %"
    counts = f"{len(kept.right)} of {result.answers}"
    cells = (each.world, WORDS[kept.choice], counts, p_best, str(result.comparisons))
    texts = "".join(f"<td>{escape(text)}</td>" for text in cells)
    return f'<tr><th scope="row"><a href="#/round/{number}">Round {result.number}</a></th>{texts}</tr>'


def _places(right: Sequence[int]) -> str:
    """Return the names of answers as the round's view has them, which counts from 1."""
    return ", ".join(f"#{place + 1}" for place in right) or "none"
