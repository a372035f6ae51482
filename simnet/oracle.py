"""Questions, answers and judgements with known truth: the output of the nodes' models.

A model has a skill; it answers right with the probability that item response theory gives it (Rasch 1960). Wrong
answers gather on shared misconceptions. A judge sees an answer's appeal to all judges, shared errors included, through
its own sharpness, leans to the answer shown first and to answers equal to its own, and sometimes slips (Bradley and
Terry 1952, with Davidson and Beaver's order effect, 1977). configs/presets.toml sets the size of each effect.

Every draw is keyed by its purpose, so that both layers see the same answers and judgements in any order.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from protocol.messages import AnswerContent
from protocol.types import ONE, FinishReason, TaskType
from simnet.chance import chance
from simnet.scenario import ScenarioError

FloatArray = npt.NDArray[np.float64]

QUESTIONS_KEPT = 1_024
"""Questions whose attributes are cached: more than there are shards with a round at one time."""

ANSWERS_KEPT = 2
"""Answers cached for each node: the present round's, and for stragglers the one before."""

LOG_ODDS_MAX = 30.0
"""Log-odds at which a preference is practically certain; beyond it `exp` could only overflow."""

_HEAD: Final = re.compile(r"(?:Node ([0-9]{1,9})|Voice ([a-z0-9-]{1,40})) on question ([0-9]{1,9}):")
_QUESTION: Final = re.compile(r"Question ([0-9]{1,9}):")
_FILLER: Final = " so it follows that"

Scale = Annotated[float, msgspec.Meta(ge=0.0, le=10.0)]
Mean = Annotated[float, msgspec.Meta(ge=-10.0, le=10.0)]
Probability = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Distribution of the models' knowledge and judging. Means and spreads are in log-odds unless stated otherwise."""

    task: TaskType
    """`final`: one of some options is right. `open`: every answer differs; some are better. `code` is not simulated."""
    answer_bytes: Annotated[int, msgspec.Meta(ge=128, le=4_096)]
    """Length of an answer's text, which is sent, hashed and brought into canonical form."""

    skill_spread: Scale
    """Standard deviation of the models' skill, whose mean is 0."""
    options: Annotated[int, msgspec.Meta(ge=1, le=26)] = 1
    """Final tasks: number of options, the right one among them."""
    difficulty_mean: Mean = 0.0
    """Final tasks: a model of skill s answers right with probability σ(s − difficulty)."""
    difficulty_spread: Scale = 0.0
    concentration: Scale = 0.0
    """Final tasks: Dirichlet parameter of each wrong option's share of the mistakes; below 1 one or two misconceptions
    have most of them."""

    margin: Mean
    """Difference that judges see between a right and a wrong answer to a question of difficulty 0; in open tasks
    between a model's answer and one that is bad on purpose."""
    margin_slope: Mean = 0.0
    """Final tasks: decrease of the margin per unit of difficulty."""
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
    match preset.task:
        case TaskType.CODE:
            return "code is not simulated: its answers would have to be programs"
        case TaskType.FINAL:
            if preset.options < 2:
                return "a final task has at least two options"
            return None if preset.concentration else "a final task needs the concentration of its mistakes"
        case TaskType.OPEN:
            final = (preset.difficulty_mean, preset.difficulty_spread, preset.concentration, preset.margin_slope)
            return "an open task has neither options nor difficulty" if preset.options != 1 or any(final) else None


@dataclass(frozen=True, slots=True)
class SimQuestion:
    """One question. Option 0 is the right one; the tuples are empty for open tasks."""

    number: int
    task: TaskType
    text: str
    difficulty: float = 0.0
    mistakes: tuple[float, ...] = ()
    """Shares of the wrong options 1, 2, ... among the mistakes."""
    errors: tuple[float, ...] = ()
    """Errors that all judges share about each option."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer and its truth."""

    text: str
    option: int
    """The option that it states: 0 is right in final tasks; in open tasks each answer has one of its own."""
    quality: float
    """Its quality."""
    appeal: float
    """Its appeal to judges: its quality and the errors that they share."""
    right: bool
    """Final tasks only. An open answer is right among others, not by itself: see `baselines`."""


@dataclass(frozen=True, slots=True)
class _Traits:
    skill: float
    sharpness: float
    position: float


