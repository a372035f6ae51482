"""Events of a round, as a node publishes them: one typed schema, which is also their JSON form.

Each kind of event is a struct. In JSON it is one flat object: `event` names the kind (the class's name in lower case
with underscores), the other keys are the struct's fields. Keys, answers' ids and digests are hexadecimal, times are
whole milliseconds, probabilities and preferences are between 0 and 1, and enumerations are their lower-case words.
`msgspec.json.encode` writes an event, `msgspec.json.decode(line, type=RoundEvent)` reads it.

A reader must ignore unknown kinds and keys: new ones may appear without a new SCHEMA_VERSION.
"""

import re
from collections.abc import Mapping
from typing import ClassVar, Final

import msgspec

from node.api.common import Count, DigestHex, KeyHex, Share
from node.api.conversation import Audience, Turn
from node.api.findings import AnswerFindings, RoundTesting, SetAside
from node.api.ranking import ReportedAnswer
from protocol.types import (
    DeclinedPhase,
    DeclineReason,
    FinishReason,
    Outcome,
    OutcomeReason,
    StopReason,
    TaskType,
    TokenSource,
)

SCHEMA_VERSION: Final = 1
"""Version of the schema; it increases when a key or a kind is dropped or changes its meaning."""


STOPPED: Final = "the node was stopped before the round's end"
"""`Ended.fault` of a round that its node leaves because it stops."""


def _tag(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class BaseEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=_tag):
    """Fields of every event."""

    kept: ClassVar[bool] = False
    """Whether a slow subscriber loses other events first: a round has this event once, and readers depend on it."""

    query_id: DigestHex = ""
    """The round's id; its certificate is fetched by it."""
    at_ms: Count = 0
    """Time since the node signed the query or joined the round, ms."""
    seq: Count = 0
    """Ascending number among all events that this node has published since its start; one reader sees gaps."""
    missed: Count = 0
    """Events before this one that its slow reader has lost."""
    version: Count = SCHEMA_VERSION
    """Version of this schema."""


# -- the requester's side ----------------------------------------------------------------------------------------------


class Seated(msgspec.Struct, frozen=True):
    """A seat of the query's roster, with its weights."""

    member: KeyHex
    """Public key of the member."""
    roles: tuple[str, ...]
    """Roles of the seat: `answer` and `judge`."""
    vote_weight: float
    """Weight of the member's own answer as a vote, as a multiple of a full vote."""
    judge_weight: float
    """Weight of the member's judgements, as a multiple of a full judge's."""


class Asked(BaseEvent, frozen=True, kw_only=True):
    """The round has begun: always the first event for its requester."""

    kept: ClassVar[bool] = True

    members: tuple[KeyHex, ...]
    """The roster: members that may answer and judge."""
    task: TaskType | None = None
    """Kind of task, which decides how equal answers are recognised."""
    seats: tuple[Seated, ...] = ()
    """The roster, with the roles and weights of each seat."""
    asked_ms: Count = 0
    """Time of the query, ms since the Unix epoch."""
    turns: tuple[Turn, ...] = ()
    """The conversation."""
    audience: Audience | None = None
    """Nodes that may read the conversation."""
    gold: bool = False
    """Whether the node asked by itself, knowing the right answer."""
    budgets_ms: dict[str, Count] = {}
    """Longest time of each phase, as `progress` names it, ms; of `judging` that of one wave, of `testing` that of one
    stage. A phase that the round does not have is not among them."""
    waves: tuple[Count, ...] = ()
    """The plan of judging: pairs for each judge, wave by wave."""
    threshold: Share | None = None
    """P(best) at which judging may stop; null: not told by a node of an earlier version."""


class TextSent(BaseEvent, frozen=True, kw_only=True):
    """A member has fetched the text of the query, which is not published, from the asking node."""

    kept: ClassVar[bool] = True

    member: KeyHex
    """Public key of the member."""


class Progress(BaseEvent, frozen=True, kw_only=True):
    """A phase has begun or changed: within a phase at most one event every 50 ms."""

    phase: str
    """`answering`, `opening`, `testing`, `judging`, `cosigning` or `failed`."""
    wave: Count
    """The wave of judging, or the stage of testing, from 0."""
    received: tuple[KeyHex, ...]
    """Members whose contributions have arrived."""
    expected: tuple[KeyHex, ...]
    """Members whose contributions the phase expects."""
    silent: tuple[KeyHex, ...]
    """Expected members without a sign of life."""
    refused: dict[KeyHex, str]
    """Expected members that do not work on the query, with the reason."""
    declined: dict[KeyHex, str]
    """Expected members that contribute nothing in this phase, with the reason."""


