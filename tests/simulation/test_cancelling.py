"""R16 in whole worlds: askers that go away, with everything else going wrong, and askers that lie about it."""

from consensus.rounds.effects import Ending
from protocol.types import Kind, Outcome
from simnet.scenario import scenario_from
from tests.simulation.worlds import hostile, simulate

SEEDS = 6
"""worlds of each kind."""


def test_rounds_that_are_cancelled_at_any_moment_break_no_rule() -> None:
    """Members crash, links lose packets, and half of the rounds are cancelled within eight seconds."""
    endings: dict[str, int] = {}
    for seed in range(SEEDS):
        world = simulate(hostile(seed, rounds=4, round={"cancel": 0.5}))
        assert not world.findings, world.complaint
        for each in world.run.rounds:
            endings[each.reason] = endings.get(each.reason, 0) + 1
        cancelled = sum(each.reason == Ending.CANCELLED for each in world.run.rounds)
        assert len(world.certificates) <= len(world.run.rounds) - cancelled
        assert not world.checkers.accused, "an honest cancel is no evidence against anybody"
    assert endings[Ending.CANCELLED] >= SEEDS, endings


def test_every_member_of_a_quiet_world_stops_and_frees_its_place_in_the_end() -> None:
    budgets = {"answer_ms": 5_000, "open_ms": 2_000, "judge_ms": 5_000, "cosign_ms": 2_000, "cancel": 1.0}
    world = simulate(scenario_from({"nodes": 6, "rounds": 3, "seed": 5, "round": budgets}))
    assert not world.findings, world.complaint
    cancelled = [each for each in world.run.rounds if each.reason == Ending.CANCELLED]
    assert cancelled and all(each.outcome == Outcome.FAILED for each in cancelled)
    stopped = len(world.notes(f"member {Ending.CANCELLED}"))
    assert stopped == sum(each.members for each in cancelled)
    assert 0 < len(world.notes("place freed")) <= stopped


def test_who_cancels_for_some_and_goes_on_with_others_is_found_out() -> None:
    """Beside the closing of commits, of the slate, of a wave or the tally."""
    tried = 0
    for seed in range(SEEDS):
        world = simulate(scenario_from({"nodes": 10, "rounds": 1, "seed": seed, "byzantine": {"canceller": 1.0}}))
        assert not world.findings, world.complaint
        slots = world.checkers.accused
        dishonest = {world.plan.key(node) for node in set(range(10)) - world.plan.honest}
        assert {slot.author for slot in slots} <= dishonest and {slot.kind for slot in slots} <= {Kind.CANCEL}
        assert not slots or not any(verified.full for verified in world.certificates), world.complaint
        tried += len(slots)
    assert tried == SEEDS, "each is found out"
