"""Randomness by purpose: each generator depends on the seed and on what it is for, never on what others have drawn.

What belongs to a node, a question or a judgement has a generator of its own. So worlds of one seed agree on it whatever
else differs (common random numbers: comparisons between scenarios are paired), and the aggregate layer draws what the
network layer draws. Only what comes in the order of events shares one: packets, gossip, a node's pieces of work.
"""

from hashlib import blake2b
from random import Random


def chance(seed: int, *purpose: str | int | bytes) -> Random:
    """A generator of its own for this purpose. Equal arguments give equal draws in every process."""
    state = blake2b(digest_size=16)
    for part in (seed, *purpose):
        text = part if isinstance(part, bytes) else str(part).encode()
        state.update(len(text).to_bytes(4, "big") + text)
    return Random(int.from_bytes(state.digest(), "big"))
