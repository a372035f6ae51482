"""Beacon grinder: colluding seats, one of them the requester, that choose which of them open their commitments.

The beacon hashes the salts of the counted answers, so k seats choose among 2^k beacons (rule R5's known weakness).
"""

from collections.abc import Sequence
from itertools import combinations

from consensus.certificates.record import form_of
from consensus.ranking.clusters import cluster
from consensus.ranking.pairing import assign_pairs
from consensus.rounds.effects import Contribute, Effect, Publish
from protocol.hashing import beacon
from protocol.messages import Answer, CloseCommits, Query
from protocol.signing import VerifiedMessage
from protocol.types import Digest, Key, Kind
from simnet.adversaries.behaviour import Accomplice, Action, AdversaryContext
from simnet.adversaries.collude_same_answer import ColludeSameAnswer

SEATS_MAX = 6
"""Accomplices that withhold their openings: 64 beacons to try; each more doubles the work."""


class BeaconGrinder(ColludeSameAnswer):
    """The ring withholds its openings until the requester has all others, and then opens the best subset."""

    KIND = "beacon-grinder"
    ASKS = True
    SEATS = True
    query: Query
    closing = Digest(b"")
    committed: frozenset[Key] = frozenset()
    opened: dict[Key, VerifiedMessage]
    """Openings on `closing` that the requester has received."""

    def perform(self, effect: Effect, context: AdversaryContext) -> Sequence[Action]:
        """Withhold an opening for an accomplice that asks; as the requester, note whose openings will come."""
        match effect:
            case Contribute(message=VerifiedMessage(kind=Kind.ANSWER)) if self._holds(effect):
                self.ring.board[self.node] = effect
                return ()
            case Publish(message=VerifiedMessage(body=Query() as query)):
                self.query = query
                self.ring.board.clear()
            case Publish(message=VerifiedMessage(body=CloseCommits(commitments=commitments), id=closing)):
                self.closing, self.opened = closing, {}
                self.committed = frozenset(entry.member for entry in commitments)
        return (effect,)

    def _holds(self, effect: Contribute) -> bool:
        """Whether to withhold: only some of the ring do, and only while one of it asks."""
        return effect.requester in self.ring.keys and self.node in self.ring.members[:SEATS_MAX]

    def hear(self, message: VerifiedMessage, context: AdversaryContext) -> Sequence[Action]:
        """As the requester, choose the ring's openings once all others are in."""
        if not isinstance(message.body, Answer) or message.body.on != self.closing:
            return ()
        self.opened[message.author] = message
        others = self.committed - set(self.ring.keys)
        if not others <= self.opened.keys() or message.author in self.ring.keys:
            return ()
        held = {node: each for node, each in sorted(self.ring.board.items()) if isinstance(each, Contribute)}
        choices = [chosen for size in range(len(held) + 1) for chosen in combinations(held, size)]
        best = max(choices, key=lambda chosen: self._worth([held[node].message for node in chosen]))
        return [Accomplice(node, held[node]) for node in best]

    def _worth(self, ours: list[VerifiedMessage]) -> int:
        """Count the pairs of the ring's judges that hold one of its answers and one of the others'."""
        messages = sorted((*self.opened.values(), *ours), key=lambda each: each.id)
        answers = [each.body for each in messages if isinstance(each.body, Answer)]
        salts = [each.salt for each in sorted(answers, key=lambda each: each.author)]
        pairs = assign_pairs(
            beacon=beacon(answers[0].query, self.closing, salts),
            wave=0,
            judges=[seat.member for seat in self.query.roster],
            authors=[each.author for each in answers],
            clusters=cluster([form_of(self.query.task, each.content.text) for each in answers]),
            pairs_per_judge=self.query.waves[0],
            judged={},
        )
        ring = set(self.ring.keys)
        return sum(
            (answers[first].author in ring) != (answers[second].author in ring)
            for judge in ring & pairs.keys()
            for first, second in pairs[judge]
        )
