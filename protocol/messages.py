"""The messages, one frozen schema each. The codec reads types and bounds from here; README.md gives their meaning.

The order of fields in a class serves the reader; on the wire a message is a map with its keys in ascending order.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import limits
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
    CompileStatus,
    DeclinedPhase,
    DeclineReason,
    FindingKind,
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

Ids = Annotated[tuple[DigestField, ...], Count(0, limits.MEMBERS_MAX)]
EvidenceIds = Annotated[tuple[DigestField, ...], Count(0, limits.EVIDENCE_MAX)]
RideAlong = Annotated[tuple[Envelope, ...], Count(0, 2 * limits.MEMBERS_MAX)]
Tau = Annotated[int, Range(limits.TAU_MIN, limits.TAU_MAX)]
Wave = Annotated[int, Range(0, limits.WAVES_MAX - 1)]
Stage = Annotated[int, Range(0, limits.STAGES_MAX - 1)]
OctetCount = Annotated[int, Range(0, 255)]
"""A count that stops at 255."""
CheckCounts = Annotated[tuple[OctetCount, ...], Count(3, 3)]
"""Checks that passed, that failed, and that could not be run."""
ToolVersions = Annotated[str, Size(0, limits.NAME_BYTES_MAX)]
"""Versions of toolchain, generator and extractor: only reports of equal ones are compared. Empty: cannot test."""


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
    tool_versions: ToolVersions
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
    tool_versions: ToolVersions
    """Test capability, from its offer."""
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
class FindingsPlan:
    """What testers are to find out about the answers to a query, and what it weighs (rules R17, R18).

    The strengths are log-odds in 2^-16, added to the prior mean of an answer's strength.
    """

    kinds: FindingKind
    """Findings that are asked for; 0: the round has no testing phase."""
    budget_ms: DurationMs
    """Budget of one stage."""
    tests_digest: OptionalDigest
    """Digest of the asker's tests, which members pull after the commits closing; empty: none."""
    agreement: Weight
    """Strength of independent answers with the same behaviour, for each unit of vote weight that agrees."""
    compiles: Weight
    """Strength of an answer that compiles."""
    tests: Weight
    """Strength of an answer that passes the asker's tests and the query's examples, all that were run."""
    lint: Weight
    """Strength that an answer loses to warnings: all of it with 8 of them."""
    agreed_share: Share
    """Share of the vote weight whose equal behaviour decides the round without ballots; 0 disables it."""


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
    calibration_findings: SignedWeight
    """P(correct) = σ(intercept + slope · logit P(best) + findings · score), fitted on the requester's gold; `score` is
    the strength that findings give the winner, at most 4 log-odds. Without gold: 0, ONE and 0."""
    confidence_min: Share
    """The outcome is degraded below this P(correct): the asker wants no guess. 0 disables the check."""
    beta: Annotated[int, Range(0, limits.BETA_MAX)]
    """Weight of votes in the prior of a cluster's strength, 2^-16."""
    tau_u: Tau
    """Prior standard deviation of the clusters' strengths, 2^-16 log-odds."""
    tau_v: Tau
    """Prior standard deviation of an answer's strength around its cluster's, 2^-16 log-odds."""
    futility: Weight
    """Gain expected of the next wave below which the round stops, 2^-16 log-odds (rule R19); 0 disables it."""
    findings: FindingsPlan
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
class Findings:
    """What one tester found out about one answer. Counts and digests only: no text of a compiler or a program."""

    answer: Annotated[int, Range(0, limits.MEMBERS_MAX - 1)]
    """Position in the slate's list of answers."""
    source: Annotated[bytes, Size(limits.SOURCE_BYTES, limits.SOURCE_BYTES, or_empty=True)]
    """Digest of the source that was extracted from the answer; empty: none was found."""
    status: CompileStatus
    error: Annotated[int, Range(0, limits.ERROR_CODE_MAX)]
    """Number of the first error's code, 308 of E0308; 0: none. Without a status: why it was not compiled (R17)."""
    lints: Annotated[bytes, Size(limits.LINT_CLASSES, limits.LINT_CLASSES, or_empty=True)]
    """Warnings of each class, one byte each; empty: not looked for."""
    unsafe: OctetCount
    """Number of `unsafe` blocks, functions and implementations."""
    panics: OctetCount
    """Number of inputs on which it panicked."""
    tests: CheckCounts
    """The asker's tests."""
    examples: CheckCounts
    """Checks made of examples in the query."""
    outcomes: Annotated[bytes, Size(0, limits.OUTCOMES_MAX * limits.OUTCOME_BYTES)]
    """One digest for each input, keyed by the round; zero bytes: no information on that input. Empty: none at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A tester's findings about exactly the answers that were assigned to it in one stage (rule R17)."""

    KIND: ClassVar[Kind] = Kind.REPORT
    author: KeyField
    query: DigestField
    on: DigestField
    """Id of the slate closing, or of the reports closing of the stage before."""
    stage: Stage
    findings: Annotated[tuple[Findings, ...], Count(1, limits.MEMBERS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseReports:
    """Ends a stage of testing; clusters, further testers and pairs follow from it."""

    KIND: ClassVar[Kind] = Kind.CLOSE_REPORTS
    author: KeyField
    query: DigestField
    prev: DigestField
    stage: Stage
    reports: Ids
    declines: Ids
    evidence: EvidenceIds
    ride_along: RideAlong


@dataclass(frozen=True, slots=True, kw_only=True)
class BallotEntry:
    """One comparison: `first` and `second` are positions in the slate's list of answers."""

    first: Annotated[int, Range(0, limits.MEMBERS_MAX - 1)]
    second: Annotated[int, Range(0, limits.MEMBERS_MAX - 1)]
    preference: Annotated[int, Range(ABSTAIN, ONE)]
    """Probability that the first answer is better, 2^-16; -1 abstains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """A judge's comparisons of exactly the pairs that were assigned to it in one wave."""

    KIND: ClassVar[Kind] = Kind.BALLOT
    author: KeyField
    query: DigestField
    on: DigestField
    """Id of the slate closing, or of the closing before."""
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
    """Id of the query, or of the closing, on which the member does not act."""
    phase: DeclinedPhase
    wave: Wave
    """The wave when judging, the stage when testing, else 0."""
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
    | Report
    | CloseReports
)
PhaseClosing = CloseCommits | CloseSlate | CloseReports | CloseWave | CloseTally
"""Closings that end a phase and count contributions."""
Closing = PhaseClosing | Cancel
Contribution = Commit | Answer | Report | Ballot | Cosign | Decline

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
        Report,
        CloseReports,
    )
}
