"""Gossip topics: `/strand/<network>/<params digest>/<specialty>/<shard>` (rules R1, R14)."""

from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.params import NetworkParams


def topic(params: NetworkParams, specialty: str, shard: int) -> str:
    """Return the topic of one sub-mesh. Nodes whose parameters differ never meet, because the digest differs."""
    return f"/strand/{params.network}/{params.digest.hex()[:32]}/{specialty}/{shard}"
