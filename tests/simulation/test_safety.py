"""No rule breaks, and rounds end in time, whatever the network does and whoever lies. More seeds: `make test-soak`."""

from collections.abc import Callable, Iterable

import pytest

from simnet.scenario import Scenario
from simnet.study import LATE_MAX
from tests.simulation import mutants
from tests.simulation.worlds import dishonest, hostile, simulate


@pytest.mark.parametrize(("kind", "seeds"), [(hostile, range(30)), (dishonest, range(10))])
def test_no_rule_breaks_and_rounds_end_in_time(kind: Callable[[int], Scenario], seeds: Iterable[int]) -> None:
    unsafe: list[str] = []
    late: list[str] = []
    for seed in seeds:
        world = simulate(kind(seed))
        unsafe += [world.complaint] * bool(world.checkers.violations)
        late += [world.complaint] * bool(world.checkers.late)
    assert not unsafe, "\n".join(unsafe)
    assert len(late) <= LATE_MAX * len(list(seeds)), "\n".join(late)


def test_the_hostile_world_finds_out_who_forgets_its_journal() -> None:
    """With three crashes a round it takes some worlds until one falls between two signatures: here are twelve."""
    with mutants.forgets_its_journal():
        found = simulate(hostile(seed=0, faults={"crashes": 12})).findings
    assert "R3" in {finding.rule for finding in found}
