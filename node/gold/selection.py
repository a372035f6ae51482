"""Keeps the mutants that are certainly wrong, and measures how hard each is to tell from the right program."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import trio

from node.findings.reading.grammar import parse
from node.gold.mutation import Mutant, Operator
from node.gold.ports import ProgramFindings, ProgramTest, ProgramTester, Visibility
from node.gold.variation import Exercise, signature
from protocol.types import CompileStatus

BATCH: Final = 6
"""Mutants that are tested at once, beside the right program: some 4 s of work on two cores. One whose loop does not
end costs 12 s of CPU time before its limits stop it, and the tester's time for a batch is limited."""

BLIND_MAX: Final = 2
"""Batches in a row in which the right program shows no behaviour: beyond that it has none that can be compared."""

MUTANTS_TRIED_MAX: Final = 48
"""Mutants of one exercise that are tested while too few were kept."""

SELECTION_S_MAX: Final = 180.0
"""Seconds for the mutants of one exercise; what was kept by then counts."""

EASY_SHARE: Final = 0.5
"""Share of inputs with another outcome from which a wrong program is easy to tell: one look at an example shows it."""

MEDIUM_SHARE: Final = 0.125
"""Share from which it is of medium difficulty: with fewer, eight examples may show nothing."""


@dataclass(frozen=True, slots=True)
class WrongProgram:
    """A program that certainly is wrong, made of a right one."""

    program: str
    operator: Operator
    share: float
    """Share of the compared inputs on which it behaves otherwise, above 0."""

    @property
    def visibility(self) -> Visibility:
        """Difficulty of telling it from the right one."""
        if self.share >= EASY_SHARE:
            return Visibility.EASY
        return Visibility.MEDIUM if self.share >= MEDIUM_SHARE else Visibility.HARD


@dataclass(frozen=True, slots=True)
class Selection:
    """Result of testing an exercise's mutants."""

    wrong: tuple[WrongProgram, ...] = ()
    tried: int = 0
    """Mutants that were tested beside a right program that shows a behaviour."""
    compiled: int = 0
    differing: int = 0
    """Mutants that compile without a warning of their own and behave otherwise."""


async def select(
    tester: ProgramTester, exercise: Exercise, candidates: Sequence[Mutant], seed: bytes, *, wanted: int
) -> Selection:
    """Test mutants in their order until `wanted` are kept, and return all that are.

    A mutant is kept if it compiles without more warnings than the right program (an unused variable would show which
    one was changed), ends and behaves otherwise on the same inputs, and fails a test. Inputs come first: a loop that
    does not end costs a quarter there of what it costs in tests. None is kept if the right program itself does not pass
    here, or shows no behaviour. Bounded by `MUTANTS_TRIED_MAX` and `SELECTION_S_MAX`.
    """
    kept = Selection()
    blind = 0
    with trio.move_on_after(SELECTION_S_MAX):
        for start in range(0, min(len(candidates), MUTANTS_TRIED_MAX), BATCH):
            batch = candidates[start : start + BATCH]
            observed = await _behaviours(tester, exercise, batch, seed)
            if observed is None:
                blind += 1
                if blind == BLIND_MAX:
                    break
                continue
            blind = 0
            right, *others = observed
            differing = [
                WrongProgram(mutant.program, mutant.operator, share)
                for mutant, seen in zip(batch, others, strict=True)
                if seen.status is CompileStatus.COMPILES
                and seen.warnings <= right.warnings
                and (share := _difference(right, seen))
            ]
            kept = Selection(
                wrong=(*kept.wrong, *await _failing(tester, exercise, differing, seed)),
                tried=kept.tried + len(batch),
                compiled=kept.compiled + sum(seen.status is CompileStatus.COMPILES for seen in others),
                differing=kept.differing + len(differing),
            )
            if len(kept.wrong) >= wanted:
                break
    return kept


async def _behaviours(
    tester: ProgramTester, exercise: Exercise, batch: Sequence[Mutant], seed: bytes
) -> Sequence[ProgramFindings] | None:
    """Run the right program and mutants on the same inputs; None: nothing is seen of the right one."""
    programs = [_driven(exercise, text) for text in (exercise.program, *(each.program for each in batch))]
    observed = await tester.test(ProgramTest(_shown(exercise), "", seed), programs)
    return observed if any(observed[0].outcomes) else None


async def _failing(
    tester: ProgramTester, exercise: Exercise, differing: Sequence[WrongProgram], seed: bytes
) -> Sequence[WrongProgram]:
    """Return those of which a test says that they are wrong, provided that the right program passes beside them."""
    if not differing:
        return ()
    test = ProgramTest(exercise.prompt, exercise.tests, seed, behaviour=False)
    programs = [exercise.program, *(each.program for each in differing)]
    right, *others = await tester.test(test, programs)
    return [wrong for wrong, seen in zip(differing, others, strict=True) if right.is_right and seen.is_wrong]


def _shown(exercise: Exercise) -> str:
    """Return the prompt with the function whose behaviour counts first: the driver, where there is one."""
    tree = parse(exercise.driver) if exercise.driver else None
    return exercise.prompt if tree is None else f"Write `{signature(tree)}`.\n\n{exercise.prompt}"


def _driven(exercise: Exercise, program: str) -> str:
    return f"{program}\n{exercise.driver}" if exercise.driver else program


def _difference(right: ProgramFindings, other: ProgramFindings) -> float:
    """Return the share of inputs with another outcome; 0 also if the other has none where the right program has one."""
    both = [(one, two) for one, two in zip(right.outcomes, other.outcomes, strict=False) if one]
    if not both or not all(two for _, two in both) or len(right.outcomes) != len(other.outcomes):
        return 0.0
    return sum(one != two for one, two in both) / len(both)
