"""Questions, answers and judgements with known truth: the output of the nodes' models.

A model has a skill; it answers right with the probability that item response theory gives it (Rasch 1960). Wrong
answers gather on shared misconceptions. A judge sees an answer's appeal to all judges, shared errors included, through
its own sharpness, leans to the answer shown first and to answers equal to its own, and sometimes slips (Bradley and
Terry 1952, with Davidson and Beaver's order effect, 1977). configs/presets.toml sets the size of each effect
(`preset`). Answers to code tasks are programs (`programs`).

Every draw is keyed by its purpose, so that both layers see the same answers and judgements in any order.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Final

import numpy as np
import numpy.typing as npt

from protocol.messages import AnswerContent
from protocol.types import ONE, FindingKind, FinishReason, TaskType
from simnet.chance import chance
from simnet.preset import Preset
from simnet.programs import RIGHT, HonestTesters, Program, source_of

FloatArray = npt.NDArray[np.float64]

QUESTIONS_KEPT = 1_024
"""Questions whose attributes are cached: more than there are shards with a round at one time."""

ANSWERS_KEPT = 2
"""Answers cached for each node: the present round's, and for stragglers the one before."""

LOG_ODDS_MAX = 30.0
"""Log-odds at which a preference is practically certain; beyond it `exp` could only overflow."""

_HEAD: Final = re.compile(r"(?:Node ([0-9]{1,9})|Voice ([a-z0-9.-]{1,40})) on question ([0-9]{1,9}):")
_QUESTION: Final = re.compile(r"Question ([0-9]{1,9}):")
_FILLER: Final = " so it follows that"


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
    compile_ease: float = 0.0
    """Code tasks: log-odds with which a model of skill 0 writes a program that compiles."""
    splits: bool = False
    """Whether right programs behave in two ways."""
    testable: bool = False
    """Whether programs can be run."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer and its truth."""

    text: str
    option: int
    """The option that it states: 0 is right in final tasks; in open tasks each answer has one of its own. Programs of
    one option behave alike."""
    quality: float
    """Its quality."""
    appeal: float
    """Its appeal to judges: its quality and the errors that they share."""
    right: bool
    """Not in open tasks, where an answer is right among others, not by itself: see `baselines`."""
    program: Program | None = None
    """Code tasks only."""


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
        """Return a wrong answer, the same for every use of the label, [a-z0-9-].

        Labels that are equal up to a full stop state the same in different words: "ring.3" and "ring.7".
        """
        return self._wrong(question.number, label)

    def honest_testers(self, question: SimQuestion, kinds: FindingKind, key: bytes) -> HonestTesters:
        """Return the honest testers of a round; `key` is its seed."""
        return HonestTesters(self.seed, question.number, question.testable, self.preset.flake, kinds, key)

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
        if preset.task is TaskType.CODE:
            text = f"Question {number}: which program does it?"
        else:
            text = f"Question {number}: which of {preset.options} holds?"
        difficulty = random.gauss(preset.difficulty_mean, preset.difficulty_spread)
        errors = tuple(random.gauss(0.0, preset.shared_error) for _ in range(preset.options))
        # A tiny concentration can underflow to 0 for every option; then the first has all mistakes.
        sizes = [random.gammavariate(preset.concentration, 1.0) for _ in range(preset.options - 1)]
        total = sum(sizes) or 1.0
        mistakes = tuple(size / total for size in sizes)
        if preset.task is TaskType.FINAL:
            return SimQuestion(number, preset.task, text, difficulty, mistakes, errors)
        compile_mean = preset.compile_mean - preset.compile_slope * (difficulty - preset.difficulty_mean)
        return SimQuestion(
            number,
            preset.task,
            text,
            difficulty,
            mistakes,
            errors,
            compile_ease=random.gauss(compile_mean, preset.compile_spread),
            splits=random.random() < preset.split,
            testable=random.random() < preset.testable,
        )

    def _draw_answer(self, number: int, node: int) -> Candidate:
        question, random = self.question(number), chance(self.seed, "answer", number, node)
        skill, name = self._traits[node].skill, f"Node {node}"
        if question.task is TaskType.OPEN:
            return self._write(question, name, node, skill, random)
        right = random.random() < _probability(skill - question.difficulty)
        mistake = _mistake(question, random)
        if question.task is TaskType.FINAL:
            return self._write(question, name, RIGHT if right else mistake, skill, random)
        compiles = random.random() < _probability(question.compile_ease + skill)
        is_minor, is_alone, is_usual = (
            random.random() < share for share in (self.preset.minor, self.preset.alone, self.preset.idiom)
        )
        if right:
            option = self.preset.options if question.splits and is_minor else RIGHT
        else:
            option = self.preset.options + 1 + node if is_alone else mistake
        source = source_of(option, "usual" if is_usual and compiles else name, compiles=compiles)
        return self._write(
            question, name, option, skill, random, Program(option, compiles, source, is_right=right and compiles)
        )

    def _draw_wrong(self, number: int, label: str) -> Candidate:
        question, random = self.question(number), chance(self.seed, "wrong", number, label)
        name = f"Voice {label}"
        if question.task is TaskType.OPEN:
            # In open tasks the options below the number of nodes are the nodes' own.
            return self._write(question, name, self.nodes + random.getrandbits(32), 0.0, random)
        stem, _, words = label.partition(".")
        stated = random if not words else chance(self.seed, "wrong", number, stem)
        option = _mistake(question, stated)
        program = None
        if question.task is TaskType.CODE:
            program = Program(option, True, source_of(option, name, compiles=True), is_right=False)
        return self._write(question, name, option, 0.0, random, program)

    def _write(
        self,
        question: SimQuestion,
        author: str,
        option: int,
        skill: float,
        random: Random,
        program: Program | None = None,
    ) -> Candidate:
        preset = self.preset
        quality = random.gauss(0.0, preset.style_spread) + preset.style_skill * skill
        shown = preset.margin - preset.margin_slope * question.difficulty
        if program is not None:
            meant = option in (RIGHT, preset.options)
            right = program.is_right
            # Judges share an error about a right program of either kind, and about each common mistake.
            error = question.errors[option] if option < preset.options else question.errors[RIGHT] * meant
            quality += shown * meant - preset.broken_margin * (not program.compiles)
            tail = f"\n```rust\n{program.source}\n```"
        elif question.task is TaskType.FINAL:
            right, error, tail = option == RIGHT, question.errors[option], f"\nAnswer: {option}"
            quality += shown * right
        else:
            right, error, tail = False, random.gauss(0.0, preset.shared_error), "."
            quality += preset.margin * (option < self.nodes)
        head = f"{author} on question {question.number}:"
        room = preset.answer_bytes - len(head) - len(tail)
        text = head + (_FILLER * (room // len(_FILLER) + 1))[: max(0, room)] + tail
        return Candidate(text, option, quality, quality + error, right, program)


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
