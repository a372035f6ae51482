"""What one node did in rounds, read from the certificates that this node holds."""

from collections.abc import Sequence
from typing import Final

import trio

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.certificates.reading import describe
from consensus.certificates.record import RoundRecord, bodies
from consensus.learning.experience import GoldRound
from node.api.reputation import NodeRound
from node.storage import Store
from protocol.messages import Ballot, Decline
from protocol.types import ABSTAIN, Key

ROUNDS_MAX: Final = 32
"""Rounds of one node in a reply: more than a page shows, and some seconds of verifying at most."""

LOOKED_MAX: Final = 512
"""Certificates that are looked through for them, the newest: some 25 MiB are read, and most name the node or are of
rounds long ago."""

LOOKING_S: Final = 5.0
"""Seconds after which no further certificate is looked at: those of 64 members take a second each."""

PAGE: Final = 64
"""Certificates listed at once."""


class NodeRounds:
    """Looks up what nodes did in rounds, in the certificates that this node holds."""

    def __init__(self, store: Store, verifying: trio.CapacityLimiter) -> None:
        """Build a look-up. `verifying`: limits the certificates that are verified at once."""
        self._store = store
        self._verifying = verifying

    async def of(self, key: Key, gold: Sequence[GoldRound]) -> tuple[tuple[NodeRound, ...], bool]:
        """Return the latest rounds in which a node had a seat, and whether all certificates were looked at.

        `gold`: rounds whose right answers are known. At most ROUNDS_MAX rounds, those stored last first; the search
        ends after LOOKED_MAX certificates or LOOKING_S. Raises StoreBlockedError.
        """
        truth = {each.query: each for each in gold}
        ends_s = trio.current_time() + LOOKING_S
        rounds: list[NodeRound] = []
        looked, age = 0, None
        while rows := await self._store.list_certificates(age, PAGE):
            for row in rows:
                if len(rounds) == ROUNDS_MAX or looked == LOOKED_MAX or trio.current_time() > ends_s:
                    return tuple(rounds), False
                looked += 1
                query_id = row.summary.query_id
                raw = await self._store.certificate(query_id)
                # Its roster holds the keys as they are: what does not name the node need not be verified.
                if raw is None or raw.find(key) < 0:
                    continue
                known = truth.get(query_id)
                right = None if known is None else _is_right(key, known)
                found = await trio.to_thread.run_sync(_read, raw, key, row.is_ours, right, limiter=self._verifying)
                if found is not None:
                    rounds.append(found)
            age = rows[-1].age
        return tuple(rounds), True


def _is_right(key: Key, known: GoldRound) -> bool | None:
    return known.right[known.authors.index(key)] if key in known.authors else None


def _read(raw: bytes, key: Key, ours: bool, right: bool | None) -> NodeRound | None:
    """Verify a certificate; None if it is of another version, or the node had no seat in its round."""
    verified = verify_certificate(raw)
    if not isinstance(verified, VerifiedCertificate) or key not in verified.record.seats:
        return None
    record, ranking = verified.record, verified.ranking
    place = next((number for number, each in enumerate(ranking.ranked, 1) if each.author == key), None)
    entries = [each for ballot in bodies(record.ballots, Ballot) if ballot.author == key for each in ballot.judgements]
    return NodeRound(
        query_id=record.id.hex(),
        asked_ms=record.query.sent_at_ms,
        task=record.query.task,
        ours=ours,
        outcome=ranking.outcome,
        answered=any(each.author == key for each in record.answers),
        place=place,
        places=len(ranking.ranked),
        in_winning_group=None if place is None else _is_in_winning_group(record, key, ranking.winner),
        right=right,
        unopened=key in verified.unopened,
        comparisons=sum(each.preference != ABSTAIN for each in entries),
        silent_judge=key.hex() in describe(verified)["silent_judges"],
        reports=sum(each.author == key for each in record.reports),
        declined={each.phase: each.reason for each in bodies(record.declines, Decline) if each.author == key},
        removed=key in record.removed,
    )


def _is_in_winning_group(record: RoundRecord, key: Key, winner: bytes) -> bool:
    groups = {message.author: group for message, group in zip(record.answers, record.clusters, strict=True)}
    best = next(group for message, group in zip(record.answers, record.clusters, strict=True) if message.id == winner)
    return groups[key] == best
