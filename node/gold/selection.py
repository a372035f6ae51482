"""Keeps the mutants that are certainly wrong, and measures how hard each is to tell from the right program."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import trio

from node.findings.grammar import parse
from node.gold.mutation import Mutant, Operator
from node.gold.ports import Inspection, Observed, Verifier
from node.gold.variation import Exercise, signature
from protocol.types import CompileStatus

BATCH: Final = 4
"""Mutants that are inspected at once, beside the right program: some 4 s of work on two cores. One whose loop does not
end costs a minute before its limits stop it, so a larger batch could take longer than the tester gives it."""

MUTANTS_TRIED_MAX: Final = 48
"""Mutants of one exercise that are inspected while too few were kept."""

SELECTION_S_MAX: Final = 180.0
"""Seconds for the mutants of one exercise; what was kept by then counts."""

EASY_SHARE: Final = 0.5
"""Share of inputs with another outcome from which a wrong program is easy to tell: one look at an example shows it."""

MEDIUM_SHARE: Final = 0.125
"""Share from which it is of medium difficulty: with fewer, eight examples may show nothing."""


class Visibility(StrEnum):
    """How rarely a wrong program behaves otherwise than the right one: how hard it is to judge."""

    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"


@dataclass(frozen=True, slots=True)
class WrongProgram:
    """A program that certainly is wrong, made of a right one."""

    program: str
    operator: Operator
    share: float
    """Share of the compared inputs on which it behaves otherwise, above 0."""

    @property
    def visibility(self) -> Visibility:
        """How hard it is to tell from the right one."""
        if self.share >= EASY_SHARE:
            return Visibility.EASY
        return Visibility.MEDIUM if self.share >= MEDIUM_SHARE else Visibility.HARD


@dataclass(frozen=True, slots=True)
class Selection:
    """What came of an exercise's mutants."""

    wrong: tuple[WrongProgram, ...] = ()
    tried: int = 0
    """Mutants that were inspected beside a right program that passed."""
    compiled: int = 0
    failed_tests: int = 0
    """Mutants that compile, and of which a test says that they are wrong."""


async def select(
    verifier: Verifier, exercise: Exercise, candidates: Sequence[Mutant], seed: bytes, *, wanted: int
) -> Selection:
    """Inspect mutants in their order until `wanted` are kept, and return all that are.

    A mutant is kept if it compiles without more warnings than the right program (an unused variable would show which
    one was changed), fails a test, and behaves otherwise on an input. None is kept if the right program itself does not
    pass here, or shows no behaviour. Bounded by `MUTANTS_TRIED_MAX` and `SELECTION_S_MAX`.
    """
    inspection = Inspection(_shown(exercise), exercise.tests, seed)
    kept = Selection()
    with trio.move_on_after(SELECTION_S_MAX):
        for start in range(0, min(len(candidates), MUTANTS_TRIED_MAX), BATCH):
            batch = candidates[start : start + BATCH]
            programs = [_driven(exercise, text) for text in (exercise.program, *(each.program for each in batch))]
            right, *others = await verifier.inspect(inspection, programs)
            if right.is_wrong or (right.is_right and not any(right.outcomes)):
                break
            if right.is_right:
                kept = _with_batch(kept, batch, right, others)
            if len(kept.wrong) >= wanted:
                break
    return kept


def _with_batch(kept: Selection, batch: Sequence[Mutant], right: Observed, others: Sequence[Observed]) -> Selection:
    """Return the selection with the mutants of one more batch."""
    compiled = [seen.status is CompileStatus.COMPILES for seen in others]
    failed = [compiles and seen.is_wrong for compiles, seen in zip(compiled, others, strict=True)]
    wrong = [
        WrongProgram(mutant.program, mutant.operator, share)
        for mutant, fails, seen in zip(batch, failed, others, strict=True)
        if fails and seen.warnings <= right.warnings and (share := _difference(right, seen))
    ]
    return Selection(
        wrong=(*kept.wrong, *wrong),
        tried=kept.tried + len(batch),
        compiled=kept.compiled + sum(compiled),
        failed_tests=kept.failed_tests + sum(failed),
    )


def _shown(exercise: Exercise) -> str:
    """Return the prompt with the function whose behaviour counts first: the driver, where there is one."""
    tree = parse(exercise.driver) if exercise.driver else None
    return exercise.prompt if tree is None else f"Write `{signature(tree)}`.\n\n{exercise.prompt}"


def _driven(exercise: Exercise, program: str) -> str:
    return f"{program}\n{exercise.driver}" if exercise.driver else program


def _difference(right: Observed, other: Observed) -> float:
    """Return the share of inputs with different outcomes, of those on which both have one."""
    both = [(one, two) for one, two in zip(right.outcomes, other.outcomes, strict=False) if one and two]
    return sum(one != two for one, two in both) / len(both) if both else 0.0