class AnswerOpened(BaseEvent, frozen=True, kw_only=True):
    """An answer is on the slate."""

    number: Count
    """Position on the slate, from 0, by which ballots refer to it."""
    answer_id: DigestHex
    """Id of the message that opened the answer."""
    author: KeyHex
    """Author of the answer."""
    cluster: Count
    """A number that answers with equal texts share."""
    finish: FinishReason
    """Reason why the model stopped generating."""
    prompt_tokens: Count
    """Tokens of the author's prompt."""
    answer_tokens: Count
    """Tokens of the answer."""
    token_source: TokenSource
    """Source of these counts."""


class AnswerFound(msgspec.Struct, frozen=True):
    """What was found out about one answer."""

    number: Count
    """Position on the slate."""
    findings: AnswerFindings
    """What one tester states, or what the reports settle."""


class ReportCounted(BaseEvent, frozen=True, kw_only=True):
    """A tester's report counts, because the closing of the stage lists it."""

    tester: KeyHex
    """Member that tested."""
    stage: Count
    """The stage of testing, from 0."""
    answers: tuple[AnswerFound, ...]
    """What it states about each answer that was assigned to it."""


class FindingsSettled(BaseEvent, frozen=True, kw_only=True):
    """A stage of testing is closed: what the reports up to now settle."""

    stage: Count
    """The stage of testing, from 0."""
    tool_versions: str
    """Versions of compiler, input generator and extractor that the testers share."""
    answers: tuple[AnswerFound, ...]
    """All answers of the slate, in its order."""


class ComparedPair(msgspec.Struct, frozen=True):
    """One comparison of a ballot."""

    first: Count
    """Number of the answer shown first to the judge."""
    second: Count
    """Number of the other answer."""
    preference: Share | None
    """Probability, according to the judge, that the first is better; null: it abstains."""


class BallotCounted(BaseEvent, frozen=True, kw_only=True):
    """A judge's ballot counts, because the wave's closing lists it."""

    judge: KeyHex
    """Judge that cast the ballot."""
    wave: Count
    """The wave of judging, from 0."""
    pairs: tuple[ComparedPair, ...]
    """Comparisons of the ballot."""


class AnswerStrength(msgspec.Struct, frozen=True):
    """Standing of one answer after a wave."""

    number: Count
    """Position on the slate."""
    author: KeyHex
    """Author of the answer."""
    strength: float
    """Bradley-Terry log-parameter. Only differences within the round mean something: findings shift all of them."""
    p_best: Share
    """Probability that no other cluster is better than this answer's."""
    cluster_size: Count
    """Number of equal answers, this one included."""
    interval: tuple[float, float] | None = None
    """Bounds of the strength: nine tenths of its posterior lie between them, as much below as above; null: not told by
    a node of an earlier version."""


class Strengths(BaseEvent, frozen=True, kw_only=True):
    """The ranking after a wave, from all ballots that count."""

    wave: Count
    """The wave of judging, from 0."""
    ranking: tuple[AnswerStrength, ...]
    """Answers, best first."""


class Decided(BaseEvent, frozen=True, kw_only=True):
    """The answer is decided; its certificate follows when members have co-signed."""

    kept: ClassVar[bool] = True

    outcome: Outcome
    """Outcome of the round."""
    reason: OutcomeReason
    """Reason why the outcome is not `decided`; else `none`."""
    winner: str
    """Id of the winning answer, hexadecimal; empty if the round failed."""
    p_best: Share
    """Probability that no other answer is better."""
    p_correct: Share | None
    """Probability that the answer is right; null if it is not calibrated on the requester's gold."""
    answer: str
    """The winning answer's text; empty if the round failed."""
    own_engine: str = ""
    """Reason why the requesting node's own engine contributed nothing; empty if it did."""
    finish: FinishReason | None = None
    """Reason why the winner's model stopped generating; null if the round failed."""
    prompt_tokens: Count = 0
    """Tokens of the winner's prompt."""
    answer_tokens: Count = 0
    """Tokens of the winning answer."""
    token_source: TokenSource | None = None
    """Source of these counts; null if the round failed."""
    author: str = ""
    """Public key of the winner's author; empty if the round failed."""
    findings: AnswerFindings | None = None
    """What testers settled about the answer; null if nothing was tested, or the round failed."""
    ranking: tuple[ReportedAnswer, ...] = ()
    """All answers that can win, best first."""
    set_aside: tuple[SetAside, ...] = ()
    """Answers that cannot win because they do not compile or fail a test."""
    testing: RoundTesting | None = None
    """The testing phase; null if the question asked for none, or the round failed."""
    stop: StopReason | None = None
    """Reason why judging stopped; null: not told by a node of an earlier version."""


