"""Many worlds side by side: running them, their table, and the command that repeats one."""

import json
import math
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from consensus.learning.scoring import calibration_error
from simnet.keeping import share_of
from simnet.results import Cell, RoundResult, Run, Study
from simnet.scenario import Scenario, ScenarioError, cells

if TYPE_CHECKING:
    from protocol.params import NetworkParams
    from simnet.preset import Preset

Progress = Callable[[RoundResult], None]

Each = Callable[[Callable[[Scenario], Run], Iterable[Scenario]], Iterable[Run]]
"""Runs worlds and gives their results in the same order, as the built-in `map` does: worlds are independent."""

Z_95 = 1.959963984540054
"""Quantile of the normal distribution for a two-sided 95 % interval."""

METHODS: Mapping[str, str] = {
    "swarm": "swarm",
    "majority": "majority",
    "plain_bradley_terry": "plain Bradley-Terry",
    "best_single": "best single node",
    "oracle": "oracle",
    "behaviour_majority": "largest behaviour cluster",
    "win_rate": "win rate",
    "weighted_majority": "record-weighted majority",
    "rankings": "judges' own rankings",
}
"""Ways to choose among one round's answers (results.Verdicts), and their names in reports."""

NOTES = (
    "swarm, majority and others (%): rounds in which this way to choose picked a right answer, with the 95 % interval "
    "(Wilson). "
    "Loss to best other (points): by how much the best other way wins on the same questions; negative: the swarm wins. "
    "Behind ≤ is the upper end of the 95 % interval of these paired differences, then the way for which it is highest; "
    "the oracle does not count. "
    "Gain over another setting (points): how much more often the swarm is right, paired in the same way. "
    "Comparisons, messages and traffic are per member and round; offer packets are per node and minute. "
    "ECE: expected calibration error in 10 bins, of P(best) against the choice by all pairs of all honest judges. "
    "Latency is from the query to the answer, over the rounds that had one."
)
"""The note below every table of `measures`."""

LATE_MAX = 0.01
"""Share of rounds that may have no outcome by their deadline; at 20 % loss and with crashes too (hostile.toml)."""

FLAGS: Mapping[str, str] = {
    "layer": "--layer",
    "preset": "--preset",
    "nodes": "--nodes",
    "shard_nodes": "--shard-nodes",
    "rounds": "--rounds",
    "seed": "--seed",
    "links.loss": "--loss",
    "links.latency_ms": "--latency",
    "faults.crash": "--crash",
}
"""Settings with a flag of their own that takes the bare value; every other setting has `--set`."""


NETWORK_ONLY = ("links", "gossip", "engine", "faults")
"""Tables without a meaning in the aggregate layer, which has neither messages nor time."""


def worlds(scenario: Scenario) -> dict[bytes, Scenario]:
    """Return a study's worlds without repetition (all attacks at share 0 are one), by an id of the settings."""
    return {_id(world): world for _, world in cells(scenario)}


def run_study(
    scenario: Scenario,
    presets: Mapping[str, "Preset"],
    params: "NetworkParams",
    on_round: Progress | None = None,
    each: Each = map,
    keep: int = 0,
) -> Study:
    """Run every world of the scenario; `keep`: rounds that are kept whole, of all worlds together.

    Raises ScenarioError, for wrong names and layers before the first starts.
    """
    distinct = worlds(scenario)
    for world in distinct.values():
        _check_names(world, presets)
        _check_layer(world)
    run = partial(run_cell, presets=presets, params=params, on_round=on_round, keep=share_of(len(distinct), keep))
    runs = dict(zip(distinct, _within(keep, each(run, distinct.values())), strict=True))
    found = [Cell(point, runs[_id(world)]) for point, world in cells(scenario)]
    return Study(scenario.name, scenario.about, found, scenario.against)


def _within(rounds: int, runs: Iterable[Run]) -> Iterator[Run]:
    """Yield runs that together keep so many rounds at most: of more worlds than that, the first have one each."""
    for run in runs:
        del run.kept[rounds:]
        rounds -= len(run.kept)
        yield run


def run_cell(
    scenario: Scenario,
    presets: Mapping[str, "Preset"],
    params: "NetworkParams",
    on_round: Progress | None = None,
    keep: int = 0,
) -> Run:
    """Run one world in its layer; `keep`: rounds that it keeps whole. Raises ScenarioError."""
    from simnet.plan import Plan

    plan = Plan(scenario, presets[scenario.preset], params)
    if scenario.layer == "aggregate":
        from simnet.aggregate import run_aggregate

        return run_aggregate(plan, on_round, keep)
    from simnet.world import run_world

    return run_world(plan, on_round, keep)


def _check_names(scenario: Scenario, presets: Mapping[str, "Preset"]) -> None:
    from simnet.plan import check_kinds

    check_kinds(scenario)
    if scenario.preset not in presets:
        known = ", ".join(sorted(presets))
        raise ScenarioError(f"preset: nothing is named {scenario.preset!r}; there are {known}")


