"""The certificate of a round of the simulator, as large as a round may be."""

from __future__ import annotations

from consensus.rounds import effects as fx
from simnet.plan import Plan
from simnet.scenario import scenario_from
from simnet.world import World
from tests.support.simulated import presets
from tests.support.swarm import params


class _Kept(World):
    """A world that keeps the last certificate of an asker."""

    certificate = b""

    def saw(self, node: int, effect: fx.Progress | fx.Decide | fx.Certify | fx.RoundEnded) -> None:
        """See World."""
        super().saw(node, effect)
        if isinstance(effect, fx.Certify):
            self.certificate = effect.certificate


def simulated_certificate(members: int, seed: int = 0) -> bytes:
    """The certificate of one round of this many nodes, none of which fails, and all of whose answers differ."""
    scenario = scenario_from(
        {"nodes": members, "shard_nodes": members, "preset": "open-ended", "rounds": 1, "seed": seed}
    )
    world = _Kept(Plan(scenario, presets()[scenario.preset], params("devnet")), None)
    world.simulate()
    return world.certificate
