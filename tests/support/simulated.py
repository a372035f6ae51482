"""Plans of small simulated worlds."""

import tomllib
from collections.abc import Iterable
from importlib import resources
from typing import Any

from protocol.types import ABSTAIN
from simnet.adversaries.behaviour import Behaviour
from simnet.oracle import Candidate, SimQuestion
from simnet.plan import Plan
from simnet.preset import Preset, presets_from
from simnet.scenario import scenario_from
from tests.support.swarm import params


class Mute(Behaviour):
    """Never answers."""

    def answer(self, _question: SimQuestion, _own: Candidate) -> None:
        return None


class Abstainer(Behaviour):
    """Never judges."""

    def prefer(self, _question: SimQuestion, _first: Candidate, _second: Candidate, _own: int) -> int:
        return ABSTAIN


def presets() -> dict[str, Preset]:
    """Those that ship with the project."""
    return presets_from(tomllib.loads(resources.files("configs").joinpath("presets.toml").read_text()))


def plan_of(mute: Iterable[int] = (), abstaining: Iterable[int] = (), **settings: Any) -> Plan:
    """A plan on the aggregate layer; some of its nodes never answer, or never judge."""
    scenario = scenario_from({"layer": "aggregate", **settings})
    plan = Plan(scenario, presets()[scenario.preset], params("devnet"))
    behaviours = list(plan.behaviours)
    for kind, nodes in ((Mute, mute), (Abstainer, abstaining)):
        for node in nodes:
            behaviours[node] = kind(node, behaviours[node].ring)
    plan.behaviours = tuple(behaviours)
    return plan
