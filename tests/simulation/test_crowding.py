"""Adversaries that break no rule and take up what others need: honest rounds decide all the same."""

import pytest

from simnet.scenario import scenario_from
from tests.simulation.worlds import simulate


@pytest.mark.parametrize("seed", [1])
def test_place_fillers_do_not_keep_honest_rounds_from_deciding(seed: int) -> None:
    """Three strangers with twelve open rounds of ten minutes a phase; a node has eight working places."""
    world = simulate(
        scenario_from({"nodes": 12, "rounds": 4, "seed": seed, "trust": "known", "byzantine": {"place-filler": 0.25}})
    )
    assert not world.findings, world.complaint
    assert [each.outcome for each in world.run.rounds] == ["decided"] * 4
    members = [len(certificate.record.commitments) for certificate in world.certificates]
    assert all(count >= 9 for count in members), members