class Oracle:
    """Answers and preferences of the models of a world's nodes."""

    def __init__(self, preset: Preset, seed: int, nodes: int) -> None:
        self.preset = preset
        self.seed = seed
        self.nodes = nodes
        self._traits = tuple(self._draw_traits(node) for node in range(nodes))
        kept = max(256, ANSWERS_KEPT * nodes)
        self._question = lru_cache(QUESTIONS_KEPT)(self._draw_question)
        self._answer = lru_cache(kept)(self._draw_answer)
        self._wrong = lru_cache(kept)(self._draw_wrong)

    def question(self, number: int) -> SimQuestion:
        """Return the question of this number."""
        return self._question(number)

    def answer(self, question: SimQuestion, node: int) -> Candidate:
        """Return the answer of the node's own model."""
        return self._answer(question.number, node)

    def wrong(self, question: SimQuestion, label: str) -> Candidate:
        """Return a wrong answer, the same for every use of the label, [a-z0-9-]."""
        return self._wrong(question.number, label)

    def asked(self, text: str) -> SimQuestion:
        """Return the question of a query's text, which must be one of this world's."""
        found = _QUESTION.match(text)
        if found is None:
            raise ValueError(f"no question of this world: {text[:40]!r}")
        return self.question(int(found[1]))

    def candidate(self, question: SimQuestion, text: str) -> Candidate | None:
        """Return the answer with this text and its truth; None if the oracle did not write it."""
        head = _HEAD.match(text)
        if head is None:
            return None
        if head[2]:
            known = self.wrong(question, head[2])
        elif int(head[1]) < self.nodes:
            known = self.answer(question, int(head[1]))
        else:
            return None
        return known if known.text == text else None

    def preference(self, question: SimQuestion, judge: int, first: Candidate, second: Candidate) -> int:
        """Return an honest judge's preference for the answer shown first, 0 to ONE."""
        preset, traits = self.preset, self._traits[judge]
        random = chance(self.seed, "judgement", judge, question.number, first.text, second.text)
        log_odds = 0.0
        if random.random() >= preset.slip:
            own = self.answer(question, judge).option
            log_odds = traits.sharpness * (first.appeal - second.appeal) + traits.position
            log_odds += preset.self_preference * ((first.option == own) - (second.option == own))
        stated = preset.confidence * (log_odds + preset.noise * _logistic(random))
        return round(ONE * _probability(stated))

    def poll(
        self, question: SimQuestion, judges: Sequence[int], candidates: Sequence[Candidate], authors: Sequence[int]
    ) -> FloatArray:
        """Return the verdicts of these honest judges on all pairs of others' answers, each pair once, in random order.

        The distribution is that of `preference`, with draws of its own: one judgement at a time would take a hundred
        times as long.

        Args:
            question: the question that the candidates answer.
            judges: node numbers of the judges.
            candidates: the answers.
            authors: node that gave each candidate.

        Returns:
            Shape (candidates, candidates): wins of the row over the column, all judges together.
        """
        preset = self.preset
        random = np.random.default_rng(chance(self.seed, "poll", question.number).getrandbits(128))
        low, high = np.triu_indices(len(candidates), 1)
        appeal = np.array([candidate.appeal for candidate in candidates])
        option = np.array([candidate.option for candidate in candidates])
        author = np.array(authors)
        wins = np.zeros((len(candidates), len(candidates)))
        for judge in judges:
            traits, own = self._traits[judge], self.answer(question, judge).option
            slip, lot, order = random.random((3, len(low)))
            log_odds = traits.sharpness * (appeal[low] - appeal[high])
            log_odds += np.where(order < 0.5, traits.position, -traits.position)
            log_odds += preset.self_preference * ((option[low] == own) * 1.0 - (option[high] == own))
            log_odds = np.where(slip < preset.slip, 0.0, log_odds) + preset.noise * np.log(lot / (1.0 - lot))
            won = 1.0 / (1.0 + np.exp(-np.clip(preset.confidence * log_odds, -LOG_ODDS_MAX, LOG_ODDS_MAX)))
            others = (author[low] != judge) & (author[high] != judge)
            wins[low, high] += np.where(others, won, 0.0)
            wins[high, low] += np.where(others, 1.0 - won, 0.0)
        return wins

    def worth(self, question: SimQuestion, judge: int, candidate: Candidate) -> float:
        """Return the worth of an answer to an honest judge that gives each answer one number, in log-odds.

        The difference of two answers' worths has the distribution of `preference` before `confidence` scales it: a
        logistic error is the difference of two Gumbel errors (McFadden 1974). Lost are the lean to the first position,
        slips, and errors drawn afresh for each pair: such a judge's preferences are transitive.
        """
        preset = self.preset
        gumbel = -math.log(
            -math.log(chance(self.seed, "worth", judge, question.number, candidate.text).random() or 0.5)
        )
        agrees = candidate.option == self.answer(question, judge).option
        return (
            self._traits[judge].sharpness * candidate.appeal + preset.self_preference * agrees + preset.noise * gumbel
        )

    def skill(self, node: int) -> float:
        """Return the log-odds of a right answer to a question of difficulty 0."""
        return self._traits[node].skill

    def _draw_traits(self, node: int) -> _Traits:
        preset, random = self.preset, chance(self.seed, "traits", node)
        skill = random.gauss(0.0, preset.skill_spread)
        sharpness = random.gauss(preset.sharpness_mean, preset.sharpness_spread) + preset.sharpness_skill * skill
        return _Traits(skill, math.exp(sharpness), random.gauss(preset.position_mean, preset.position_spread))

    def _draw_question(self, number: int) -> SimQuestion:
        preset, random = self.preset, chance(self.seed, "question", number)
        if preset.task is TaskType.OPEN:
            return SimQuestion(number, preset.task, f"Question {number}: what would you do?")
        text = f"Question {number}: which of {preset.options} holds?"
        difficulty = random.gauss(preset.difficulty_mean, preset.difficulty_spread)
        errors = tuple(random.gauss(0.0, preset.shared_error) for _ in range(preset.options))
        # A tiny concentration can underflow to 0 for every option; then the first has all mistakes.
        sizes = [random.gammavariate(preset.concentration, 1.0) for _ in range(preset.options - 1)]
        total = sum(sizes) or 1.0
        return SimQuestion(number, preset.task, text, difficulty, tuple(size / total for size in sizes), errors)

    def _draw_answer(self, number: int, node: int) -> Candidate:
        question, random = self.question(number), chance(self.seed, "answer", number, node)
        skill = self._traits[node].skill
        option = node
        if question.task is TaskType.FINAL:
            right = random.random() < _probability(skill - question.difficulty)
            mistake = _mistake(question, random)
            option = 0 if right else mistake
        return self._write(question, f"Node {node}", option, skill, random)

    def _draw_wrong(self, number: int, label: str) -> Candidate:
        question, random = self.question(number), chance(self.seed, "wrong", number, label)
        # In open tasks the options below the number of nodes are the nodes' own.
        option = self.nodes + random.getrandbits(32)
        if question.task is TaskType.FINAL:
            option = _mistake(question, random)
        return self._write(question, f"Voice {label}", option, 0.0, random)

    def _write(self, question: SimQuestion, author: str, option: int, skill: float, random: Random) -> Candidate:
        preset = self.preset
        quality = random.gauss(0.0, preset.style_spread) + preset.style_skill * skill
        if question.task is TaskType.FINAL:
            right, error, tail = option == 0, question.errors[option], f"\nAnswer: {option}"
            quality += (preset.margin - preset.margin_slope * question.difficulty) * right
        else:
            right, error, tail = False, random.gauss(0.0, preset.shared_error), "."
            quality += preset.margin * (option < self.nodes)
        head = f"{author} on question {question.number}:"
        room = preset.answer_bytes - len(head) - len(tail)
        text = head + (_FILLER * (room // len(_FILLER) + 1))[: max(0, room)] + tail
        return Candidate(text, option, quality, quality + error, right)


def content_of(candidate: Candidate) -> AnswerContent:
    """Return the content that a node commits to.

    The token counts are fixed: they only inform, but are committed too.
    """
    return AnswerContent(text=candidate.text, finish=FinishReason.STOP, prompt_tokens=32, answer_tokens=128)


def _mistake(question: SimQuestion, random: Random) -> int:
    """Draw one of the options 1, 2, ..., by their shares of the mistakes."""
    lot = random.random()
    for option, share in enumerate(question.mistakes[:-1], start=1):
        if lot < share:
            return option
        lot -= share
    return len(question.mistakes)


def _logistic(random: Random) -> float:
    """Draw from the standard logistic distribution; 0 and 1 have no finite log-odds."""
    lot = random.random() or 0.5
    return math.log(lot / (1.0 - lot))


def _probability(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-LOG_ODDS_MAX, min(LOG_ODDS_MAX, log_odds))))
