"""Plots of a study, as PNG bytes. Each is drawn only if the study varies what its axis needs.

Figures are made without pyplot: no global state, no display.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter, StrMethodFormatter

from consensus.certificates.record import Phase
from consensus.learning.scoring import calibration_error
from simnet.calibration import bins
from simnet.results import NO_OUTCOME, WINDOW, Cell, RoundResult, Run, Study
from simnet.study import METHODS, Estimate, accuracy, answer_times_ms, per_member, percentile, value_text, wilson

DPI = 144

PANELS_MAX = 12
"""Panels of one figure: more cannot be read side by side."""

GROUPS_MAX = 8
"""Worlds that one axis can distinguish."""

ACCURACY_ROUNDS_MIN = 50
"""Rounds of each world for a plot of accuracy: with fewer, the 95 % interval is wider than 27 points."""

INK, FAINT = "#222222", "#767676"

# Okabe and Ito's palette, which colour-blind people can tell apart; dashes and marks tell lines apart in grey print.
LINES: dict[str, dict[str, Any]] = {
    "swarm": {"color": "#0072B2", "marker": "o", "linewidth": 2.4, "zorder": 4},
    "majority": {"color": "#E69F00", "marker": "s", "linewidth": 1.4, "linestyle": "--"},
    "plain_bradley_terry": {"color": "#D55E00", "marker": "^", "linewidth": 1.4, "linestyle": "-."},
    "oracle": {"color": FAINT, "marker": "", "linewidth": 1.4, "linestyle": ":"},
}
OUTCOMES = {
    "decided": ("#0072B2", ""),
    "degraded": ("#E69F00", "//"),
    "failed": ("#D55E00", "xx"),
    NO_OUTCOME: (INK, ""),
}
"""Colour and hatch of each outcome."""


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture of the report."""

    name: str
    """Name of its file, without suffix."""
    title: str
    alt: str
    """Description of the picture for readers that cannot see it."""
    png: bytes


@dataclass(frozen=True, slots=True)
class _Sweep:
    """A setting along whose values accuracy is drawn."""

    setting: str
    name: str
    title: str
    label: str
    x: Callable[[Cell], float]
    logarithmic: bool = False


_SWEEPS = (
    _Sweep("share", "accuracy-attacks", "Accuracy under attack", "attackers, % of nodes",
           lambda cell: 100 * cell.point["share"]),
    _Sweep("nodes", "accuracy-size", "Accuracy and swarm size", "nodes", lambda cell: cell.run.nodes, logarithmic=True),
    _Sweep("round.waves", "accuracy-comparisons", "Accuracy and comparisons", "comparisons of each member",
           lambda cell: cell.run.summary()["comparisons_per_node"]),
)  # fmt: skip


def plots(study: Study) -> Iterator[Plot]:
    """Yield every plot for which the study has the figures."""
    varied = _varied(study)
    if "pairing" in varied:
        yield from _pairings(study)
    if any(each.consensual is not None for cell in study for each in cell.run.rounds):
        yield _reliability(study)
    for sweep in _SWEEPS:
        if sweep.setting in varied and "pairing" not in varied:
            yield from _accuracy(study, sweep, [setting for setting in varied if setting != sweep.setting])
    if varied == ["seed"]:
        yield from _learning(study)
    if varied == ["links.loss"]:
        yield _loss(study)
    if varied == ["nodes"] and all(cell.run.messages for cell in study):
        yield _cost(study)
    if len(study.cells) <= GROUPS_MAX and (phases := _phases(study)):
        yield _latency(study, varied, phases)


def _varied(study: Study) -> list[str]:
    first = study.cells[0].point
    return [name for name in first if any(cell.point[name] != first[name] for cell in study)]


# Accuracy, along whatever varies.


