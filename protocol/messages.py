"""The messages, one frozen schema each. The codec reads types and bounds from here; README.md says what they mean.

Order of fields in the class is for the reader; on the wire a message is a map with its keys in ascending order.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import limits
from protocol.params import NetworkParams
from protocol.schema import (
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
from protocol.types import (
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
)

Ids = Annotated[tuple[DigestField, ...], Count(0, limits.MEMBERS_MAX)]
EvidenceIds = Annotated[tuple[DigestField, ...], Count(0, limits.EVIDENCE_MAX)]
RideAlong = Annotated[tuple[Envelope, ...], Count(0, 2 * limits.MEMBERS_MAX)]
Tau = Annotated[int, Range(limits.TAU_MIN, limits.TAU_MAX)]
Wave = Annotated[int, Range(0, limits.WAVES_MAX - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A node says what it can do; valid for `offer_valid_ms` from `sent_at_ms`."""

    KIND: ClassVar[Kind] = Kind.OFFER
    author: KeyField
    sequence: TimeMs
    """Greater than that of the author's earlier offers."""
    sent_at_ms: TimeMs
    roles: Role
    specialties: Annotated[tuple[Name, ...], Count(0, limits.SPECIALTIES_MAX)]
    model: Annotated[str, Size(0, limits.NAME_BYTES_MAX)]
    context_tokens: Counter
    milli_tokens_per_second: Counter
    queue: Counter
    """Requests that wait at the node's engine."""
    addresses: Annotated[tuple[Annotated[str, Size(1, limits.ADDRESS_BYTES_MAX)], ...], Count(0, limits.ADDRESSES_MAX)]
    """Multiaddrs under which the node can be dialled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One member in a roster, with everything that the fit reads of it (roster version 1)."""

    member: KeyField
    roles: Role
    vote_weight: Weight
    """Weight of its answer as a vote for its cluster, and of its co-signature (none or some)."""
    judge_weight: SignedWeight
    """Below zero its preferences are turned round. A factor common to all says how much judging is worth."""
    author_weight: SignedWeight
    """Prior mean of its answers' strength."""
    honest: PositiveWeight
    inverse: PositiveWeight
    coin: PositiveWeight
    partisan: PositiveWeight
    """Counts of the judge's mixture, Dirichlet prior included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question to the members of its roster. The query's id is the round's."""

    KIND: ClassVar[Kind] = Kind.QUERY
    author: KeyField
    specialty: Name
    shard: Annotated[int, Range(0, 65535)]
    task: TaskType
    content: Text
    """Empty for a private query: members pull it by `content_digest` from the requester."""
    content_digest: DigestField
    max_tokens: Tokens
    answer_ms: DurationMs
    open_ms: DurationMs
    judge_ms: DurationMs
    """Budget of one wave."""
    cosign_ms: DurationMs
    patience_ms: DurationMs
    waves: Annotated[tuple[Annotated[int, Range(1, limits.PAIRS_MAX)], ...], Count(1, limits.WAVES_MAX)]
    """Pairs for each judge, wave by wave."""
    threshold: Share
    """P(best) at which the requester may stop."""
    calibration_intercept: SignedWeight
    calibration_slope: Weight
    """P(correct) = σ(intercept + slope · logit P(best)), fitted on the requester's gold; without gold 0 and ONE."""
    confidence_min: Share
    """P(correct) below which the outcome is degraded: the asker wants no guess. 0: whatever it is."""
    beta: Annotated[int, Range(0, limits.BETA_MAX)]
    """What votes weigh in the prior of a cluster's strength, 2^-16."""
    tau_u: Tau
    """Standard deviation of the strengths of clusters, 2^-16 log-odds."""
    tau_v: Tau
    """Standard deviation of an answer's strength about its cluster's."""
    sent_at_ms: TimeMs
    nonce: Annotated[bytes, Size(limits.NONCE_BYTES, limits.NONCE_BYTES)]
    roster: Annotated[tuple[Seat, ...], Count(1, limits.MEMBERS_MAX)]
    """Ascending by member key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A member binds itself to an answer that nobody can see yet."""

    KIND: ClassVar[Kind] = Kind.COMMIT
    author: KeyField
    query: DigestField
    on: DigestField
    """The query."""
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
    """The query."""
    commitments: Annotated[tuple[Commitment, ...], Count(1, limits.MEMBERS_MAX)]
    """Ascending by member."""
    declines: Ids
    ride_along: RideAlong


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerContent:
    """What a commitment binds: its canonical encoding is hashed (rule R4)."""

    text: Text
    finish: FinishReason
    prompt_tokens: Counter
    answer_tokens: Counter
    token_source: TokenSource = TokenSource.ENGINE
    """Whether both counts were told by the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a member keeps to itself, in its journal, until it opens its commitment. Never sent as such."""

    content: AnswerContent
    salt: Annotated[bytes, Size(limits.SALT_BYTES, limits.SALT_BYTES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The opening of a commitment."""

    KIND: ClassVar[Kind] = Kind.ANSWER
    author: KeyField
    query: DigestField
    on: DigestField
    """The commits closing."""
    content: AnswerContent
    salt: Annotated[bytes, Size(limits.SALT_BYTES, limits.SALT_BYTES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSlate:
    """Ends the opening phase: these answers are ranked. Beacon and pairs follow from it."""

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
    """Probability mass on the first, 2^-16; -1 abstains."""
    evidence: Annotated[int, Range(0, 255)]
    """Code of what the judge had beside the texts; 0: nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """A judge's judgements of exactly the pairs that were assigned to it in one wave."""

    KIND: ClassVar[Kind] = Kind.BALLOT
    author: KeyField
    query: DigestField
    on: DigestField
    """The slate closing, or the closing of the wave before."""
    wave: Wave
    judgements: Annotated[tuple[BallotEntry, ...], Count(1, limits.PAIRS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseWave:
    """Ends a wave that another one follows; the next wave's pairs follow from it."""

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
    """Ends the judging: what the requester claims to follow from everything counted. Members recompute it (R8)."""

    KIND: ClassVar[Kind] = Kind.CLOSE_TALLY
    author: KeyField
    query: DigestField
    prev: DigestField
    ballots: Ids
    """The last wave's; earlier ones are named by the closings before."""
    declines: Ids
    """Of the last wave; of the phase of answers, where nobody committed."""
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
class Cosign:
    """A member's word on a tally: it recomputed everything and agrees, or objects and says why."""

    KIND: ClassVar[Kind] = Kind.COSIGN
    author: KeyField
    query: DigestField
    on: DigestField
    """The tally."""
    objection: Objection


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """A member says that it will give nothing in this phase, so that nobody waits for it (rule R15)."""

    KIND: ClassVar[Kind] = Kind.DECLINE
    author: KeyField
    query: DigestField
    on: DigestField
    """The query, slate closing, wave closing or tally that it does not act upon."""
    phase: DeclinedPhase
    wave: Wave
    """0 but when judging."""
    reason: DeclineReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """The requester tells all that a certificate exists; who wants it pulls it."""

    KIND: ClassVar[Kind] = Kind.NOTICE
    author: KeyField
    query: DigestField
    on: DigestField
    """The tally."""
    certificate_digest: DigestField
    certificate_bytes: Counter


@dataclass(frozen=True, slots=True, kw_only=True)
class EquivocationProof:
    """Two signed messages of one author for one slot that differ (R3). Its author is who found them."""

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
)
Closing = CloseCommits | CloseSlate | CloseWave | CloseTally
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
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A round's outcome with everything needed to recompute it offline. One canonical map, not itself signed."""

    version: Annotated[int, Range(1, 1)]
    params: NetworkParams
    query: Envelope
    content: Text
    """A private query's text if its holder chose to add it, else empty; its digest is in the query."""
    closings: Annotated[tuple[Envelope, ...], Count(1, limits.CLOSINGS_MAX)]
    answers: Annotated[tuple[Envelope, ...], Count(0, limits.MEMBERS_MAX)]
    ballots: Annotated[tuple[Envelope, ...], Count(0, limits.MEMBERS_MAX * limits.WAVES_MAX)]
    declines: Annotated[tuple[Envelope, ...], Count(0, limits.MEMBERS_MAX * (1 + limits.WAVES_MAX))]
    evidence: Annotated[tuple[Envelope, ...], Count(0, limits.EVIDENCE_MAX)]
    cosigns: Annotated[tuple[Envelope, ...], Count(0, limits.MEMBERS_MAX)]
    """Ascending by id, as are answers, ballots, declines and evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """What a member asks over a stream: the chain (no ids), or contributions that a closing names (R13)."""

    query: DigestField
    ids: Annotated[tuple[DigestField, ...], Count(0, limits.PULL_IDS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PullReply:
    """The answer to a pull: the envelopes that the server holds and may give, and a private query's content."""

    content: Text
    envelopes: Annotated[tuple[Envelope, ...], Count(0, limits.PULL_IDS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """The answer to a ping."""

    clock_ms: TimeMs
    """By the clock of the node that answers."""
