"""What happens in a round, as a node tells it: one typed schema, which is also its JSON form.

Each kind of event is a struct. In JSON it is one flat object: `event` names the kind (the class's name in lower case
with underscores), the other keys are the struct's fields. Keys, answers' ids and digests are hexadecimal, times are
whole milliseconds, probabilities and preferences are between 0 and 1, and enumerations are their lower-case words.
`msgspec.json.encode` writes an event, `msgspec.json.decode(line, type=RoundEvent)` reads it.

A reader leaves aside kinds and keys that it does not know: new ones may come without a new SCHEMA_VERSION.
"""

import re
from collections.abc import Mapping
from typing import ClassVar, Final

import msgspec

from node.api.common import Count, DigestHex, KeyHex, Share
from protocol.types import DeclinedPhase, DeclineReason, FinishReason, Outcome, OutcomeReason, TaskType, TokenSource

SCHEMA_VERSION: Final = 1
"""Grows when a key or a kind is dropped or changes its meaning."""


def _tag(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class BaseEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=_tag):
    """What every event has, from its publication on."""

    kept: ClassVar[bool] = False
    """Whether a slow subscriber loses others first: what a round has once, and nobody can do without."""

    query_id: DigestHex = ""
    """The round's id; its certificate is fetched by it."""
    at_ms: Count = 0
    """Time since the asked node signed the query or joined its round, ms."""
    seq: Count = 0
    """Number among the events that this node has published since its start, ascending, with gaps for one reader."""
    missed: Count = 0
    """Events before this one that its reader has lost because it was slow."""
    version: Count = SCHEMA_VERSION
    """Version of this schema."""


# -- the requester's side ----------------------------------------------------------------------------------------------


class Seated(msgspec.Struct, frozen=True):
    """A seat of the roster."""

    member: KeyHex
    """Whose it is."""
    roles: tuple[str, ...]
    """Of `answer` and `judge`."""
    vote_weight: float
    """How much an answer of this member speaks for itself, as a multiple of a full vote."""
    judge_weight: float
    """How much its judgements count, as a multiple of a full judge's."""


class Asked(BaseEvent, frozen=True, kw_only=True):
    """The round has begun: always the first event that its asker gets."""

    kept: ClassVar[bool] = True

    members: tuple[KeyHex, ...]
    """The roster: who may answer and judge."""
    task: TaskType | None = None
    """How equal answers are recognised."""
    seats: tuple[Seated, ...] = ()
    """The roster, with what each seat may do."""


class Progress(BaseEvent, frozen=True, kw_only=True):
    """A phase began, or something in it changed: within a phase at most one event every 50 ms."""

    phase: str
    """`answering`, `opening`, `judging`, `cosigning` or `failed`."""
    wave: Count
    """The wave of judging, from 0."""
    received: tuple[KeyHex, ...]
    """Members whose contributions are in."""
    expected: tuple[KeyHex, ...]
    """Members whose contributions the phase expects."""
    silent: tuple[KeyHex, ...]
    """Of those expected, members that give no sign of life."""
    refused: dict[KeyHex, str]
    """Of those expected, members that do not work on the query, and why."""
    declined: dict[KeyHex, str]
    """Of those expected, members that give nothing in this phase, and why."""


class AnswerOpened(BaseEvent, frozen=True, kw_only=True):
    """An answer stands on the slate."""

    number: Count
    """Its position on the slate, from 0, by which ballots name it."""
    answer_id: DigestHex
    """The id of the message that opened it."""
    author: KeyHex
    """Whose it is."""
    cluster: Count
    """A number that equal answers share."""
    finish: FinishReason
    """Why its model stopped writing."""
    prompt_tokens: Count
    """Tokens that its author's model read."""
    answer_tokens: Count
    """Tokens that it wrote."""
    token_source: TokenSource
    """Where these counts come from."""


class ComparedPair(msgspec.Struct, frozen=True):
    """One comparison of a ballot."""

    first: Count
    """Number of the answer that the judge saw first."""
    second: Count
    """Number of the other."""
    preference: Share | None
    """Probability, by the judge, that the first is the better one; null: it abstains."""


class BallotCounted(BaseEvent, frozen=True, kw_only=True):
    """A judge's ballot counts: the wave's closing names it."""

    judge: KeyHex
    """Whose it is."""
    wave: Count
    """The wave of judging, from 0."""
    pairs: tuple[ComparedPair, ...]
    """What it says."""