def _accuracy(study: Study, sweep: _Sweep, others: Sequence[str]) -> Iterator[Plot]:
    panels: dict[str, list[Cell]] = {}
    for cell in study:
        panels.setdefault(_where(cell, others), []).append(cell)
    if len(panels) > PANELS_MAX or any(len(cell.run.rounds) < ACCURACY_ROUNDS_MIN for cell in study):
        return
    figure, grid = _figure(sweep.title, len(panels))
    for axes, (where, cells) in zip(grid, panels.items(), strict=False):
        _accuracy_panel(axes, sweep, sorted(cells, key=sweep.x))
        axes.set_title(where, loc="left", fontsize=10, color=INK)
    if sweep.setting == "share" and len(grid[0].lines) > len(LINES):
        grid[0].text(100 / 3, 3, " one third", fontsize=7, color=FAINT)
    _legend(figure, grid[0])
    columns = _columns(len(panels))
    for number, axes in enumerate(grid):
        if number + columns >= len(panels):
            axes.set_xlabel(sweep.label)
        axes.tick_params(labelbottom=number + columns >= len(panels), labelleft=number % columns == 0)
        if number % columns == 0:
            axes.set_ylabel("rounds answered right")
    yield Plot(sweep.name, sweep.title, _accuracy_alt(sweep, panels), _png(figure))


def _learning(study: Study) -> Iterator[Plot]:
    """Plot accuracy against the number of earlier questions, all casts together, if their askers learn."""
    if any(each.verdicts.weighted_majority is None for cell in study for each in cell.run.rounds):
        return
    longest = max(len(cell.run.rounds) for cell in study)
    windows = []
    for start in range(0, longest, WINDOW):
        rounds = [each for cell in study for each in cell.run.rounds[start : start + WINDOW]]
        windows.append(Cell({"asked": start}, Run(0, study.cells[0].run.nodes, rounds)))
    sweep = _Sweep(
        "asked", "learning", "Accuracy as askers learn", "questions asked before", lambda c: c.point["asked"]
    )
    yield from _accuracy(Study(study.name, study.about, windows), sweep, [])


def _accuracy_panel(axes: Axes, sweep: _Sweep, cells: Sequence[Cell]) -> None:
    along = [sweep.x(cell) for cell in cells]
    for method, look in LINES.items():
        found = [accuracy(cell.run, method) for cell in cells]
        axes.plot(along, [100 * each.value for each in found], label=METHODS[method], markersize=4, **look)
        low, high = [100 * each.low for each in found], [100 * each.high for each in found]
        axes.fill_between(along, low, high, color=look["color"], alpha=0.15, linewidth=0)
    axes.set_ylim(0, 102)
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    if sweep.setting == "share" and max(along) > 100 / 3:
        # From a third on, safety itself is not promised.
        axes.axvline(100 / 3, color=FAINT, linewidth=0.8, zorder=0)
    if sweep.logarithmic:
        _logarithmic(axes, along)


def _accuracy_alt(sweep: _Sweep, panels: dict[str, list[Cell]]) -> str:
    told = []
    for where, cells in panels.items():
        first, last = min(cells, key=sweep.x), max(cells, key=sweep.x)
        told.append(
            (f"{where}: " if where else "")
            + f"the swarm goes from {100 * accuracy(first.run, 'swarm').value:.0f} % at {sweep.x(first):.5g}"
            + f" to {100 * accuracy(last.run, 'swarm').value:.0f} % at {sweep.x(last):.5g}"
        )
    return f"Rounds answered right against {sweep.label}, for four ways to choose. " + "; ".join(told) + "."


def _where(cell: Cell, settings: Sequence[str]) -> str:
    # A kind of attack or a preset is clear by its value; a bare number needs its setting's name.
    return ", ".join(
        value_text(cell.point[name]) if name in ("attack", "preset") else f"{name} {value_text(cell.point[name])}"
        for name in settings
    )


# Other ways to choose pairs.

PAIRINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "random": ("random pairs", {"color": "#E69F00", "marker": "s"}),
    "swiss": ("Swiss", {"color": "#009E73", "marker": "^"}),
    "knockout": ("knockout", {"color": "#CC79A7", "marker": "v"}),
    "client": ("published client's list", {"color": "#D55E00", "marker": "D"}),
}
SWARMS = ("-", "--", ":")
"""Dashes of the swarm's lines, by threshold."""


def _pairings(study: Study) -> Iterator[Plot]:
    """Plot a panel for each preset and each fit of the other pairings; all seeds together."""
    presets: dict[str, list[Cell]] = {}
    for cell in study:
        presets.setdefault(_where(cell, ["preset"] if "preset" in cell.point else []), []).append(cell)
    seeds = len({cell.point.get("seed") for cell in study})
    few = any(seeds * len(cell.run.rounds) < ACCURACY_ROUNDS_MIN for cell in study)
    if 2 * len(presets) > PANELS_MAX or few:
        return
    title = "Who compares what: the swarm and others"
    figure, grid = _figure(title, 2 * len(presets), wide=True, height=3.4 * len(presets) + 1.2)
    told = []
    fits = (("swarm", "their pairs, our fit"), ("plain_bradley_terry", "their pairs, plain Bradley-Terry"))
    panels = [(where, cells, method, fit) for where, cells in presets.items() for method, fit in fits]
    for axes, (where, cells, method, fit) in zip(grid, panels, strict=True):
        lines = _pairing_lines(cells, method)
        for label, (look, points) in lines.items():
            along = [x for x, _ in points]
            axes.plot(along, [100 * y.value for _, y in points], label=label, markersize=4, **look)
            axes.fill_between(along, [100 * y.low for _, y in points], [100 * y.high for _, y in points],
                              color=look["color"], alpha=0.12, linewidth=0)  # fmt: skip
            if len(points) == 1:
                axes.errorbar(along, [100 * y.value for _, y in points], color=look["color"], capsize=3,
                              yerr=[[100 * (y.value - y.low) for _, y in points],
                                    [100 * (y.high - y.value) for _, y in points]])  # fmt: skip
            ends = "; ".join(f"{100 * y.value:.0f} % with {x:.2g}" for x, y in (points[0], points[-1]))
            told.append(f"{where + ', ' if where else ''}{fit}, {label}: {ends}")
        axes.set_title(f"{where}: {fit}" if where else fit, loc="left", fontsize=10, color=INK)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator([1, 2, 3, 5, 10, 30, 100]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
        axes.set_xlabel("comparisons of each member")
        axes.set_ylabel("rounds answered right")
    for left, right in zip(grid[::2], grid[1::2], strict=True):
        low, high = zip(left.get_ylim(), right.get_ylim(), strict=True)
        for axes in (left, right):
            axes.set_ylim(min(low), max(high))
    _legend(figure, grid[0], columns=3)
    alt = "Rounds answered right against comparisons of each member. " + "; ".join(told) + "."
    yield Plot("pairings", title, alt, _png(figure))


def _pairing_lines(
    cells: Sequence[Cell], method: str
) -> dict[str, tuple[dict[str, Any], list[tuple[float, Estimate]]]]:
    """Return by label its look, and accuracy by comparisons per member. The swarm is always ranked by its own fit."""
    rounds: dict[tuple[str, Any, str], list[RoundResult]] = {}
    for cell in cells:
        key = (cell.point["pairing"], cell.point.get("round.threshold"), value_text(cell.point.get("round.waves")))
        rounds.setdefault(key, []).extend(cell.run.rounds)
    single = {waves: found for (pairing, threshold, waves), found in rounds.items()
              if pairing == "swarm" and threshold is None}  # fmt: skip
    thresholds = sorted({at for pairing, at, _ in rounds if pairing == "swarm" and at is not None}) or [None]
    lines: dict[str, tuple[dict[str, Any], list[tuple[float, Estimate]]]] = {}
    for number, threshold in enumerate(thresholds):
        own = [*single.values()] if threshold is not None else []
        own += [found for (pairing, at, _), found in rounds.items() if (pairing, at) == ("swarm", threshold)]
        label = "swarm" if threshold is None else f"swarm, stops at P(best) {threshold:g}"
        look = {**LINES["swarm"], "linestyle": SWARMS[number % len(SWARMS)], "linewidth": 2.0}
        lines[label] = (look, _points(own, "swarm"))
    for name, (label, look) in PAIRINGS.items():
        found = [of for (pairing, _, _), of in rounds.items() if pairing == name]
        if found:
            lines[label] = ({**look, "linewidth": 1.4}, _points(found, method))
    if client := [of for (pairing, _, _), of in rounds.items() if pairing == "client"]:
        look = {"color": INK, "marker": "X", "linewidth": 1.4}
        lines["its judges' own rankings"] = (look, _points(client, "rankings"))
    return {label: line for label, line in lines.items() if line[1]}


def _points(found: Sequence[Sequence[RoundResult]], method: str) -> list[tuple[float, Estimate]]:
    """Return comparisons per member and accuracy of the method, for several plans; ascending."""
    points = []
    for rounds in found:
        right = sum(bool(getattr(each.verdicts, method)) for each in rounds)
        comparisons = sum(each.comparisons for each in rounds) / max(1, sum(each.members for each in rounds))
        points.append((comparisons, wilson(right, len(rounds))))
    return sorted(points, key=lambda point: point[0])


# Calibration.


def _reliability(study: Study) -> Plot:
    """Plot the observed frequency against the ranking's probability; all worlds together."""
    title = "Are probabilities what they say?"
    figure, grid = _figure(title, 2, wide=True)
    told = []
    for axes, (probability, name, truth) in zip(
        grid, (("p_best", "P(best)", "the honest judges' choice by all pairs"), ("p_correct", "P(correct)", "right")),
        strict=True,
    ):  # fmt: skip
        pairs = study.told(probability)
        found = bins(pairs)
        shares = [wilson(each.true, each.count) for each in found]
        below = [100 * (each.value - each.low) for each in shares]
        above = [100 * (each.high - each.value) for each in shares]
        axes.plot([0, 100], [0, 100], color=FAINT, linewidth=1, linestyle=":")
        axes.errorbar(
            [100 * each.said for each in found], [100 * each.value for each in shares], color="#0072B2", marker="o",
            markersize=5, linestyle="", capsize=3,
            yerr=[below, above],
        )  # fmt: skip
        for each, share in zip(found, shares, strict=True):
            axes.annotate(f"{each.count:,}", (100 * each.said, 100 * share.low), (0, -4), textcoords="offset points",
                          ha="center", va="top", fontsize=7, color=FAINT)  # fmt: skip
        error = calibration_error(pairs) or 0.0
        axes.set_title(f"{name}: expected calibration error {error:.3f}", loc="left", fontsize=10, color=INK)
        axes.set_xlim(0, 102)
        axes.set_ylim(-8, 102)
        axes.xaxis.set_major_formatter(PercentFormatter(decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
        axes.set_xlabel(f"{name} of the winner; small: rounds")
        axes.set_ylabel(f"winner is {truth}")
        told.append(f"{name} against whether the winner is {truth}: expected calibration error {error:.3f}")
    return Plot("reliability", title, "In ten bins, with 95 % intervals. " + "; ".join(told) + ".", _png(figure))


# Loss, cost and latency.


def _loss(study: Study) -> Plot:
    cells = sorted(study, key=lambda cell: cell.point["links.loss"])
    figure, (outcomes, times) = _figure("Packet loss", 2, wide=True)
    places = range(len(cells))
    labels = [f"{100 * cell.point['links.loss']:.3g}" for cell in cells]
    floor = [0.0] * len(cells)
    for outcome, (color, hatch) in OUTCOMES.items():
        shares = [100 * _share(cell.run.rounds, outcome) for cell in cells]
        if any(shares):
            outcomes.bar(places, shares, bottom=floor, color=color, hatch=hatch, edgecolor="white", linewidth=0.5,
                         width=0.8, label="no outcome" if outcome == NO_OUTCOME else outcome)  # fmt: skip
        floor = [below + share for below, share in zip(floor, shares, strict=True)]
    outcomes.set_ylim(0, 100)
    outcomes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    outcomes.set_ylabel("rounds")
    outcomes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False, fontsize=8)
    for part, name, marker, dash in ((0.5, "median", "o", "-"), (0.95, "95th percentile", "^", "--")):
        found = [(place, percentile(answer_times_ms(cell.run), part)) for place, cell in enumerate(cells)]
        known = [(place, at_ms / 1000) for place, at_ms in found if at_ms is not None]
        times.plot([x for x, _ in known], [y for _, y in known], color="#0072B2", markersize=4, label=name,
                   marker=marker, linestyle=dash)  # fmt: skip
    times.set_ylim(bottom=0)
    times.set_ylabel("time to the answer, s")
    times.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize=8)
    for axes in (outcomes, times):
        axes.set_xticks(places, labels)
        axes.set_xlabel("packets lost, %")
    told = "; ".join(f"{100 * _share(cell.run.rounds, 'decided'):.0f} % decided at {label} % loss"
                     for cell, label in zip(cells, labels, strict=True))  # fmt: skip
    return Plot(
        "loss", "Packet loss", f"Outcomes of rounds and time to the answer against packet loss: {told}.", _png(figure)
    )


def _share(rounds: Sequence[RoundResult], outcome: str) -> float:
    return sum(each.outcome == outcome for each in rounds) / max(1, len(rounds))


def _cost(study: Study) -> Plot:
    cells = sorted(study, key=lambda cell: cell.run.nodes)
    figure, grid = _figure("Cost and swarm size", 2, wide=True)
    nodes = [cell.run.nodes for cell in cells]
    messages = [per_member(cell.run, cell.run.messages) for cell in cells]
    kilobytes = [per_member(cell.run, cell.run.bytes) / 1000 for cell in cells]
    for axes, costs, name in zip(grid, (messages, kilobytes), ("messages", "kB"), strict=True):
        axes.plot(nodes, costs, color="#0072B2", marker="o", markersize=5, linewidth=2.2)
        for count, cost in zip(nodes, costs, strict=True):
            axes.annotate(f"{cost:,.0f}", (count, cost), (0, 7), textcoords="offset points", ha="center", fontsize=8)
        axes.set_ylim(0, 1.2 * max(costs))
        axes.set_ylabel(f"{name} per member and round")
        axes.set_xlabel("nodes")
        _logarithmic(axes, nodes)
        axes.margins(x=0.08)
    told = "; ".join(f"{m:,.0f} messages and {k:,.0f} kB with {n:,} nodes"
                     for n, m, k in zip(nodes, messages, kilobytes, strict=True))  # fmt: skip
    return Plot("cost", "Cost and swarm size", f"Cost per member and round against swarm size: {told}.", _png(figure))


def _phases(study: Study) -> list[str]:
    """Return the phases in the order of a round. Few rounds have all of them, so the order of appearance is useless."""
    return sorted({name for cell in study for each in cell.run.rounds for name in each.phases_ms}, key=_place)


def _place(name: str) -> tuple[int, int]:
    """Return a phase's place in a round, and its wave. "certified", which is no phase, comes last."""
    phase, _, wave = name.partition(" ")
    order = [each.value for each in Phase]
    return (order.index(phase) if phase in order else len(order)), int(wave or 0)


def _latency(study: Study, varied: Sequence[str], phases: Sequence[str]) -> Plot:
    title = "Time of each phase"
    rows = [*phases, "query to answer"]
    figure, (axes,) = _figure(title, 1, height=1.6 + 0.16 * len(rows) * (1 + len(study.cells)))
    told = []
    for number, cell in enumerate(study):
        color = _shade(number, len(study.cells))
        for row, name in enumerate(rows):
            if not (times_s := _times_s(cell, name)):
                continue
            low, median, high = times_s
            y = row + 0.8 * ((number + 0.5) / len(study.cells) - 0.5)
            axes.plot([low, high], [y, y], color=color, linewidth=3.5, alpha=0.45, solid_capstyle="butt")
            label = _where(cell, varied) if row == len(rows) - 1 else None
            axes.plot([median], [y], color=color, marker="o", markersize=5, linestyle="", label=label)
            if len(study.cells) == 1:
                axes.annotate(f"{median:.1f}", (median, y), (0, 6), textcoords="offset points", ha="center", fontsize=8)
            if number == 0:
                told.append(f"{name} {median:.1f} s")
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.axhline(len(phases) - 0.5, color=FAINT, linewidth=0.8)
    axes.grid(visible=False, axis="y")
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds: median (dot) and from the 5th to the 95th percentile (bar)")
    if len(study.cells) > 1:
        _legend(figure, axes)
    return Plot("latency", title, "Median length of each phase: " + ", ".join(told) + ".", _png(figure))


def _times_s(cell: Cell, phase: str) -> tuple[float, ...]:
    """Return 5th percentile, median and 95th percentile in seconds; empty without measurements."""
    measured = [each.phases_ms[phase] for each in cell.run.rounds if phase in each.phases_ms]
    times_ms = measured or (answer_times_ms(cell.run) if phase == "query to answer" else [])
    found = (percentile(times_ms, part) for part in (0.05, 0.5, 0.95))
    return tuple(at_ms / 1000 for at_ms in found if at_ms is not None)


def _shade(number: int, count: int) -> str:
    """Return a blue, from dark to light, in the order of the study."""
    light = 0.0 if count == 1 else 0.6 * number / (count - 1)
    red, green, blue = (round(256 * (base + (1 - base) * light) - 0.5) for base in (0.0, 0.27, 0.55))
    return f"#{max(0, red):02x}{max(0, green):02x}{max(0, blue):02x}"


# Common style.


def _columns(panels: int) -> int:
    return panels if panels <= 3 else min(4, -(-panels // 2))


def _figure(title: str, panels: int, *, wide: bool = False, height: float | None = None) -> tuple[Figure, list[Axes]]:
    """Return a figure with this many panels, styled alike; `wide` for panels that do not share their axes."""
    columns = _columns(panels)
    rows = -(-panels // columns)
    width = 7.2 if panels == 1 else columns * (4.2 if wide else 2.7) + 0.5
    figure = Figure(
        figsize=(width, height or (4.2 if panels == 1 or wide else 2.3 * rows + 1.0)), dpi=DPI, layout="constrained"
    )
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold", color=INK)
    grid: list[Axes] = []
    for number in range(panels):
        shared = grid[0] if grid and not wide else None
        axes = figure.add_subplot(rows, columns, number + 1, sharex=shared, sharey=shared)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(FAINT)
        axes.grid(color="#E4E4E4", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.tick_params(colors=INK, labelsize=8, length=3)
        axes.xaxis.label.set_fontsize(9)
        axes.yaxis.label.set_fontsize(9)
        grid.append(axes)
    return figure, grid


def _legend(figure: Figure, axes: Axes, columns: int = 4) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=9, handlelength=3)


def _logarithmic(axes: Axes, values: Sequence[float]) -> None:
    """Set a logarithmic axis with a tick at each measured value."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(values)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _png(figure: Figure) -> bytes:
    """Encode a figure; the same study gives the same bytes, because they hold no version and no date."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
