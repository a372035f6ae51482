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
from protocol.types import Digest, FindingKind, Key, Objection

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
    phase_ends_ms: int
    """When the present phase's budget is over here."""
    closing_due_ms: int
    """When to pull the closing that has not come, ms."""
    tests: str = ""
    """The asker's tests, once they are here."""
    texts_due_ms: int | None = None
    """When to pull again what this stage's tests wait for: the conversation or the asker's tests. None: they do not."""
    text_pulls: int = 0
    """Pulls of these texts in this stage."""
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
    def wake_at_ms(self) -> int:
        """When to send a Tick."""
        return self.closing_due_ms if self.texts_due_ms is None else min(self.closing_due_ms, self.texts_due_ms)

    @property
    def lacks_texts(self) -> bool:
        """Whether something is missing that testers read: a private query's conversation, or the asker's tests."""
        plan = self.record.query.findings
        return not self.turns or bool(plan.tests_digest and FindingKind.TESTS in plan.kinds and not self.tests)

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
