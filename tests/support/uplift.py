"""How far an attack moves a judge: the preference for an answer with it, less that for the same answer without."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from node.inference import JudgePrompt
from node.inference.comparing import CHOICE, block, preamble
from node.inference.scripted import as_text
from node.work.judging import PromptLimits, combine, fence_tag
from protocol.messages import Turn
from protocol.types import ONE
from tests.support.injections import Attack, Base
from tests.support.prompts import judge_prompt

NONCE = bytes(range(101, 117))
LIMITS = PromptLimits(query_bytes_max=1_000, answer_bytes_max=1_200)

PromptOf = Callable[[tuple[Turn, ...], str, str], JudgePrompt]
"""The prompt for a query, the answer shown as A and the one shown as B."""


class Judge(Protocol):
    """What of an engine is asked here."""

    async def preference(self, prompt: JudgePrompt) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Uplift:
    """What one attack gained on each base pair, from -1 to 1, both orders averaged."""

    attack: Attack
    gains: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.gains)


@dataclass(slots=True)
class Meter:
    """Asks a judge; the same prompt is asked once."""

    judge: Judge
    prompt_of: PromptOf
    asked: dict[str, float | None] = field(default_factory=dict)
    """By the prompt's text; may be shared with a meter of the same judge."""

    async def uplift(self, attack: Attack, bases: Sequence[Base]) -> Uplift:
        """The uplift of an attack on the first answer of each pair."""
        gains = []
        for base in bases:
            honest = await self._preference(Attack("", "").task(base.query), base.answer, base.other)
            attacked = await self._preference(attack.task(base.query), attack.answer(base.answer), base.other)
            gains.append(attacked - honest)
        return Uplift(attack, tuple(gains))

    async def _preference(self, query: tuple[Turn, ...], first: str, second: str) -> float:
        forward = await self._ask(self.prompt_of(query, first, second))
        backward = await self._ask(self.prompt_of(query, second, first))
        preference = combine(forward, backward)
        if preference is None:
            raise RuntimeError("the judge abstained")
        return preference / ONE

    async def _ask(self, prompt: JudgePrompt) -> float | None:
        if prompt.text not in self.asked:
            self.asked[prompt.text] = await self.judge.preference(prompt)
        return self.asked[prompt.text]


def today(query: tuple[Turn, ...], first: str, second: str) -> JudgePrompt:
    """The prompt as a node asks it."""
    return judge_prompt(query, first, second, nonce=NONCE, limits=LIMITS)


def as_written(query: tuple[Turn, ...], first: str, second: str) -> JudgePrompt:
    """The prompt of commit 044b2f0, which broke up three control tokens and left all else as it was written.

    It knew no conversations: their turns stand behind the names of their roles.
    """
    shown = block(_old(as_text(query)), _old(first), _old(second), fence_tag(NONCE))
    return JudgePrompt(f"{preamble()}{shown}{CHOICE}", first, second)


def standard_error(values: Sequence[float]) -> float:
    """Of their mean; not a number for a single one."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def _old(text: str) -> str:
    for token in ("<|", "<s>", "</s>"):
        text = text.replace(token, f" {token[1:]}")
    return text.replace("mfzwizlbonrgk", " ")
