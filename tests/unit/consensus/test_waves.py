import pytest

from consensus.learning.waves import MODELS, wave_plan
from protocol.types import TaskType


@pytest.mark.parametrize(
    ("task", "pairs", "waves_max", "plan"),
    [
        (TaskType.FINAL, 3, 4, (1, 1, 1)),
        (TaskType.CODE, 5, 4, (1, 1, 3)),
        (TaskType.FINAL, 3, 2, (1, 2)),
        (TaskType.FINAL, 1, 4, (1,)),
        (TaskType.FINAL, 3, 1, (3,)),
        (TaskType.OPEN, 3, 4, (1, 1, 1)),
        (TaskType.OPEN, 4, 8, (1, 1, 1, 1)),
        (TaskType.OPEN, 7, 4, (1, 2, 2, 2)),
        (TaskType.OPEN, 3, 2, (1, 2)),
    ],
)
def test_a_plan_spends_its_pairs(task: TaskType, pairs: int, waves_max: int, plan: tuple[int, ...]) -> None:
    assert wave_plan(task, pairs, waves_max) == plan


def test_votes_say_nothing_in_open_tasks() -> None:
    assert MODELS[TaskType.OPEN].beta == 0.0 < MODELS[TaskType.FINAL].beta == MODELS[TaskType.CODE].beta
