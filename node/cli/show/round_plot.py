"""The picture of a ranking for `strand show --plot`: a ladder of strengths with intervals, and the matrix of pairs.

Figures are made without pyplot: no global state, no display.
"""

import io
from pathlib import Path
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from consensus.ranking.bradley_terry import INTERVAL
from node.cli.parts.certificates import FILE_DIGITS
from node.cli.show.explained import ExplainedRound

DPI: Final = 144
"""Dots per inch of a PNG: twice the 72 of a screen, so that it stays sharp on a dense one and in print."""

ANSWERS_MAX: Final = 20
"""Answers in the picture, the strongest ones: figures of two decimals in more cells cannot be read on one page."""

_INK, _FAINT, _WINNER, _OTHERS = "#222222", "#767676", "#0072B2", "#E69F00"
"""Okabe and Ito's palette, which colour-blind people can tell apart."""


def draw(told: ExplainedRound, file: Path) -> bytes:
    """Return the picture in the format of the file's suffix, png or svg; the same round gives the same bytes."""
    count = min(ANSWERS_MAX, len(told.ranked))
    # Texts stay texts in SVG, so that they can be searched; ids in it do not depend on chance.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "strand"}):
        figure = Figure(figsize=(5.5 + 0.6 * max(4, count), 1.6 + 0.45 * max(4, count)), layout="constrained")
        ladder, matrix = figure.subplots(1, 2, width_ratios=(5, max(4, count)))
        shown = "" if count == len(told.ranked) else f", the {count} strongest of {len(told.ranked)} answers"
        figure.suptitle(f"round {told.query_id[:FILE_DIGITS]}{shown}", color=_INK)
        _ladder(ladder, told)
        _matrix(matrix, told)
        out = io.BytesIO()
        suffix = file.suffix[1:].lower()
        metadata: dict[str, Any] = {"Date": None} if suffix == "svg" else {"Software": None}
        figure.savefig(out, format=suffix, dpi=DPI, metadata=metadata)
    return out.getvalue()


def _ladder(axes: Axes, told: ExplainedRound) -> None:
    answers = told.ranked[:ANSWERS_MAX]
    for position, answer in enumerate(answers):
        assert answer.strength is not None and answer.p_best is not None
        low, high = told.interval(answer)
        colour = _OTHERS if position else _WINNER
        axes.plot([low, high], [position, position], color=colour, linewidth=2)
        axes.plot([answer.strength], [position], color=colour, marker="o")
        axes.annotate(f"P(best) {answer.p_best:.2f}", (high, position), (6, 0), textcoords="offset points", va="center",
                      fontsize="small", color=_FAINT)  # fmt: skip
    axes.set_yticks(range(len(answers)), [f"{each.place}  {each.author[:8]}" for each in answers])
    axes.invert_yaxis()
    axes.margins(x=0.25, y=0.15)
    axes.set_xlabel(f"strength (log-odds), {INTERVAL:.0%} interval")
    axes.set_ylabel("place and author")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _matrix(axes: Axes, told: ExplainedRound) -> None:
    count = min(ANSWERS_MAX, len(told.ranked))
    cells: list[list[float]] = [[float("nan")] * count for _ in range(count)]
    for pair in told.pairs():
        if pair.comparisons and max(pair.first, pair.second) < count:
            cells[pair.first][pair.second] = pair.preference
            cells[pair.second][pair.first] = 1 - pair.preference
            for row, column in ((pair.first, pair.second), (pair.second, pair.first)):
                preference = cells[row][column]
                colour = "white" if abs(preference - 0.5) > 0.35 else _INK
                axes.text(column, row, f"{preference:.2f}\n{pair.comparisons}", ha="center", va="center",
                          fontsize="small", color=colour)  # fmt: skip
    axes.imshow(cells, cmap="RdBu", vmin=0, vmax=1)
    axes.set_xticks(range(count), told.names[:count])
    axes.set_yticks(range(count), told.names[:count])
    axes.set_title("row preferred, comparisons", fontsize="medium", color=_INK)
    axes.set_xlabel("place")
