"""The rounds that a node asked, as lists and one by one; why an answer won."""

from typing import Final

import msgspec

from node.api.common import Count, DigestHex, KeyHex, Share
from node.api.conversation import Audience, Turn
from node.api.events import ComparedPair, Seated
from node.api.findings import AnswerFindings, RoundTesting
from protocol.types import FinishReason, Outcome, OutcomeReason, StopReason, TaskType, TokenSource

HEAD_CHARS_MAX: Final = 200
"""Characters of a text in a list: what fits on two lines."""

SEARCH_CHARS_MAX: Final = 200
"""Characters of a text that is searched for: more than anybody types."""

PAGE_MAX: Final = 100
"""Most rows of one page: some 100 KiB."""

CURSOR_CHARS_MAX: Final = 96
"""Characters of a cursor, as `next` names it: a time, and an id of 64 digits."""

INTERRUPTED: Final = "interrupted"
"""Ending of a round during which the node stopped."""


class RoundSummary(msgspec.Struct, frozen=True):
    """One round in short."""

    query_id: DigestHex
    """The round's id."""
    asked_ms: Count
    """Time of the query, ms since the Unix epoch."""
    ended_ms: Count | None
    """Time of the end, ms since the Unix epoch; null while the round is open, and if the node stopped before it."""
    task: TaskType
    """Kind of task."""
    audience: Audience | None
    """Nodes that may read the conversation; null: another node asked a private query, and only it knows them."""
    gold: bool
    """Whether the node asked by itself, knowing the right answer."""
    text: str
    """Beginning of the last turn, at most 200 characters."""
    turns: Count
    """Number of turns."""
    ending: str | None
    """`finished`, `cancelled`, `void`, `lost`, `left` or `interrupted` (the node stopped); null while it is open."""
    outcome: Outcome | None
    """Its outcome; null if it has none, or none yet."""
    reason: OutcomeReason | None
    """Reason why the outcome is not `decided`; else `none`; null without an outcome."""
    why_not: str
    """One line on why there is no certificate; empty if there is one, or while the round is open."""
    p_best: Share | None
    """Probability that no other answer is better; null without an answer."""
    p_correct: Share | None
    """Probability that the answer is right; null if it is not calibrated on this node's gold."""
    author: str
    """Public key of the winner's author; empty without an answer."""
    answer: str
    """Beginning of the answer, at most 200 characters."""
    certified: bool
    """Whether the round has a certificate."""


class RoundPage(msgspec.Struct, frozen=True):
    """A page of the rounds that the node asked, newest first."""

    rounds: tuple[RoundSummary, ...]
    """The page's rounds."""
    next: str | None
    """Value of `after` for the next page; null: there is none."""


class CertifiedSeat(Seated, frozen=True):
    """A seat of the roster, with all weights that the fit reads."""

    author_weight: float = 0.0
    """Prior mean of the strength of the member's answers."""


class CertifiedAnswer(msgspec.Struct, frozen=True):
    """One answer of the slate, and its place."""

    number: Count
    """Position on the slate, by which ballots refer to it."""
    place: Count | None
    """Place in the ranking, from 1; null: it was set aside by what testers found, or its author was removed."""
    answer_id: DigestHex
    """Id of the message that opened it."""
    author: KeyHex
    """Public key of its author."""
    text: str
    """The answer."""
    strength: float | None
    """Bradley-Terry log-parameter, of which only differences within the round mean something: findings shift all of
    them; null without a place."""
    p_best: Share | None
    """Probability that no other cluster is better than this answer's; null without a place."""
    cluster: Count
    """A number that answers share which are equal, or behave alike."""
    cluster_size: Count
    """Number of equal answers in the ranking, this one included."""
    finish: FinishReason
    """Reason why the model stopped generating."""
    prompt_tokens: Count
    """Tokens of the author's prompt."""
    answer_tokens: Count
    """Tokens of the answer."""
    token_source: TokenSource
    """Source of these counts."""
    findings: AnswerFindings | None = None
    """What testers settled about it; null if nothing was tested."""