def _check_layer(scenario: Scenario) -> None:
    """Refuse settings that a layer would ignore: its figures would suggest that they do no harm."""
    if scenario.layer != "aggregate":
        if scenario.pairing != "swarm" or scenario.reference:
            raise ScenarioError("pairing and reference are for the aggregate layer: --layer aggregate")
        return
    from simnet.adversaries import ACCURACY

    for setting, value in changed(scenario):
        if setting.partition(".")[0] in NETWORK_ONLY:
            raise ScenarioError(f"{setting} cannot be {value}: the aggregate layer has neither messages nor time")
    minds = {kind.KIND for kind in ACCURACY}
    for kind, share in scenario.byzantine.items():
        if share and kind not in minds:
            raise ScenarioError(f"byzantine: {kind} breaks rules of the network, which the aggregate layer has not")


def _id(scenario: Scenario) -> bytes:
    return msgspec.json.encode(scenario)


# Measures of a world.


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share and its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(successes: int, trials: int) -> Estimate:
    """Return the share of successes with its score interval (Wilson 1927): sound at 0 and 1, and for few trials."""
    if not trials:
        return Estimate(0.0, 0.0, 1.0)
    share, weight = successes / trials, Z_95**2 / trials
    middle = (share + weight / 2) / (1 + weight)
    reach = Z_95 * math.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    # Rounding must not leave the share outside of its own interval at the ends.
    return Estimate(share, min(share, max(0.0, middle - reach)), max(share, min(1.0, middle + reach)))


def accuracy(run: Run, method: str) -> Estimate:
    """Return how often a way to choose (a key of METHODS) was right."""
    return wilson(sum(getattr(each.verdicts, method) or 0 for each in run.rounds), len(run.rounds))


def largest_loss(run: Run) -> tuple[str, Estimate]:
    """Return the way to choose, except the oracle, to which the swarm loses most, and how much (negative: it wins).

    The interval is of paired differences, by the central limit theorem; with hundreds of rounds a bootstrap gives the
    same.
    """
    losses = {
        method: _mean([getattr(each.verdicts, method) - each.verdicts.swarm for each in run.rounds])
        for method in run.accuracy().keys() - {"swarm", "oracle"}
    }
    method = max(sorted(losses), key=lambda name: losses[name].high)
    return method, losses[method]


def gain(run: Run, reference: Run) -> Estimate:
    """Return how much more often a world's swarm is right than another's on the same questions, paired as above."""
    theirs = {each.number: each.verdicts.swarm for each in reference.rounds}
    return _mean([each.verdicts.swarm - theirs[each.number] for each in run.rounds if each.number in theirs])


def _mean(apart: Sequence[float]) -> Estimate:
    mean = math.fsum(apart) / max(1, len(apart))
    reach = Z_95 * math.sqrt(math.fsum((each - mean) ** 2 for each in apart)) / max(1, len(apart))
    return Estimate(mean, mean - reach, mean + reach)


def percentile(values: Iterable[int], share: float) -> int | None:
    """Return the smallest value that at least this share of the values does not exceed; None without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def answer_times_ms(run: Run) -> list[int]:
    """Return the times at which users got their answers, in ms after their query."""
    return [each.answered_ms for each in run.rounds if each.answered_ms is not None]


def per_member(run: Run, total: int) -> float:
    """Return a cost per member and round. In one shard all nodes are members; in many, each round has its own."""
    return total / max(1, sum(each.members for each in run.rounds))


def measures(run: Run) -> dict[str, str]:
    """Return the figures of a world for tables, by column. Those that the layer does not have are empty."""
    summary = run.summary()
    found = {name: str(summary[key]) for name, key in
             (("rounds", "rounds"), ("decided", "decided"), ("degraded", "degraded"), ("failed", "failed"),
              ("no outcome", "no_outcome"))}  # fmt: skip
    for method, name in METHODS.items():
        if method not in summary["accuracy"]:
            found[f"{name} (%)"] = ""
            continue
        share = accuracy(run, method)
        found[f"{name} (%)"] = f"{100 * share.value:.1f} ({100 * share.low:.0f}–{100 * share.high:.0f})"
    if run.rounds:
        method, loss = largest_loss(run)
        found["loss to best other (points)"] = f"{100 * loss.value:+.1f} (≤ {100 * loss.high:+.1f}) {METHODS[method]}"
    asked = any(each.consensual is not None for each in run.rounds)
    for probability, name in (("p_best", "ECE of P(best)"), ("p_correct", "ECE of P(correct)")):
        found[name] = f"{summary['ece'][probability]:.3f}" if asked else ""
    found["comparisons"] = f"{summary['comparisons_per_node']:.2f}"
    found["tests"] = f"{summary['tests_per_node']:.2f}" if summary["tests_per_node"] else ""
    found["messages"] = f"{per_member(run, run.messages):,.0f}" if run.messages else ""
    found["traffic (kB)"] = f"{per_member(run, run.bytes) / 1000:,.1f}" if run.bytes else ""
    minutes = run.nodes * run.virtual_ms / 60_000
    found["offer packets"] = f"{run.standing_messages / minutes:,.0f}" if minutes else ""
    times_ms = answer_times_ms(run)
    for name, part in (("median latency (s)", 0.5), ("p95 latency (s)", 0.95)):
        at_ms = percentile(times_ms, part)
        found[name] = "" if at_ms is None else f"{at_ms / 1000:.1f}"
    found["safety violations"] = str(len(run.violations))
    return found


@dataclass(frozen=True, slots=True)
class StudyTable:
    """A study as texts: one row for each world."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    common: Mapping[str, str]
    """Columns with the same value for every world, which therefore stand beside the table."""

    def shown(self) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        """Return head and rows for display: a single world is transposed, without a head."""
        if len(self.rows) != 1:
            return self.head, self.rows
        return ("", ""), list(zip(self.head, self.rows[0], strict=True))


