"""Randomness by purpose: each generator depends on the seed and its purpose, never on other draws.

Each node, question and judgement has its own generator. So worlds of one seed agree on them whatever else differs
(common random numbers: comparisons between scenarios are paired), and the aggregate layer draws the same as the network
layer. Only draws in the order of events share a generator: packets, gossip, a node's jobs.
"""

from hashlib import blake2b
from random import Random


def chance(seed: int, *purpose: str | int | bytes) -> Random:
    """Return a generator for this purpose. Equal arguments give equal draws in every process."""
    state = blake2b(digest_size=16)
    for part in (seed, *purpose):
        text = part if isinstance(part, bytes) else str(part).encode()
        state.update(len(text).to_bytes(4, "big") + text)
    return Random(int.from_bytes(state.digest(), "big"))
