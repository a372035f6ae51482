"""Place filler: sends queries that it never means to close, so that members have no working place left for others."""

from collections.abc import Sequence
from dataclasses import replace

from protocol.messages import Contribution, Query
from protocol.signing import VerifiedMessage, seal
from protocol.topics import topic
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour, Frame

QUERIES = 4
"""Queries in one volley: as many as members let one key have open (open_rounds_per_key_max)."""

RENEWED_MS = 10_000
"""Milliseconds between two volleys, which take freed places again."""


class PlaceFiller(Behaviour):
    """Some kilobytes of queries with the longest budgets hold every place of every member, if budgets decide."""

    KIND = "place-filler"
    NEWCOMER = True
    asked_ms: int | None = None
    others: Query | None = None

    def hear(self, message: VerifiedMessage, context: AdversaryContext) -> Sequence[Action]:
        """Copy the roster of the first query of others, and from then on fill places repeatedly."""
        query = message.body
        if isinstance(query, Query) and query.author not in self.ring.keys:
            self.others = query
        if self.others is None or (self.asked_ms is not None and context.now_ms - self.asked_ms < RENEWED_MS):
            return ()
        self.asked_ms = context.now_ms
        on, ours = topic(context.params, self.others.specialty, self.others.shard), context.keypair.public
        longest_ms = context.params.phase_ms_max
        return [
            Frame(
                on,
                ours,
                seal(
                    context.keypair,
                    context.params.digest,
                    replace(
                        self.others,
                        author=ours,
                        nonce=context.random.randbytes(32),
                        sent_at_ms=context.now_ms,
                        answer_ms=longest_ms,
                        judge_ms=longest_ms,
                    ),
                ).envelope,
            )
            for _ in range(QUERIES)
        ]

    def takes(self, message: VerifiedMessage) -> bool:
        """Only acknowledge contributions to its own rounds."""
        return not isinstance(message.body, Contribution)
