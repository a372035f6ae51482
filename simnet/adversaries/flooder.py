"""Flooder: sends more than anybody can use."""

from collections.abc import Sequence
from dataclasses import replace

from protocol.messages import Commit, Query
from protocol.signing import VerifiedMessage, seal
from protocol.topics import topic
from protocol.types import Digest
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour, Frame

QUERIES = 20
"""Own queries for each query of others; members let one key have fewer rounds open."""

COMMITS = 6
"""Different commitments of one slot; two are kept."""

JUNK = 20
"""Frames of random bytes."""


class Flooder(Behaviour):
    """Queries to everybody, contradicting commitments, and noise: anything that costs others more than itself."""

    KIND = "flooder"

    def hear(self, message: VerifiedMessage, context: AdversaryContext) -> Sequence[Action]:
        """Send a volley for each query of others."""
        query = message.body
        if not isinstance(query, Query) or query.author in self.ring.keys:
            return ()
        ours = context.keypair.public
        bodies: list[Query | Commit] = [
            replace(query, author=ours, nonce=context.random.randbytes(32), sent_at_ms=context.now_ms)
            for _ in range(QUERIES)
        ]
        bodies += [
            Commit(author=ours, query=message.id, on=message.id, commitment=Digest(context.random.randbytes(32)))
            for _ in range(COMMITS)
        ]
        on = topic(context.params, query.specialty, query.shard)
        frames = [Frame(on, ours, seal(context.keypair, context.params.digest, body).envelope) for body in bodies]
        return [*frames, *(Frame(on, ours, context.random.randbytes(200)) for _ in range(JUNK))]
