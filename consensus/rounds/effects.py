"""Effects: the actions that a round requests. They are data; the driver performs them in order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from consensus.certificates.evidence import Slot
from consensus.certificates.record import Phase
from consensus.certificates.tally import Ranking
from consensus.ranking.settling import SettledFindings
from consensus.rounds.admission import Refusal
from protocol.errors import Fault
from protocol.messages import Turn
from protocol.signing import VerifiedMessage
from protocol.types import DeclineReason, Digest, FindingKind, Key, Outcome, TaskType

ACKNOWLEDGE_MS = 2_000
"""Milliseconds for a requester to acknowledge a contribution before it is gossiped: some slow hops. Measured round
trips lengthen this, PROBE_REPLY_MS and PULL_SOURCE_MS at the node (`node.rounds.driver`)."""

PROBE_REPLY_MS = 6_000
"""Milliseconds for a seat to reply to a probe, as long as a seat may be silent: a late reply is a sign of life, too. A
stream that is abandoned and reopened takes three round trips before the request is even sent."""

PULL_SOURCE_MS = 5_000
"""Milliseconds for one source to answer a pull or to serve a certificate of up to 8 MiB, before the next is asked."""


@dataclass(frozen=True, slots=True)
class Journal:
    """Store this message so that it survives SIGKILL, before any later effect of the same step is performed (R12)."""

    slot: Slot
    message: VerifiedMessage
    secret: bytes = b""
    """The opening of a commitment, without which it could not be opened after a restart; else empty."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Gossip the message on these topics."""

    topics: tuple[str, ...]
    message: VerifiedMessage


@dataclass(frozen=True, slots=True)
class Contribute:
    """Send to the requester by stream; if it is not acknowledged within ACKNOWLEDGE_MS, gossip the same message.

    `Delivered` reports which of the two happened. What is private is sent by stream again instead
    (`consensus.rounds.delivery`).
    """

    requester: Key
    topic: str
    message: VerifiedMessage
    private: bool = False
    """Whether nobody but the round's nodes may read it, as an answer to a private query, which quotes it."""


@dataclass(frozen=True, slots=True)
class Pull:
    """Fetch by id, first from the requester, then from other members (R13). No ids: the chain of closings.

    If a source does not answer within PULL_SOURCE_MS, or its reply is a Fault to `Participant.on_pull_reply`, ask the
    next one (`consensus.rounds.delivery`).
    """

    query: Digest
    ids: tuple[Digest, ...]
    sources: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Generate:
    """Answer the query with the local model; the result comes back as `Generated` or `Unable`, or not at all."""

    query: Digest
    turns: tuple[Turn, ...]
    task: TaskType
    max_tokens: int
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class SlateAnswer:
    """One answer as testers see it."""

    text: str
    vote_weight: int
    """Its author's, 2^-16: what the answers have in common is decided by weight, not by heads."""


@dataclass(frozen=True, slots=True)
class RunTests:
    """Test answers in the local sandbox; the result comes back as `AnswersTested` or `Unable`, or not at all."""

    query: Digest
    stage: int
    turns: tuple[Turn, ...]
    slate: tuple[SlateAnswer, ...]
    """All answers, in the order of the slate."""
    assigned: tuple[int, ...]
    """Positions of those to report on, in the order of the report."""
    kinds: FindingKind
    tests: str
    """The asker's tests; empty: none."""
    seed: bytes
    """32 bytes, equal for all testers of the round."""
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Judge:
    """Compare these answers with the local model; the result comes back as `Judged` or `Unable`, or not at all."""

    query: Digest
    wave: int
    turns: tuple[Turn, ...]
    pairs: tuple[tuple[str, str], ...]
    """Texts of each pair: the one shown first, then the one shown second."""
    deadline_ms: int
    cut: frozenset[str] = frozenset()
    """Texts that ended at their token limit, according to their authors."""
    findings: tuple[tuple[SettledFindings, SettledFindings], ...] = ()
    """What is settled about the two answers of each pair; empty if nothing was tested."""
    agreeing: tuple[tuple[int, int], ...] = ()
    """Vote weight, 2^-16, of other answers with the same behaviour, for the two answers of each pair (rule R18)."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask a seat for a sign of life: send it the query again, or ping it if `message` is None.

    A reply within PROBE_REPLY_MS goes to `delivery.on_probe_reply`; silence needs no event.
    """

    query: Digest
    member: Key
    message: VerifiedMessage | None


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress report for observers: received and expected contributions, and seats that will give none."""

    query: Digest
    phase: Phase
    wave: int
    """The wave; while testing the stage."""
    received: frozenset[Key]
    expected: frozenset[Key]
    silent: frozenset[Key] = frozenset()
    """Expected seats that give no sign of life."""
    refused: Mapping[Key, Refusal] = field(default_factory=dict)
    """Expected seats that refuse to work on the query, and why."""
    declined: Mapping[Key, DeclineReason] = field(default_factory=dict)
    """Expected seats that decline this phase, and why."""


@dataclass(frozen=True, slots=True)
class Decide:
    """Answer the requester's user now; the certificate follows when members have co-signed."""

    query: Digest
    ranking: Ranking
    answer: str
    """The winner's text; empty if the round failed."""


@dataclass(frozen=True, slots=True)
class Certify:
    """Store this certificate (its canonical bytes), show it to the user and serve it on request."""

    query: Digest
    outcome: Outcome
    winner: Key
    """The winning answer's author."""
    certificate: bytes


@dataclass(frozen=True, slots=True)
class FetchCertificate:
    """Fetch, check and store the certificate of a round that this node took part in.

    Ask `sources` one after the other, PULL_SOURCE_MS each, until one serves the bytes with this digest.
    """

    query: Digest
    sources: tuple[Key, ...]
    digest: Digest
    bytes_max: int


@dataclass(frozen=True, slots=True)
class Join:
    """Record, before anything of this round is sent, that the node takes part in it, and until when (R12)."""

    query: Digest
    requester: Key
    deadline_ms: int


class Ending(StrEnum):
    """How a round ended at one node."""

    FINISHED = "finished"
    """The tally is closed and, at the requester, certified."""
    VOID = "void"
    """A closing was invalid, or the requester signed two for one slot: nobody co-signs."""
    LOST = "lost"
    """Closings came neither in time nor by pulling."""
    CANCELLED = "cancelled"
    """The requester cancelled it before its tally (R16). It keeps its place until `PlaceFreed`."""
    LEFT = "left"
    """The node left it: its next message could not be journalled, it was stopped, or the requester took no contribution
    of it and another round needed the working place."""


@dataclass(frozen=True, slots=True)
class RoundEnded:
    """The round is over for one of our roles; the driver logs its one canonical event."""

    query: Digest
    role: Literal["member", "requester"]
    ending: Ending
    outcome: Outcome | None = None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class PlaceFreed:
    """The budgets of a cancelled round are over, and with them all that it held: places, and its asker's turn (R16)."""

    query: Digest


Effect = (
    Journal
    | Publish
    | Contribute
    | Pull
    | Generate
    | RunTests
    | Judge
    | Probe
    | Progress
    | Decide
    | Certify
    | FetchCertificate
    | Join
    | RoundEnded
    | PlaceFreed
)
