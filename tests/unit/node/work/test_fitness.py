"""Roles that the engine is good for: by trial, and by what came of the last rounds."""

import pytest
import structlog
from trio.testing import MockClock

from node.inference import EngineInfo, JudgingMethod
from node.work.fitness import FAILED_ROUNDS_MAX, RETRIALS_S, Fitness
from protocol.types import Role

BOTH = Role.ANSWER | Role.JUDGE
INFO = EngineInfo("openai", "m", 4096, 10.0, JudgingMethod.CHAT)
MUTE = EngineInfo("openai", "m", 4096, 10.0, JudgingMethod.NONE)


def test_roles_are_what_a_probe_saw() -> None:
    assert [Fitness().roles(info) for info in (None, INFO, MUTE)] == [Role(0), BOTH, Role.ANSWER]


@pytest.mark.parametrize(("role", "left"), [(Role.ANSWER, Role.JUDGE), (Role.JUDGE, Role.ANSWER)])
async def test_a_role_that_fails_in_a_row_is_withdrawn_until_a_probe_passes_again(
    mock_clock: MockClock, role: Role, left: Role
) -> None:
    fitness = Fitness()
    with structlog.testing.capture_logs() as logs:
        for number in range(FAILED_ROUNDS_MAX):
            assert fitness.roles(INFO) == BOTH
            assert fitness.withdrawn.count == 0
            fitness.failed(role, "ab" * 32, f"reason {number}")
    assert fitness.withdrawn.count == 1
    assert [each["event"] for each in logs] == ["round.abstained"] * FAILED_ROUNDS_MAX + ["role.withdrawn"]
    assert fitness.roles(INFO) == left
    assert not fitness.retrial_is_due
    mock_clock.jump(RETRIALS_S.first)
    assert fitness.retrial_is_due
    fitness.restore()
    assert (fitness.roles(INFO), fitness.retrial_is_due) == (BOTH, False)
    record = fitness.records[role]
    assert (record.failed, record.in_a_row, record.reason) == (FAILED_ROUNDS_MAX, 0, "reason 2")


def test_a_round_that_succeeds_begins_the_count_anew() -> None:
    fitness = Fitness()
    for _ in range(2 * FAILED_ROUNDS_MAX):
        fitness.failed(Role.JUDGE, "ab" * 32, "why")
        fitness.succeeded(Role.JUDGE)
    assert fitness.roles(INFO) == BOTH
    assert fitness.records[Role.JUDGE].failed == 2 * FAILED_ROUNDS_MAX


async def test_a_role_that_fails_after_each_retrial_is_tried_less_and_less_often(mock_clock: MockClock) -> None:
    """A probe may find well what fails in rounds: a server that writes nothing but says that it wrote."""
    fitness = Fitness()
    for doublings in (0, 1, 2, *[7] * 2):
        fitness.records[Role.ANSWER].withdrawals = doublings
        for _ in range(FAILED_ROUNDS_MAX):
            fitness.failed(Role.ANSWER, "ab" * 32, "why")
        mock_clock.jump(RETRIALS_S.first * 2**doublings - 1)
        assert not fitness.retrial_is_due
        mock_clock.jump(1)
        assert fitness.retrial_is_due
        fitness.restore()
    fitness.succeeded(Role.ANSWER)
    assert fitness.records[Role.ANSWER].withdrawals == 0


async def test_a_retrial_of_one_role_is_none_of_the_other(mock_clock: MockClock) -> None:
    fitness = Fitness()
    for role, after_s in ((Role.ANSWER, 10), (Role.JUDGE, RETRIALS_S.first - 10)):
        for _ in range(FAILED_ROUNDS_MAX):
            fitness.failed(role, "ab" * 32, "why")
        mock_clock.jump(after_s)
    fitness.restore()
    assert fitness.roles(INFO) == Role.ANSWER
