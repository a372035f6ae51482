"""Every adversary of the protocol, against the machine and against a broken variant that it can exploit.

The same world is simulated four times. The machine passes, with and without the adversary. The mutant is found out, and
only because the adversary is there: so it acts, and the checkers see what it does.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import pytest

from simnet.adversaries import PROTOCOL, REQUESTERS
from simnet.scenario import Scenario, scenario_from
from tests.simulation import mutants
from tests.simulation.worlds import Watched, simulate


@dataclass(frozen=True)
class Trial:
    """A mutant, the rule by which it is found out, and the world in which that happens."""

    kind: str
    share: float
    mutant: Callable[[], AbstractContextManager[None]]
    rule: str
    acted: Callable[[Watched, Watched], bool]
    """Whether the adversary shows in the machine's own world; the second one is without it."""
    seed: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    anywhere: bool = False
    """Whether the mutant is found out without an adversary too."""

    def scenario(self, *, peaceful: bool = False) -> Scenario:
        byzantine = {} if peaceful else {self.kind: self.share}
        return scenario_from({"nodes": 10, "rounds": 1, "seed": self.seed, "byzantine": byzantine, **self.settings})


def removed(seen: Watched, _: Watched) -> bool:
    """Evidence was listed."""
    return any(each.record.removed for each in seen.certificates)


def unopened(seen: Watched, peaceful: Watched) -> bool:
    """Commitments were not opened."""
    return any(each.unopened for each in seen.certificates) and not any(each.unopened for each in peaceful.certificates)


def repeated(seen: Watched, _: Watched) -> bool:
    """Two members had one commitment."""
    commitments = [list(each.record.commitments.values()) for each in seen.certificates]
    return any(len(set(each)) < len(each) for each in commitments)


def absent(seen: Watched, peaceful: Watched) -> bool:
    """Fewer answers were counted."""
    return seen.run.rounds[0].answers < peaceful.run.rounds[0].answers


def louder(seen: Watched, peaceful: Watched) -> bool:
    """More was sent."""
    return seen.run.messages > peaceful.run.messages


def unsigned(seen: Watched, peaceful: Watched) -> bool:
    """Members refused to co-sign."""
    return len(seen.certificates[0].cosigners) < len(peaceful.certificates[0].cosigners)


def fewer_ballots(seen: Watched, peaceful: Watched) -> bool:
    """Ballots were left out, and their authors refused to co-sign."""
    rounds = seen.run.rounds[0], peaceful.run.rounds[0]
    return rounds[0].comparisons < rounds[1].comparisons and unsigned(seen, peaceful)


SLOW = {
    "preset": "open-ended",
    "engine": {"answer_ms": 4_000, "judge_ms": 1_000},
    "round": {"cosign_ms": 1_000, "waves": [3]},
}
"""Without budgets, work of this length takes longer than all budgets together. In one wave: in later ones nobody waits
for the late, and the budgets left over would pay for the first."""

ONE_WAVE = {"round": {"waves": [3]}}
"""The ballots that are left out are the tally's."""

AMNESIA = {"engine": {"answer_ms": 5_000}, "faults": {"crashes": 3, "disk_lost": 1.0}}
"""Nodes commit late enough to be killed before the commitments are closed, and forget everything."""

FUTILE = {"round": {"waves": [3, 3], "futility": 4.0}}
"""No second wave is worth its cost, if nobody's ballot is missing in the first."""

PRIVATE_TESTS = {"preset": "code-testable", "findings": {"kinds": ["compiles", "tests"]}}
"""Askers have tests that nobody may see before it has committed."""

TRIALS = (
    Trial("equivocator", 0.2, mutants.keeps_equivocators, "R3", removed),
    Trial("split-equivocator", 0.2, mutants.keeps_equivocators, "R3", removed),
    Trial("withholder", 0.2, mutants.waits_for_everybody, "liveness", unopened),
    Trial("withholder", 0.2, mutants.hides_the_unopened, "R4", unopened),
    Trial("commitment-copier", 0.3, mutants.takes_any_opening, "R4", repeated, 3, {"links": {"loss": 0.3}}),
    Trial("replayer", 0.3, mutants.joins_without_its_journal, "R3", louder, 3, AMNESIA),
    Trial("forger", 0.1, mutants.believes_every_name, "R3", louder),
    Trial("flooder", 0.1, mutants.has_every_round_open, "limits", louder),
    Trial("flooder", 0.1, mutants.keeps_all_of_a_slot, "limits", removed),
    Trial("late", 0.6, mutants.has_no_budgets, "liveness", absent, 1, SLOW),
    Trial("peeker", 0.2, mutants.serves_tests_early, "R13", louder, 1, PRIVATE_TESTS),
    Trial("censor", 1.0, mutants.overlooks_censorship, "R10", unsigned),
    Trial("report-censor", 1.0, mutants.overlooks_its_report, "R10", unsigned, 1, {"preset": "code-testable"}),
    Trial("favourite-stopper", 1.0, mutants.overlooks_its_ballot, "R10", fewer_ballots, 2, ONE_WAVE),
    Trial("favourite-stopper", 1.0, mutants.takes_missing_ballots_for_given, "R8", unsigned, 2, FUTILE),
    Trial("closing-equivocator", 1.0, mutants.forgives_two_closings, "R2", unsigned, 2),
    Trial("canceller", 1.0, mutants.forgives_a_cancel, "R2", unsigned, 3),
    Trial("beacon-grinder", 0.3, mutants.hides_the_unopened, "R4", unopened, 6),
    Trial("beacon-grinder", 0.3, mutants.draws_no_salts, "R5", unopened, 6, anywhere=True),
    Trial("beacon-grinder", 0.3, mutants.pairs_by_slate, "R6", unopened, 6, anywhere=True),
)


def test_every_adversary_of_the_protocol_has_its_trial() -> None:
    assert {each.KIND for each in (*PROTOCOL, *REQUESTERS)} == {trial.kind for trial in TRIALS}


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: f"{trial.kind}, {trial.mutant.__name__}")
def test_the_mutant_is_found_out_and_the_machine_is_not(trial: Trial) -> None:
    seen, peaceful = simulate(trial.scenario()), simulate(trial.scenario(peaceful=True))
    assert not seen.findings, seen.complaint
    assert not peaceful.findings, peaceful.complaint
    assert trial.acted(seen, peaceful)
    with trial.mutant():
        exploited, alone = simulate(trial.scenario()), simulate(trial.scenario(peaceful=True))
    assert trial.rule in {finding.rule for finding in exploited.findings}, exploited.complaint
    assert bool(alone.findings) == trial.anywhere, alone.complaint