class CertifiedBallot(msgspec.Struct, frozen=True):
    """A ballot that counts."""

    judge: KeyHex
    """Public key of the judge."""
    wave: Count
    """The wave of judging, from 0."""
    pairs: tuple[ComparedPair, ...]
    """Its comparisons."""


class PairSum(msgspec.Struct, frozen=True):
    """All comparisons of two answers, whichever was shown first."""

    one: Count
    """Number of an answer."""
    other: Count
    """Number of another answer, which is greater."""
    judgements: Count
    """Judgements without abstentions."""
    preferred: float
    """Sum of the preferences for `one`: its share of the judgements, each judge counted alike."""
    abstentions: Count
    """Comparisons in which a judge abstained."""


class CertifiedDecline(msgspec.Struct, frozen=True):
    """A decline that a closing lists."""

    author: KeyHex
    """Public key of the member."""
    phase: str
    """Phase in question."""
    wave: Count
    """The wave of judging, from 0; else 0."""
    reason: str
    """Reason for declining."""


class CertificateDetail(msgspec.Struct, frozen=True):
    """What the round's certificate says, verified: who was heard, and why the winner won."""

    requester: KeyHex
    """Public key of the node that asked."""
    network: str
    """Name of the network."""
    stop: StopReason
    """Reason why judging ended."""
    threshold: Share
    """P(best) at which the requester might stop."""
    confidence_min: Share
    """P(correct) below which the outcome is degraded."""
    full: bool
    """Whether more than two thirds of the members with weight co-signed; all if they are three or fewer."""
    cosigners: tuple[KeyHex, ...]
    """Public keys of the members that co-signed."""
    seats: tuple[CertifiedSeat, ...]
    """The roster."""
    answers: tuple[CertifiedAnswer, ...]
    """All answers, best first; those without a place last."""
    ballots: tuple[CertifiedBallot, ...]
    """All ballots that count, by wave."""
    pairs: tuple[PairSum, ...]
    """The comparisons of each pair of answers that was compared."""
    declines: tuple[CertifiedDecline, ...]
    """All declines that closings list."""
    unopened: tuple[KeyHex, ...]
    """Members that committed to an answer and did not open it."""
    silent_judges: tuple[KeyHex, ...]
    """Judges that had pairs and neither declined nor have a ballot that counts."""
    removed: tuple[KeyHex, ...]
    """Members that were removed for equivocation."""
    testing: RoundTesting | None = None
    """The testing phase; null if the question asked for none."""


class RoundDetail(msgspec.Struct, frozen=True):
    """Everything that the node knows of one round."""

    round: RoundSummary
    """The round in short."""
    ours: bool
    """Whether this node asked it; else it was a member, and its certificate is the source."""
    conversation: tuple[Turn, ...]
    """The turns; none if a certificate without the text is the source."""
    answer: str
    """The whole answer; empty without one."""
    members: tuple[KeyHex, ...]
    """The roster."""
    received: tuple[KeyHex, ...] | None
    """Members that have the text for sure: they fetched it from this node, or contributed. Others of the roster may
    have it from a member. null: the text was published, so that everybody may have it, or another node asked, which
    alone knows."""
    refused: dict[KeyHex, str]
    """Members that did not work on the query, with the reason."""
    declined: dict[KeyHex, str]
    """Members that contributed nothing to a phase, with the reason."""
    own_engine: str
    """Reason why this node's own engine contributed nothing; empty if it did."""
    timings_ms: dict[str, int]
    """Length of each phase, `to_answer` and `total`, ms; empty for a round of another node."""
    certificate_url: str | None
    """Path from which the certificate is fetched; null: this node does not hold it."""
    certificate: CertificateDetail | None
    """What the certificate says; null without one, and if another version of strand is needed to read it."""


class Cancelled(msgspec.Struct, frozen=True):
    """Result of cancelling a round."""

    cancelled: bool
    """Whether the round was cancelled; false if it is not this node's, or was decided or over already."""
