"""The default prior and wave plan of a round, by task type."""

from collections.abc import Mapping

from consensus.ranking.bradley_terry import PriorParameters
from protocol.types import TaskType

MODELS: Mapping[TaskType, PriorParameters] = {
    TaskType.CODE: PriorParameters(),
    TaskType.FINAL: PriorParameters(),
    # Honest open answers differ and colluders' are identical, so their number carries no information.
    TaskType.OPEN: PriorParameters(beta=0.0),
}
"""Default prior of each task, until gold changes it."""

PAIRS = 3
"""Pairs for each judge of a round, all waves together: beyond five more hardly help."""

FUTILITY = 0.005
"""Expected gain of a wave, in log-odds of strength, below which it is not held (rule R19). Measured on 1,200 rounds of
each preset: .005 costs no accuracy within half a point and a quarter to a third of the comparisons of final tasks; .02
costs open tasks 1.3 points."""

_WAVES: Mapping[TaskType, int] = {TaskType.CODE: 3, TaskType.FINAL: 3, TaskType.OPEN: 4}
"""Waves of a plan with enough pairs. Two or three waves separate few clusters, and most rounds need one; many single
answers need more adaptive waves."""


def wave_plan(task: TaskType, pairs: int, waves_max: int) -> tuple[int, ...]:
    """Return the pairs for each judge, wave by wave, `pairs` in all: as few as possible before the first P(best).

    The first wave shows where the doubt is, later ones ask there; the remainder goes to the last ones.
    """
    waves = max(1, min(_WAVES[task], pairs, waves_max))
    if task is TaskType.OPEN:
        each, over = divmod(pairs, waves)
        return tuple(each + (wave >= waves - over) for wave in range(waves))
    return (*(1 for _ in range(waves - 1)), pairs - waves + 1)
