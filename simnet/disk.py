"""The disk of a simulated node."""

from collections import OrderedDict
from dataclasses import dataclass, field

from consensus.certificates.evidence import Slot
from consensus.learning.experience import Experience
from consensus.rounds import effects as fx
from consensus.rounds.delivery import Sighting
from protocol.messages import Opening
from protocol.signing import VerifiedMessage
from protocol.types import Digest

CERTIFICATES_KEPT = 8
"""Certificates on one disk: their bytes are the requester's, so few are enough for peers that fetch them."""


@dataclass(slots=True)
class Disk:
    """The data that survives a kill."""

    journal: dict[Slot, VerifiedMessage] = field(default_factory=dict)
    openings: dict[Digest, Opening] = field(default_factory=dict)
    rounds: dict[Digest, fx.Join] = field(default_factory=dict)
    guard: dict[Digest, int] = field(default_factory=dict)
    certificates: OrderedDict[Digest, bytes] = field(default_factory=OrderedDict)
    experience: Experience = field(default_factory=Experience)
    joins_from_ms: int = 0
    """Earliest date of a query to join: an earlier disk may have journalled messages for older ones (R12). 0 on the
    first."""

    def admit_query(self, seen: Sighting) -> bool:
        """Remember a query; False if it is remembered already, so that it is a replay."""
        if seen.query in self.guard:
            return False
        self.guard[seen.query] = seen.expires_ms
        return True

    def keep(self, query: Digest, certificate: bytes) -> None:
        """Store a certificate; the oldest one goes beyond CERTIFICATES_KEPT."""
        self.certificates[query] = certificate
        if len(self.certificates) > CERTIFICATES_KEPT:
            self.certificates.popitem(last=False)

    def drop_before(self, now_ms: int) -> None:
        """Forget expired rounds, and journalled messages of rounds that are not to be recovered."""
        self.rounds = {query: join for query, join in self.rounds.items() if join.deadline_ms >= now_ms}
        self.journal = {slot: kept for slot, kept in self.journal.items() if slot.query in self.rounds}
        self.openings = {query: kept for query, kept in self.openings.items() if query in self.rounds}
        self.guard = {query: until_ms for query, until_ms in self.guard.items() if until_ms >= now_ms}
