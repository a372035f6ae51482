"""R2, R3, R12: who tells two halves two stories is found out; who restarts is never taken for such a one."""

from collections import Counter

from protocol.types import CONTRIBUTIONS, Kind
from simnet.scenario import Scenario, scenario_from
from tests.simulation import mutants
from tests.simulation.worlds import restarting, simulate

SEEDS = 6
"""worlds of each kind; `make test-soak` has thousands."""


def test_members_that_split_the_swarm_are_removed() -> None:
    """Three of ten sign two of each contribution and tell each half one of them; the requester is in either half."""
    tried: Counter[Kind] = Counter()
    for seed in range(SEEDS):
        world = simulate(_ten(seed, {"split-equivocator": 0.3}))
        assert not world.findings, world.complaint
        dishonest = {world.plan.key(node) for node in range(10) if node not in world.plan.honest}
        tried.update(slot.kind for slot in world.checkers.accused)
        assert {slot.author for slot in world.checkers.accused} == dishonest, "all, and nobody else"
        for verified in world.certificates:
            assert verified.record.removed == dishonest, "their first contradiction is listed in the slate"
            assert not dishonest & {message.author for message in (*verified.record.answers, *verified.record.ballots)}
            assert verified.full
        assert world.certificates, world.complaint
    assert set(tried) <= CONTRIBUTIONS and tried.total() == 3 * SEEDS, "each is accused once, of what came first"


def test_requesters_that_split_the_swarm_get_no_full_certificate() -> None:
    """Two closings for one slot: of commits, of the slate, of a wave or the tally."""
    tried: Counter[Kind] = Counter()
    for seed in range(SEEDS):
        world = simulate(_ten(seed, {"closing-equivocator": 1.0}))
        assert not world.findings, world.complaint
        slots = world.checkers.accused
        assert {slot.author for slot in slots} <= {world.plan.key(node) for node in set(range(10)) - world.plan.honest}
        tried.update(slot.kind for slot in slots)
        assert not slots or not any(verified.full for verified in world.certificates), world.complaint
    assert tried.total() == SEEDS, "each is found out"
    # Which of the last two it is, is decided by whether a second wave is worth holding.
    judged = tried.keys() & {Kind.CLOSE_WAVE, Kind.CLOSE_TALLY}
    assert judged and set(tried) == {Kind.CLOSE_COMMITS, Kind.CLOSE_SLATE} | judged, tried


def test_honest_nodes_that_restart_never_look_like_equivocators() -> None:
    restarts = repeated = 0
    for seed in range(2 * SEEDS):
        world = simulate(restarting(seed))
        assert not world.checkers.violations, world.complaint
        assert not world.checkers.accused, world.complaint
        restarts += len(world.notes("started"))
        contributions = Counter(
            (note.node, note.about) for note in world.trace.notes if note.what in ("contribute", "publish")
        )
        repeated += sum(times > 1 for times in contributions.values())
    assert restarts == 5 * 2 * SEEDS, "the worlds do restart"
    assert repeated >= 2 * SEEDS, "and what was said before is said again, byte for byte"


def test_who_forgets_its_journal_does_look_like_one() -> None:
    with mutants.forgets_its_journal():
        accused = [world.checkers.accused for world in map(simulate, map(restarting, range(0, 6, 2)))]
    assert any(accused)


def _ten(seed: int, byzantine: dict[str, float]) -> Scenario:
    return scenario_from({"nodes": 10, "rounds": 1, "seed": seed, "byzantine": byzantine})