class Certified(BaseEvent, frozen=True, kw_only=True):
    """The certificate is available."""

    kept: ClassVar[bool] = True

    outcome: Outcome
    """Outcome of the round."""
    bytes: Count
    """Size of the certificate."""


class Ended(BaseEvent, frozen=True, kw_only=True):
    """The round is over for one of the node's roles."""

    kept: ClassVar[bool] = True

    role: str
    """`requester` or `member`."""
    ending: str
    """`finished`, `void`, `lost` or `left`."""
    outcome: Outcome | None
    """Outcome of the round; null if this role does not learn it."""
    fault: str | None
    """Fault that made the round void; null if there is none."""


# -- the member's side -------------------------------------------------------------------------------------------------


class Joined(BaseEvent, frozen=True, kw_only=True):
    """The node works on a query."""

    kept: ClassVar[bool] = True

    requester: KeyHex
    """Public key of the requester."""
    task: TaskType
    """Kind of task, which decides how equal answers are recognised."""
    budget_ms: Count
    """Longest duration of the round, ms."""


class GenerationStarted(BaseEvent, frozen=True, kw_only=True):
    """The node's engine starts to generate an answer."""

    max_tokens: Count
    """Greatest length of the answer in tokens."""
    budget_ms: Count
    """Time limit, ms."""


class AnswerTestingStarted(BaseEvent, frozen=True, kw_only=True):
    """The node starts to test the answers of a stage in its sandbox."""

    stage: Count
    """The stage of testing, from 0."""
    answers: Count
    """Number of answers."""
    budget_ms: Count
    """Time limit, ms."""


class JudgingStarted(BaseEvent, frozen=True, kw_only=True):
    """The node's engine starts the comparisons of a wave."""

    wave: Count
    """The wave of judging, from 0."""
    pairs: Count
    """Number of comparisons."""
    budget_ms: Count
    """Time limit, ms."""


class Declined(BaseEvent, frozen=True, kw_only=True):
    """The node has declined to contribute in a phase."""

    phase: DeclinedPhase
    """Phase in question."""
    wave: Count
    """The wave of judging, or the stage of testing, from 0; else 0."""
    reason: DeclineReason
    """Reason for declining."""


RoundEvent = (
    Asked
    | TextSent
    | Progress
    | AnswerOpened
    | ReportCounted
    | FindingsSettled
    | BallotCounted
    | Strengths
    | Decided
    | Certified
    | Ended
    | Joined
    | GenerationStarted
    | AnswerTestingStarted
    | JudgingStarted
    | Declined
)
"""Union of all kinds, as which a line is decoded."""


class EventsMissed(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="missed"):
    """A stream of events that goes on where another ended, and has lost some in between."""

    missed: Count | None
    """Number of lost events of any round, at least; null: the node has started since, so that nobody knows."""


StreamedEvent = RoundEvent | EventsMissed
"""Union of all that a stream of all rounds holds."""

PLAIN_KEYS: Final[Mapping[type[BaseEvent], tuple[str, ...]]] = {
    Asked: ("query_id", "at_ms", "members", "audience"),
    Progress: ("phase", "wave", "received", "expected", "silent", "refused", "declined", "at_ms"),
    Decided: ("outcome", "reason", "winner", "p_best", "p_correct", "answer", "at_ms", "own_engine", "findings"),
    Certified: ("outcome", "bytes", "at_ms"),
    Ended: ("role", "ending", "outcome", "fault", "at_ms"),
}
"""Events of a stream without details: the requester's own events of these kinds, with these keys beside `event`."""


def encode_plain(event: BaseEvent) -> bytes:
    """Return the JSON of an event of a kind in PLAIN_KEYS, with those keys only."""
    keys = PLAIN_KEYS[type(event)]
    return msgspec.json.encode({"event": event.__struct_config__.tag} | {key: getattr(event, key) for key in keys})
