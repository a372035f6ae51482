"""The sizes of the effects that simulated models show: one frozen table for each preset of configs/presets.toml."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from protocol.types import TaskType
from simnet.scenario import ScenarioError

Scale = Annotated[float, msgspec.Meta(ge=0.0, le=10.0)]
Mean = Annotated[float, msgspec.Meta(ge=-10.0, le=10.0)]
Probability = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Distribution of the models' knowledge and judging. Means and spreads are in log-odds unless stated otherwise."""

    task: TaskType
    """`final`: one of some options is right. `open`: every answer differs; some are better. `code`: programs, which
    may not compile, and of which one behaviour is right."""
    answer_bytes: Annotated[int, msgspec.Meta(ge=128, le=4_096)]
    """Length of an answer's text, which is sent, hashed and brought into canonical form."""

    skill_spread: Scale
    """Standard deviation of the models' skill, whose mean is 0."""
    options: Annotated[int, msgspec.Meta(ge=1, le=26)] = 1
    """Final and code tasks: number of options, the right one among them."""
    difficulty_mean: Mean = 0.0
    """Final and code tasks: a model of skill s answers right with probability σ(s − difficulty)."""
    difficulty_spread: Scale = 0.0
    concentration: Scale = 0.0
    """Final and code tasks: Dirichlet parameter of each wrong option's share of the mistakes; below 1 one or two
    misconceptions have most of them."""

    compile_mean: Mean = 0.0
    """Code tasks: a model of skill s writes a program that compiles with probability σ(s + e), where the question's
    ease e has this mean at the mean difficulty."""
    compile_slope: Mean = 0.0
    """Decrease of the ease per unit of difficulty."""
    compile_spread: Scale = 0.0
    """Standard deviation of the ease around that."""
    alone: Probability = 0.0
    """Code tasks: share of the wrong programs that behave like no other."""
    split: Probability = 0.0
    """Code tasks: share of questions on which right programs do not all behave alike."""
    minor: Probability = 0.0
    """Code tasks: share of the right programs that behave in the second of two ways there."""
    idiom: Probability = 0.0
    """Code tasks: share of the programs that compile whose text is the usual one for their behaviour; all other texts
    differ."""
    testable: Probability = 0.0
    """Code tasks: share of questions whose programs can be run on inputs drawn from the signature."""
    flake: Probability = 0.0
    """Code tasks: chance that a test of an answer brings no information, as where time runs out."""
    broken_margin: Mean = 0.0
    """Code tasks: what a program that does not compile loses in the judges' view."""

    margin: Mean
    """Difference that judges see between a right and a wrong answer to a question of difficulty 0; in open tasks
    between a model's answer and one that is bad on purpose."""
    margin_slope: Mean = 0.0
    """Final and code tasks: decrease of the margin per unit of difficulty."""
    shared_error: Scale
    """Standard deviation of the error that all judges share about an option; in open tasks about a single answer."""
    style_spread: Scale
    """Standard deviation of one answer's quality: its style, in open tasks its merit."""
    style_skill: Mean
    """Quality gained per unit of its author's skill."""

    sharpness_mean: Mean
    """Mean of the logarithm of a judge's sharpness, the factor on the differences that it sees."""
    sharpness_spread: Scale
    """Standard deviation of that logarithm."""
    sharpness_skill: Mean
    """Increase of that logarithm per unit of skill."""
    position_mean: Mean
    """Mean over judges of the lean to the answer shown first."""
    position_spread: Scale
    self_preference: Mean
    """Lean to an answer equal to the judge's own."""
    noise: Scale
    """Scale of the logistic error of one judgement."""
    confidence: Annotated[float, msgspec.Meta(ge=0.01, le=100.0)]
    """Factor on a judge's log-odds before it states them: 1 is calibrated for a judge without noise, 100 states a plain
    choice."""
    slip: Probability
    """Share of judgements that do not depend on the answers."""


_OF_OPTIONS = ("difficulty_mean", "difficulty_spread", "concentration", "margin_slope")
_OF_CODE = (
    "compile_mean",
    "compile_slope",
    "compile_spread",
    "alone",
    "split",
    "minor",
    "idiom",
    "testable",
    "flake",
    "broken_margin",
)


def presets_from(table: Mapping[str, Any]) -> dict[str, Preset]:
    """Build presets from the parsed file: one table for each preset. Raises ScenarioError."""
    presets = {}
    for name, values in table.items():
        try:
            preset = msgspec.convert(values, Preset, strict=True)
        except msgspec.ValidationError as error:
            raise ScenarioError(f"preset {name}: {error}") from None
        if fault := _check(preset):
            raise ScenarioError(f"preset {name}: {fault}")
        presets[name] = preset
    return presets


def _check(preset: Preset) -> str | None:
    if preset.task is not TaskType.CODE and any(getattr(preset, name) for name in _OF_CODE):
        return f"only code has {', '.join(_OF_CODE)}"
    if preset.task is TaskType.OPEN:
        has_options = preset.options != 1 or any(getattr(preset, name) for name in _OF_OPTIONS)
        return "an open task has neither options nor difficulty" if has_options else None
    if preset.options < 2:
        return f"a {preset.task} task has at least two options"
    return None if preset.concentration else f"a {preset.task} task needs the concentration of its mistakes"
