"""What a round asks for where nobody says otherwise: the prior and the wave plan, by task type."""

from collections.abc import Mapping

from consensus.ranking.bradley_terry import PriorParameters
from protocol.types import TaskType

MODELS: Mapping[TaskType, PriorParameters] = {
    TaskType.CODE: PriorParameters(),
    TaskType.FINAL: PriorParameters(),
    # Honest open answers differ and colluders' are identical, so their number says nothing.
    TaskType.OPEN: PriorParameters(beta=0.0),
}
"""Defaults until gold says otherwise."""

PAIRS = 3
"""pairs for each judge of a round, all waves together: beyond five more hardly help."""

_WAVES: Mapping[TaskType, int] = {TaskType.CODE: 3, TaskType.FINAL: 3, TaskType.OPEN: 4}
"""Waves of a plan with enough pairs. Few clusters are told apart by two or three, of which most rounds need one; many
single answers need more rounds of doubt."""


def wave_plan(task: TaskType, pairs: int, waves_max: int) -> tuple[int, ...]:
    """Pairs for each judge, wave by wave, `pairs` in all: as few as can be before the first look at P(best).

    The first wave says where the doubt is, later ones ask there; what is left over goes to the last ones.
    """
    waves = max(1, min(_WAVES[task], pairs, waves_max))
    if task is TaskType.OPEN:
        each, over = divmod(pairs, waves)
        return tuple(each + (wave >= waves - over) for wave in range(waves))
    return (*(1 for _ in range(waves - 1)), pairs - waves + 1)