def table(study: Study) -> StudyTable:
    """Return for each world its point, then its non-empty measures."""
    settings = list(study.cells[0].point)
    found = [measures(cell.run) | _against(study, cell) for cell in study]
    said = [name for name in found[0] if any(each[name] for each in found)]
    common = {name: found[0][name] for name in said if settings and len({each[name] for each in found}) == 1}
    columns = [name for name in said if name not in common]
    rows = [
        [*(value_text(cell.point[name]) for name in settings), *(each[name] for name in columns)]
        for cell, each in zip(study, found, strict=True)
    ]
    return StudyTable([*settings, *columns], rows, common)


def _against(study: Study, cell: Cell) -> dict[str, str]:
    """Return the world's gain over the first one that differs from it in the study's setting alone."""
    if not study.against:
        return {}

    def rest(point: Mapping[str, Any]) -> dict[str, Any]:
        return {setting: value for setting, value in point.items() if setting != study.against}

    first = next(each for each in study if rest(each.point) == rest(cell.point))
    value = value_text(first.point[study.against]) or "none"
    name = f"gain over {study.against} {value} (points)"
    if first is cell:
        return {name: ""}
    found = gain(cell.run, first.run)
    return {name: f"{100 * found.value:+.2f} ({100 * found.low:+.2f} to {100 * found.high:+.2f})"}


def value_text(value: Any) -> str:
    """Return a setting's value for display; empty if the setting has no meaning in its world."""
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def results(study: Study) -> dict[str, Any]:
    """Return the object that `strand sim --json` prints for a study."""
    return {
        "name": study.name,
        "ece": {name: calibration_error(study.told(name)) for name in ("p_best", "p_correct")},
        "cells": [
            {"point": dict(cell.point), **cell.run.summary(), "learning_curve": cell.run.learning_curve()}
            for cell in study
        ],
    }


# The command that repeats a study.


def repeat_command(scenario: Scenario, *, real: bool = False) -> str:
    """Return the command that makes the same world or study, with all settings that differ from the defaults."""
    words = ["strand", "sim", *(("--real",) if real else ())]
    for setting, value in changed(scenario):
        if setting in FLAGS:
            words += [FLAGS[setting], str(value)]
        elif setting == "byzantine":
            words += [word for kind, share in value.items() for word in ("--byzantine", f"{kind}={share}")]
        elif setting == "faults.partitions":
            words += [
                word for cut in value for word in ("--partition", f"{cut['from_ms']}-{cut['until_ms']}:{cut['share']}")
            ]
        else:
            words += ["--set", f"{setting}={_toml(value)}"]
    return shlex.join(words)


def changed(scenario: Scenario) -> Iterator[tuple[str, Any]]:
    """Yield settings that differ from the defaults, by dotted name, as plain values, without name and text."""
    for setting, value in _leaves(scenario, Scenario()):
        if setting == "vary":
            yield from ((f"vary.{varied}", values) for varied, values in value.items())
        elif setting not in ("name", "about"):
            yield setting, value


def _leaves(table: msgspec.Struct, default: msgspec.Struct, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in table.__struct_fields__:
        value, usual = getattr(table, name), getattr(default, name)
        if isinstance(value, msgspec.Struct):
            yield from _leaves(value, usual, f"{prefix}{name}.")
        elif value != usual:
            yield prefix + name, msgspec.to_builtins(value)


def _toml(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(name)} = {_toml(inner)}" for name, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case _:
            # JSON's strings, numbers and truth values are TOML's.
            return json.dumps(value, ensure_ascii=False)


def failing(scenario: Scenario, study: Study) -> Sequence[tuple[Scenario, Run]]:
    """Return the study's worlds with a broken safety rule, then those that only have rounds without outcome."""
    found = {_id(world): (world, cell.run) for (_, world), cell in zip(cells(scenario), study, strict=True)}
    wrong = [(world, run) for world, run in found.values() if run.violations or run.late]
    return sorted(wrong, key=lambda each: not each[1].violations)


def late_share(study: Study) -> float:
    """Return the share of all rounds that had no outcome by their deadline."""
    return sum(len(run.late) for run in study.runs) / max(1, sum(len(run.rounds) for run in study.runs))
