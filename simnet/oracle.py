"""Questions, answers and judgements whose truth is known: what the nodes' models would write and prefer.

A model has a skill; it answers right with the probability that item response theory gives it (Rasch 1960). Wrong
answers gather on shared misconceptions. A judge sees what appeals to all judges, shared errors included, through its
own sharpness, leans to the answer shown first and to those that say what it would have said itself, and sometimes slips
(Bradley and Terry 1952, with Davidson and Beaver's order effect, 1977). configs/presets.toml says how much of each.

Every draw is keyed by what it is for, so that both layers see the same answers and judgements in whatever order they
ask.
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
"""questions whose attributes are remembered: more than there are shards with a round at one time."""

ANSWERS_KEPT = 2
"""answers remembered for each node: the present round's, and for stragglers the one before."""

LOG_ODDS_MAX = 30.0
"""log-odds at which a preference is as good as certain; beyond it `exp` could only overflow."""

_HEAD: Final = re.compile(r"(?:Node ([0-9]{1,9})|Voice ([a-z0-9-]{1,40})) on question ([0-9]{1,9}):")
_QUESTION: Final = re.compile(r"Question ([0-9]{1,9}):")
_FILLER: Final = " so it follows that"

Scale = Annotated[float, msgspec.Meta(ge=0.0, le=10.0)]
Mean = Annotated[float, msgspec.Meta(ge=-10.0, le=10.0)]
Probability = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who knows what and who judges how well. Means and spreads are in log-odds unless they say otherwise."""

    task: TaskType
    """`final`: one of some options is right. `open`: every answer differs; some are better. `code` is not simulated."""
    answer_bytes: Annotated[int, msgspec.Meta(ge=128, le=4_096)]
    """Length of an answer's text: what travels, is hashed and brought into canonical form."""

    skill_spread: Scale
    """Standard deviation of the models' skill, whose mean is 0."""
    options: Annotated[int, msgspec.Meta(ge=1, le=26)] = 1
    """Final tasks: how many there are, the right one among them."""
    difficulty_mean: Mean = 0.0
    """Final tasks: a model of skill s answers right with probability σ(s − difficulty)."""
    difficulty_spread: Scale = 0.0
    concentration: Scale = 0.0
    """Final tasks: Dirichlet parameter of each wrong option's share of the mistakes; below 1 one or two misconceptions
    have most of them."""

    margin: Mean
    """What judges see between a right and a wrong answer to a question of difficulty 0; in open tasks between what a
    model writes and an answer that is bad on purpose."""
    margin_slope: Mean = 0.0
    """Final tasks: how much of it each unit of difficulty takes away."""
    shared_error: Scale
    """Standard deviation of what all judges wrongly see in an option; in open tasks in a single answer."""
    style_spread: Scale
    """Standard deviation of the quality of one answer: how well it is written, in open tasks how good it is."""
    style_skill: Mean
    """How much of its quality comes with each unit of its author's skill."""

    sharpness_mean: Mean
    """Mean of the logarithm of a judge's sharpness, by which it multiplies what it sees."""
    sharpness_spread: Scale
    """Standard deviation of that logarithm."""
    sharpness_skill: Mean
    """How much of it comes with each unit of skill."""
    position_mean: Mean
    """Mean over judges of the lean to the answer shown first."""
    position_spread: Scale
    self_preference: Mean
    """Lean to an answer that says what the judge's own does."""
    noise: Scale
    """Scale of the logistic error of one judgement."""
    confidence: Annotated[float, msgspec.Meta(ge=0.01, le=100.0)]
    """What a judge's log-odds are multiplied by before it states them: 1 is calibrated for a judge without noise, 100
    states a plain choice."""
    slip: Probability
    """Share of judgements that do not depend on the answers."""


def presets_from(table: Mapping[str, Any]) -> dict[str, Preset]:
    """The parsed presets file: one table for each preset. Raises ScenarioError."""
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
    """What all judges wrongly see in each option."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer and its truth."""

    text: str
    option: int
    """What it says: 0 is right in final tasks; in open tasks each answer says something of its own."""
    quality: float
    """How good it is."""
    appeal: float
    """What it is to judges: its quality and the errors that they share."""
    right: bool
    """Final tasks only. An open answer is right among others, not by itself: see `baselines`."""


@dataclass(frozen=True, slots=True)
class _Traits:
    skill: float
    sharpness: float
    position: float


class Oracle:
    """What the models of a world's nodes would answer and prefer."""

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
        """The question of this number."""
        return self._question(number)

    def answer(self, question: SimQuestion, node: int) -> Candidate:
        """What the node's own model writes."""
        return self._answer(question.number, node)

    def wrong(self, question: SimQuestion, label: str) -> Candidate:
        """A wrong answer, the same for all who use the label, [a-z0-9-]."""
        return self._wrong(question.number, label)

    def asked(self, text: str) -> SimQuestion:
        """The question of a query's text, which must be one of ours."""
        found = _QUESTION.match(text)
        if found is None:
            raise ValueError(f"no question of this world: {text[:40]!r}")
        return self.question(int(found[1]))

    def candidate(self, question: SimQuestion, text: str) -> Candidate | None:
        """What there is to know of a text that claims to answer the question; None if the oracle did not write it."""
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
        """The preference of an honest judge for the answer shown first, 0 to ONE."""
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
        """What these honest judges would say of all pairs of others' answers, each pair once, in an order by lot.

        The distribution is that of `preference`, with draws of its own: one judgement at a time would take a hundred
        times as long.

        Args:
            authors: node that gave each candidate.

        Returns:
            Shape (candidates, candidates): what the row won over the column, all judges together.
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
        """What an answer is to an honest judge who gives it one number for good, in log-odds.

        The difference of two answers' worths is distributed as what `preference` states of them before `confidence`
        makes it a statement: a logistic error is the difference of two Gumbel errors (McFadden 1974). Lost are the lean
        to the first position, slips, and errors drawn afresh for each pair: such a judge's preferences are transitive.
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
        """Log-odds of a right answer to a question of difficulty 0."""
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
    """What a node commits to. The token counts are fixed: they only inform, but stand under the commitment."""
    return AnswerContent(text=candidate.text, finish=FinishReason.STOP, prompt_tokens=32, answer_tokens=128)


def _mistake(question: SimQuestion, random: Random) -> int:
    """One of the options 1, 2, ..., by their shares of the mistakes."""
    lot = random.random()
    for option, share in enumerate(question.mistakes[:-1], start=1):
        if lot < share:
            return option
        lot -= share
    return len(question.mistakes)


def _logistic(random: Random) -> float:
    """A draw from the standard logistic distribution; 0 and 1 have no finite log-odds."""
    lot = random.random() or 0.5
    return math.log(lot / (1.0 - lot))


def _probability(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-LOG_ODDS_MAX, min(LOG_ODDS_MAX, log_odds))))
