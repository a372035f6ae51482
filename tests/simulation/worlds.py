"""Worlds for the tests of safety: what goes wrong in them, and what is seen of them from outside."""

import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple
from unittest.mock import patch

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.rounds import effects as fx
from simnet.plan import Plan
from simnet.results import RoundResult, Violation
from simnet.scenario import Scenario, scenario_from
from simnet.study import repeat_command
from simnet.trace import Trace
from simnet.world import World
from tests.support.simulated import presets
from tests.support.swarm import params

EQUIVOCATORS = ("equivocator", "split-equivocator")
"""They take turns."""

MEMBERS = ("withholder", "commitment-copier", "replayer", "forger", "late", "flooder")
"""One node of 25 of each kind, an equivocator and a dishonest requester: eight, which is less than a third."""

REQUESTERS = ("censor", "closing-equivocator", "favourite-stopper")
"""They take turns, and ask two queries of three."""


@cache
def _hostile() -> dict[str, Any]:
    return tomllib.loads(files("configs").joinpath("scenarios/hostile.toml").read_text())


def hostile(seed: int, **settings: Any) -> Scenario:
    """Everything goes wrong and nobody is dishonest: the shipped study, with one round for each seed."""
    return scenario_from({**_hostile(), "rounds": 1, "seed": seed, **settings})


def dishonest(seed: int) -> Scenario:
    """The hostile world with dishonest members and a dishonest requester."""
    asking = REQUESTERS[seed % len(REQUESTERS)]
    members = (EQUIVOCATORS[seed % len(EQUIVOCATORS)], *MEMBERS)
    return hostile(seed, byzantine={**dict.fromkeys(members, 0.04), asking: 0.67})


def restarting(seed: int) -> Scenario:
    """Half of ten honest nodes are killed at random moments and are back within the round, some without their disk."""
    faults = {"crashes": 5, "down_ms": 500, "disk_lost": 0.2 * (seed % 2)}
    links = {"loss": 0.1, "duplicate": 0.1, "reorder": 0.1}
    return scenario_from({"nodes": 10, "rounds": 1, "seed": seed, "faults": faults, "links": links})


class Note(NamedTuple):
    """One entry of a trace."""

    at_ms: int
    node: int
    what: str
    about: bytes


class Diary(Trace):
    """A trace that can be read."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Note] = []

    def note(self, at_ms: int, node: int, what: str, about: bytes = b"") -> None:
        super().note(at_ms, node, what, about)
        self.notes.append(Note(at_ms, node, what, about))


class Watched(World):
    """A world that keeps a diary, and the certificates that requesters make."""

    trace: Diary

    def __init__(self, scenario: Scenario, progress: Callable[[RoundResult], None] | None = None) -> None:
        with patch("simnet.world.Trace", Diary):
            super().__init__(Plan(scenario, _presets()[scenario.preset], params("devnet")), progress)
        self.certificates: list[VerifiedCertificate] = []

    def saw(self, node: int, effect: fx.Progress | fx.Decide | fx.Certify | fx.RoundEnded) -> None:
        super().saw(node, effect)
        if isinstance(effect, fx.Certify) and isinstance(
            verified := verify_certificate(effect.certificate), VerifiedCertificate
        ):
            self.certificates.append(verified)

    def notes(self, what: str, node: int | None = None) -> list[Note]:
        """Of the diary, in order."""
        return [each for each in self.trace.notes if each.what == what and node in (None, each.node)]

    @property
    def findings(self) -> list[Violation]:
        """Of safety and of liveness."""
        return [*self.checkers.violations, *self.checkers.late]

    @property
    def complaint(self) -> str:
        """What was found, and the command that repeats it."""
        found = [f"  {each.rule}, round {each.round}: {each.detail}" for each in self.findings]
        return "\n".join((f"seed {self.plan.scenario.seed}: {repeat_command(self.plan.scenario)}", *found))


def simulate(scenario: Scenario) -> Watched:
    """A world that has come to its end."""
    world = Watched(scenario)
    world.simulate()
    return world


_presets = cache(presets)
