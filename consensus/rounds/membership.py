"""A member's state of one round, on which `member.step` works."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from consensus.certificates.evidence import Slot
from consensus.certificates.record import RoundRecord
from consensus.rounds.effects import Effect
from consensus.rounds.objections import Sent
from protocol.limits import DURATION_MS_MAX
from protocol.messages import Opening, Turn
from protocol.signing import Keypair, VerifiedMessage
from protocol.types import Digest, Key, Objection

UNTAKEN_MS = 5_000
"""Milliseconds beyond the query's patience after which a requester without a sign of life may lose its working place.
An acknowledgement takes 2,000 ms at most, a closing or a private query's text some hops more."""


@dataclass(frozen=True, slots=True)
class Restored:
    """Messages that this node had signed in this round before a restart, from its journal (R12)."""

    messages: Mapping[Slot, VerifiedMessage] = field(default_factory=dict)
    opening: Opening | None = None


@dataclass(frozen=True, slots=True)
class Early:
    """A closing that waits, with its time of arrival, by which its omissions are judged."""

    message: VerifiedMessage
    came_ms: int


@dataclass(frozen=True, slots=True)
class Member:
    """The state of one round at a member."""

    record: RoundRecord
    keypair: Keypair
    turns: tuple[Turn, ...]
    restored: Restored
    wake_at_ms: int
    """When to send a Tick."""
    tests: str = ""
    """The asker's tests, once they are here."""
    phase_ms_max: int = DURATION_MS_MAX
    """Longest time that we work on one phase, whatever the query says."""
    unheard_since_ms: int | None = None
    """Time since when we await a sign of life from the requester: a private query's text, the acknowledgement of a
    contribution, or the closing after it. None: we await none."""
    opening: Opening | None = None
    sent: Mapping[Slot, Sent] = field(default_factory=dict)
    pool: Mapping[Digest, VerifiedMessage] = field(default_factory=dict)
    early: tuple[Early, ...] = ()
    """Closings that wait for a predecessor or for messages that they name."""
    missing: frozenset[Digest] = frozenset()
    """Ids that the next closing names and that we have requested."""
    accused: Mapping[Key, int] = field(default_factory=dict)
    """Members against whom we hold evidence, and since when, ms."""
    objection: Objection = Objection.NONE
    pulls: int = 0
    over: bool = False

    @property
    def key(self) -> Key:
        """Public key of this member."""
        return self.keypair.public

    @property
    def budget_ms(self) -> int:
        """Longest duration of this phase here, ms."""
        return min(self.record.budget_ms, self.phase_ms_max)

    def is_untaken(self, now_ms: int) -> bool:
        """Whether the requester has taken no contribution of ours for so long that others may have the place."""
        since_ms = self.unheard_since_ms
        return since_ms is not None and now_ms - since_ms >= self.record.query.patience_ms + UNTAKEN_MS


@dataclass(frozen=True, slots=True)
class MemberTransition:
    """The next state and the effects to perform."""

    state: Member
    effects: tuple[Effect, ...] = ()