class AnswerStrength(msgspec.Struct, frozen=True):
    """One answer's place after a wave."""

    number: Count
    """Its position on the slate."""
    author: KeyHex
    """Whose it is."""
    strength: float
    """Bradley-Terry log-parameter."""
    p_best: Share
    """Probability that no other cluster is better than its own."""
    cluster_size: Count
    """Answers that equal it, itself included."""


class Strengths(BaseEvent, frozen=True, kw_only=True):
    """The ranking by all ballots that count after a wave."""

    wave: Count
    """The wave of judging, from 0."""
    ranking: tuple[AnswerStrength, ...]
    """Best first."""


class Decided(BaseEvent, frozen=True, kw_only=True):
    """The answer is there; its certificate follows when members have co-signed."""

    kept: ClassVar[bool] = True

    outcome: Outcome
    """How the round ended."""
    reason: OutcomeReason
    """Why the outcome is not `decided`; else `none`."""
    winner: str
    """Id of the winning answer, hexadecimal; empty if the round failed."""
    p_best: Share
    """Probability that no other answer is better."""
    p_correct: Share | None
    """Probability that the answer is right; null where no gold of the asker's stands behind it."""
    answer: str
    """The winning answer's text; empty if the round failed."""
    own_engine: str = ""
    """Why the asked node's own engine gave nothing to the round; empty if it did."""
    finish: FinishReason | None = None
    """Why the winner's model stopped writing; null if the round failed."""
    prompt_tokens: Count = 0
    """Tokens that the winner's model read."""
    answer_tokens: Count = 0
    """Tokens that it wrote."""
    token_source: TokenSource | None = None
    """Where these counts come from; null if the round failed."""


class Certified(BaseEvent, frozen=True, kw_only=True):
    """The certificate can be fetched."""

    kept: ClassVar[bool] = True

    outcome: Outcome
    """How the round ended."""
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
    """How the round ended; null where this role does not know."""
    fault: str | None
    """What made the round void; null where nothing did."""


# -- the member's side -------------------------------------------------------------------------------------------------


class Joined(BaseEvent, frozen=True, kw_only=True):
    """The node works on a query."""

    kept: ClassVar[bool] = True

    requester: KeyHex
    """Who asked it."""
    task: TaskType
    """How equal answers are recognised."""
    budget_ms: Count
    """How long the round may last, ms."""


class GenerationStarted(BaseEvent, frozen=True, kw_only=True):
    """The node's engine is asked for an answer."""

    max_tokens: Count
    """How long the answer may be."""
    budget_ms: Count
    """How long it may take, ms."""


class JudgingStarted(BaseEvent, frozen=True, kw_only=True):
    """The node's engine is asked for the comparisons of a wave."""

    wave: Count
    """The wave of judging, from 0."""
    pairs: Count
    """How many comparisons."""
    budget_ms: Count
    """How long they may take, ms."""


class Declined(BaseEvent, frozen=True, kw_only=True):
    """The node gives nothing in a phase, and has said so."""

    phase: DeclinedPhase
    """In which."""
    wave: Count
    """The wave of judging, from 0; else 0."""
    reason: DeclineReason
    """Why."""


RoundEvent = (
    Asked
    | Progress
    | AnswerOpened
    | BallotCounted
    | Strengths
    | Decided
    | Certified
    | Ended
    | Joined
    | GenerationStarted
    | JudgingStarted
    | Declined
)
"""Every kind: what a line is decoded as."""

PLAIN_KEYS: Final[Mapping[type[BaseEvent], tuple[str, ...]]] = {
    Asked: ("query_id", "at_ms", "members"),
    Progress: ("phase", "wave", "received", "expected", "silent", "refused", "declined", "at_ms"),
    Decided: ("outcome", "reason", "winner", "p_best", "p_correct", "answer", "at_ms", "own_engine"),
    Certified: ("outcome", "bytes", "at_ms"),
    Ended: ("role", "ending", "outcome", "fault", "at_ms"),
}
"""What a stream without details has: these kinds of the asker's own events, with these keys beside `event`."""


def encode_plain(event: BaseEvent) -> bytes:
    """Return the JSON of an event of one of PLAIN_KEYS, with those keys alone."""
    keys = PLAIN_KEYS[type(event)]
    return msgspec.json.encode({"event": _tag(type(event).__name__)} | {key: getattr(event, key) for key in keys})
