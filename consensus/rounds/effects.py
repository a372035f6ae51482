"""What a round asks of the world. Effects are data; the driver performs them in order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from consensus.certificates.evidence import Slot
from consensus.certificates.record import Phase
from consensus.certificates.tally import Ranking
from consensus.rounds.admission import Refusal
from protocol.errors import Fault
from protocol.signing import VerifiedMessage
from protocol.types import DeclineReason, Digest, Key, Outcome, TaskType

ACKNOWLEDGE_MS = 2_000
"""ms for a requester to acknowledge a contribution before it is gossiped: some slow hops. Measured round trips lengthen
this, PROBE_REPLY_MS and PULL_SOURCE_MS at the node (`node.rounds.driver`)."""

PROBE_REPLY_MS = 6_000
"""ms for a seat to reply to a probe. As long as a seat may be silent: a late reply is a sign of life, too, and a stream
that is given up and opened anew takes three round trips before the question is even asked."""

PULL_SOURCE_MS = 5_000
"""ms for one source to answer a pull or to serve a certificate, before the next is asked: it may hold 8 MiB."""


@dataclass(frozen=True, slots=True)
class Journal:
    """Write this down so that it survives SIGKILL, before any later effect of the same step is performed (R12)."""

    slot: Slot
    message: VerifiedMessage
    secret: bytes = b""
    """For a commitment: its opening, without which it could not be honoured after a restart."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Gossip on these topics."""

    topics: tuple[str, ...]
    message: VerifiedMessage


@dataclass(frozen=True, slots=True)
class Contribute:
    """Send to the requester by stream; if it is not acknowledged within ACKNOWLEDGE_MS, gossip the same message.

    `Delivered` tells when the one or the other is done.
    """

    requester: Key
    topic: str
    message: VerifiedMessage


@dataclass(frozen=True, slots=True)
class Pull:
    """Fetch by id, first from the requester, then from other members (R13). No ids: the chain of closings.

    The next source is asked when one does not answer within PULL_SOURCE_MS, or its reply is a Fault to
    `Participant.on_pull_reply` (`consensus.rounds.delivery`).
    """

    query: Digest
    ids: tuple[Digest, ...]
    sources: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Generate:
    """Answer the query with the local model; the result comes back as `Generated` or `Unable`, or not at all."""

    query: Digest
    content: str
    task: TaskType
    max_tokens: int
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Judge:
    """Compare these answers with the local model; the result comes back as `Judged` or `Unable`, or not at all."""

    query: Digest
    wave: int
    content: str
    pairs: tuple[tuple[str, str], ...]
    """Texts: the one shown first, the one shown second."""
    deadline_ms: int
    cut: frozenset[str] = frozenset()
    """Those of the texts that ended at their limit of tokens, as their authors say."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask a seat for a sign of life: send it the query again, or ping it where there is none to send.

    What it replies within PROBE_REPLY_MS goes to `delivery.on_probe_reply`; silence needs no word.
    """

    query: Digest
    member: Key
    message: VerifiedMessage | None


@dataclass(frozen=True, slots=True)
class Progress:
    """For who watches: whose contributions are in, whose the phase expects, and who will not come."""

    query: Digest
    phase: Phase
    wave: int
    received: frozenset[Key]
    expected: frozenset[Key]
    silent: frozenset[Key] = frozenset()
    """Of those expected, seats that give no sign of life."""
    refused: Mapping[Key, Refusal] = field(default_factory=dict)
    """Of those expected, seats that will not work on the query, and why."""
    declined: Mapping[Key, DeclineReason] = field(default_factory=dict)
    """Of those expected, seats that give nothing in this phase, and why."""


@dataclass(frozen=True, slots=True)
class Decide:
    """The requester may answer its user now; the certificate follows when members have co-signed."""

    query: Digest
    ranking: Ranking
    answer: str
    """The winner's text; empty if the round failed."""


@dataclass(frozen=True, slots=True)
class Certify:
    """Keep this certificate (its canonical bytes), show it to the user, serve it to who asks."""

    query: Digest
    outcome: Outcome
    winner: Key
    """The winning answer's author."""
    certificate: bytes


@dataclass(frozen=True, slots=True)
class FetchCertificate:
    """A round of ours has a certificate: fetch it, check it, keep it.

    `sources` are asked one after the other, PULL_SOURCE_MS each, until one serves the bytes of this digest.
    """

    query: Digest
    sources: tuple[Key, ...]
    digest: Digest
    bytes_max: int


@dataclass(frozen=True, slots=True)
class Join:
    """Remember, before anything of this round is sent, that we are in it, and until when (R12)."""

    query: Digest
    requester: Key
    deadline_ms: int


class Ending(StrEnum):
    """How a round ended at one node."""

    FINISHED = "finished"
    """The tally is closed, and, at the requester, certified."""
    VOID = "void"
    """A closing was invalid, or the requester signed two for one slot: nobody co-signs."""
    LOST = "lost"
    """Closings did not come in time, nor by pulling."""
    LEFT = "left"
    """We left it: what we would sign could not be journalled, or its requester took no contribution of ours and another
    round needed the working place."""


@dataclass(frozen=True, slots=True)
class RoundEnded:
    """The round is over for one of our roles; the driver logs its one canonical event."""

    query: Digest
    role: Literal["member", "requester"]
    ending: Ending
    outcome: Outcome | None = None
    fault: Fault | None = None


Effect = (
    Journal
    | Publish
    | Contribute
    | Pull
    | Generate
    | Judge
    | Probe
    | Progress
    | Decide
    | Certify
    | FetchCertificate
    | Join
    | RoundEnded
)
