"""The aggregate layer is the network layer without a network: every ranking has the same digest, bit for bit."""

from dataclasses import replace
from typing import Any

import pytest

from consensus.learning.experience import RENEWAL_ROUNDS
from simnet.aggregate import run_aggregate
from simnet.world import run_world
from tests.support.simulated import plan_of

# In time for the phases' budgets, all of them: the aggregate layer knows no time.
PROMPT = {"engine": {"spread": 0.1}, "rounds": 4}

WORLDS: dict[str, dict[str, Any]] = {
    "one wave": {"nodes": 12},
    "two waves and a threshold": {"nodes": 10, "round": {"waves": [2, 2], "threshold": 0.8, "confidence_min": 0.7}},
    "open answers": {"nodes": 10, "preset": "open-ended"},
    "adversaries": {"nodes": 15, "byzantine": {"collude-split": 0.2, "lazy": 0.2, "first-slot": 0.2}},
    "two shards and known trust": {"nodes": 14, "shard_nodes": 8, "trust": "known", "byzantine": {"sybil": 0.3}},
    # Weights change after the 20th round, and may be negative or say nothing of some.
    "reputation": {
        "nodes": 8,
        "rounds": 24,
        "byzantine": {"inverse": 0.3, "collude-same-answer": 0.2},
        "reputation": {"gold": 0.5},
    },
}


@pytest.mark.parametrize("settings", WORLDS.values(), ids=WORLDS)
def test_both_layers_rank_alike(settings: dict[str, Any]) -> None:
    with_network = run_world(plan_of(**{**PROMPT, **settings}, layer="network"))
    without = run_aggregate(plan_of(**{**PROMPT, **settings}))
    assert all(each.ranking for each in without.rounds)
    for one, other in zip(with_network.rounds, without.rounds, strict=True):
        timeless = replace(one, full=False, answered_ms=None, phases_ms={})
        assert timeless == other, one.number


def test_a_lost_answer_makes_another_ranking() -> None:
    """So that the comparison above can fail."""
    settings = {**PROMPT, "nodes": 12}
    without = run_aggregate(plan_of(**settings))
    muted = run_aggregate(plan_of(mute=[3], **settings))
    assert all(one.ranking != other.ranking for one, other in zip(without.rounds, muted.rounds, strict=True))


def test_what_was_learned_makes_another_ranking_from_the_first_renewal_on() -> None:
    """So that the comparison of worlds with reputation can fail."""
    settings = {**PROMPT, **WORLDS["reputation"]}
    some, all_ = (run_aggregate(plan_of(**{**settings, "reputation": {"gold": share}})) for share in (0.5, 1.0))
    alike = [one.ranking == other.ranking for one, other in zip(some.rounds, all_.rounds, strict=True)]
    assert alike == [True] * RENEWAL_ROUNDS + [False] * 4
