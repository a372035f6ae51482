"""The messages, one frozen schema each. The codec reads types and bounds from here; README.md gives their meaning.

The order of fields in a class serves the reader; on the wire a message is a map with its keys in ascending order.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol import limits
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.params import NetworkParams
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.schema import (
    Count,
    Counter,
    DigestField,
    DurationMs,
    Envelope,
    KeyField,
    Name,
    OptionalDigest,
    PositiveWeight,
    Range,
    Share,
    SignedWeight,
    Size,
    SlotEnvelope,
    Text,
    TimeMs,
    Tokens,
    Weight,
)
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.types import (
    ABSTAIN,
    ONE,
    DeclinedPhase,
    DeclineReason,
    FinishReason,
    Kind,
    Objection,
    Outcome,
    OutcomeReason,
    Role,
    StopReason,
    TaskType,
    TokenSource,
    TurnRole,
)
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.versions import WIRE

Ids = Annotated[tuple[DigestField, ...], Count(0, limits.MEMBERS_MAX)]
EvidenceIds = Annotated[tuple[DigestField, ...], Count(0, limits.EVIDENCE_MAX)]
RideAlong = Annotated[tuple[Envelope, ...], Count(0, 2 * limits.MEMBERS_MAX)]
Tau = Annotated[int, Range(limits.TAU_MIN, limits.TAU_MAX)]
Wave = Annotated[int, Range(0, limits.WAVES_MAX - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Announces what a node can do; valid for `offer_valid_ms` from `sent_at_ms`."""

    KIND: ClassVar[Kind] = Kind.OFFER
    author: KeyField
    sequence: TimeMs
    """Must be greater than in the author's earlier offers."""
    sent_at_ms: TimeMs
    roles: Role
    specialties: Annotated[tuple[Name, ...], Count(0, limits.SPECIALTIES_MAX)]
    model: Annotated[str, Size(0, limits.NAME_BYTES_MAX)]
    context_tokens: Counter
    milli_tokens_per_second: Counter
    queue: Counter
    """Number of requests that wait at the node's engine."""
    addresses: Annotated[tuple[Annotated[str, Size(1, limits.ADDRESS_BYTES_MAX)], ...], Count(0, limits.ADDRESSES_MAX)]
    """Multiaddrs at which the node can be dialled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One member in a roster, with everything that the fit reads about it (roster version 1)."""

    member: KeyField
    roles: Role
    vote_weight: Weight
    """Weight of its answer as a vote for its cluster. Its co-signature counts if this is above zero."""
    judge_weight: SignedWeight
    """Weight of its preferences; a negative weight inverts them. A factor common to all seats states what judging is
    worth."""
    author_weight: SignedWeight
    """Prior mean of the strength of its answers."""
    honest: PositiveWeight
    inverse: PositiveWeight
    coin: PositiveWeight
    partisan: PositiveWeight
    """The four fields are counts of the judge's mixture, Dirichlet prior included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of a conversation."""

    role: TurnRole
    text: Annotated[str, Size(1, limits.TEXT_BYTES_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What a query asks, oldest turn first. Never sent in this form: its encoding is what a query's digest covers."""

    turns: Annotated[tuple[Turn, ...], Count(1, limits.TURNS_MAX)]


Turns = Annotated[tuple[Turn, ...], Count(0, limits.TURNS_MAX)]
"""A conversation's turns, or none where a private query's text is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question to the members of its roster. The query's id identifies the round."""

    KIND: ClassVar[Kind] = Kind.QUERY
    author: KeyField
    specialty: Name
    shard: Annotated[int, Range(0, 65535)]
    task: TaskType
    turns: Turns
    """The conversation, whose last turn asks. Empty for a private query: members pull it from the requester."""
    content_digest: DigestField
    """Digest of the conversation (P7)."""
    max_tokens: Tokens
    answer_ms: DurationMs
    open_ms: DurationMs
    judge_ms: DurationMs
    """Budget of one wave."""
    cosign_ms: DurationMs
    patience_ms: DurationMs
    waves: Annotated[tuple[Annotated[int, Range(1, limits.PAIRS_MAX)], ...], Count(1, limits.WAVES_MAX)]
    """Pairs for each judge, one entry per wave."""
    threshold: Share
    """P(best) at which the requester may stop."""
    calibration_intercept: SignedWeight
    calibration_slope: Weight
    """P(correct) = σ(intercept + slope · logit P(best)), fitted on the requester's gold. Without gold: 0 and ONE."""
    confidence_min: Share
    """The outcome is degraded below this P(correct): the asker wants no guess. 0 disables the check."""
    beta: Annotated[int, Range(0, limits.BETA_MAX)]
    """Weight of votes in the prior of a cluster's strength, 2^-16."""
    tau_u: Tau
    """Prior standard deviation of the clusters' strengths, 2^-16 log-odds."""
    tau_v: Tau
    """Prior standard deviation of an answer's strength around its cluster's, 2^-16 log-odds."""
    sent_at_ms: TimeMs
    nonce: Annotated[bytes, Size(limits.NONCE_BYTES, limits.NONCE_BYTES)]
    roster: Annotated[tuple[Seat, ...], Count(1, limits.MEMBERS_MAX)]
    """Seats in ascending order of member keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Binds a member to an answer that nobody can see yet."""

    KIND: ClassVar[Kind] = Kind.COMMIT
    author: KeyField
    query: DigestField
    on: DigestField
    """Id of the query."""
    commitment: DigestField


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """One entry of the commits closing."""

    member: KeyField
    commitment: DigestField


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseCommits:
    """Ends the answer phase: these commitments may be opened."""

    KIND: ClassVar[Kind] = Kind.CLOSE_COMMITS
    author: KeyField
    query: DigestField
    prev: DigestField
    """Id of the query."""
    commitments: Annotated[tuple[Commitment, ...], Count(1, limits.MEMBERS_MAX)]
    """Entries in ascending order of members."""
    declines: Ids
    ride_along: RideAlong


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerContent:
    """The content that a commitment binds: rule R4 hashes its canonical encoding."""

    text: Text
    finish: FinishReason
    prompt_tokens: Counter
    answer_tokens: Counter
    token_source: TokenSource = TokenSource.ENGINE
    """States whether the engine reported both counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The secret that a member keeps in its journal until it opens its commitment. Never sent in this form."""

    content: AnswerContent
    salt: Annotated[bytes, Size(limits.SALT_BYTES, limits.SALT_BYTES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Opens a commitment."""

    KIND: ClassVar[Kind] = Kind.ANSWER
    author: KeyField
    query: DigestField
    on: DigestField
    """Id of the commits closing."""
    content: AnswerContent
    salt: Annotated[bytes, Size(limits.SALT_BYTES, limits.SALT_BYTES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSlate:
    """Ends the opening phase and lists the answers to rank. Beacon and pairs follow from it."""

    KIND: ClassVar[Kind] = Kind.CLOSE_SLATE
    author: KeyField
    query: DigestField
    prev: DigestField
    answers: Annotated[tuple[DigestField, ...], Count(1, limits.MEMBERS_MAX)]
    evidence: EvidenceIds
    ride_along: RideAlong


@dataclass(frozen=True, slots=True, kw_only=True)
class BallotEntry:
    """One comparison: `first` and `second` are positions in the slate's list of answers."""

    first: Annotated[int, Range(0, limits.MEMBERS_MAX - 1)]
    second: Annotated[int, Range(0, limits.MEMBERS_MAX - 1)]
    preference: Annotated[int, Range(ABSTAIN, ONE)]
    """Probability that the first answer is better, 2^-16; -1 abstains."""
    evidence: Annotated[int, Range(0, 255)]
    """Code of the findings that the judge had beside the texts; 0: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """A judge's comparisons of exactly the pairs that were assigned to it in one wave."""

    KIND: ClassVar[Kind] = Kind.BALLOT
    author: KeyField
    query: DigestField
    on: DigestField
    """Id of the slate closing, or of the closing of the wave before."""
    wave: Wave
    judgements: Annotated[tuple[BallotEntry, ...], Count(1, limits.PAIRS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseWave:
    """Ends a wave that is not the last; the next wave's pairs follow from it."""

    KIND: ClassVar[Kind] = Kind.CLOSE_WAVE
    author: KeyField
    query: DigestField
    prev: DigestField
    wave: Wave
    ballots: Ids
    declines: Ids
    evidence: EvidenceIds
    ride_along: RideAlong


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseTally:
    """Ends the judging and states the result that the requester claims. Members recompute it (R8)."""

    KIND: ClassVar[Kind] = Kind.CLOSE_TALLY
    author: KeyField
    query: DigestField
    prev: DigestField
    ballots: Ids
    """Ids of the last wave's ballots; the closings before name the earlier ones."""
    declines: Ids
    """Ids of declines of the last wave, or of the answer phase if nobody committed."""
    evidence: EvidenceIds
    outcome: Outcome
    reason: OutcomeReason
    stop: StopReason
    winner: OptionalDigest
    """The winning answer's id; empty if the round failed."""
    p_best: Share
    ranking_digest: OptionalDigest
    ride_along: RideAlong


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Ends the round without a result, in place of the next closing (rule R16)."""

    KIND: ClassVar[Kind] = Kind.CANCEL
    author: KeyField
    query: DigestField
    prev: DigestField


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosign:
    """A member's reply to a tally: it has recomputed everything and agrees, or objects and gives the reason."""

    KIND: ClassVar[Kind] = Kind.COSIGN
    author: KeyField
    query: DigestField
    on: DigestField
    """Id of the tally."""
    objection: Objection


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """States that a member will give nothing in this phase, so that nobody waits for it (rule R15)."""

    KIND: ClassVar[Kind] = Kind.DECLINE
    author: KeyField
    query: DigestField
    on: DigestField
    """Id of the query, slate closing, wave closing or tally on which the member does not act."""
    phase: DeclinedPhase
    wave: Wave
    """The wave when judging, else 0."""
    reason: DeclineReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Announces to all that a certificate exists; a node that wants it pulls it."""

    KIND: ClassVar[Kind] = Kind.NOTICE
    author: KeyField
    query: DigestField
    on: DigestField
    """Id of the tally."""
    certificate_digest: DigestField
    certificate_bytes: Counter


@dataclass(frozen=True, slots=True, kw_only=True)
class EquivocationProof:
    """Two different signed messages of one author for one slot (R3), or for one place in a chain (R16).

    The proof's author is the node that found them.
    """

    KIND: ClassVar[Kind] = Kind.EVIDENCE
    author: KeyField
    first: SlotEnvelope
    """The message with the lower id."""
    second: SlotEnvelope


Message = (
    Offer
    | Query
    | Commit
    | CloseCommits
    | Answer
    | CloseSlate
    | Ballot
    | CloseWave
    | CloseTally
    | Cosign
    | Notice
    | EquivocationProof
    | Decline
    | Cancel
)
PhaseClosing = CloseCommits | CloseSlate | CloseWave | CloseTally
"""Closings that end a phase and count contributions."""
Closing = PhaseClosing | Cancel
Contribution = Commit | Answer | Ballot | Cosign | Decline

MESSAGE_TYPES: dict[Kind, type[Message]] = {
    cls.KIND: cls
    for cls in (
        Offer,
        Query,
        Commit,
        CloseCommits,
        Answer,
        CloseSlate,
        Ballot,
        CloseWave,
        CloseTally,
        Cosign,
        Notice,
        EquivocationProof,
        Decline,
        Cancel,
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A round's outcome with everything needed to recompute it offline. One canonical map, itself unsigned."""

    version: Annotated[int, Range(WIRE, WIRE)]
    params: NetworkParams
    query: Envelope
    turns: Turns
    """A private query's conversation if its holder chose to add it, else empty; its digest is in the query."""
    closings: Annotated[tuple[Envelope, ...], Count(1, limits.CLOSINGS_MAX)]
    answers: Annotated[tuple[Envelope, ...], Count(0, limits.MEMBERS_MAX)]
    ballots: Annotated[tuple[Envelope, ...], Count(0, limits.MEMBERS_MAX * limits.WAVES_MAX)]
    declines: Annotated[tuple[Envelope, ...], Count(0, limits.MEMBERS_MAX * (1 + limits.WAVES_MAX))]
    evidence: Annotated[tuple[Envelope, ...], Count(0, limits.EVIDENCE_MAX)]
    cosigns: Annotated[tuple[Envelope, ...], Count(0, limits.MEMBERS_MAX)]
    """Ascending by id, as are answers, ballots, declines and evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """A member's request over a stream: the chain (no ids), or contributions that a closing names (R13)."""

    query: DigestField
    ids: Annotated[tuple[DigestField, ...], Count(0, limits.PULL_IDS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PullReply:
    """The reply to a pull: the envelopes that the server holds and may give, and a private query's conversation."""

    turns: Turns
    envelopes: Annotated[tuple[Envelope, ...], Count(0, limits.PULL_IDS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """The reply to a ping."""

    clock_ms: TimeMs
    """Time on the replying node's clock."""
