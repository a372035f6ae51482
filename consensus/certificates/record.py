"""The record of a round: everything counted so far, and the check whether a contribution counts (rules R2-R7).

`closings.extend` makes a record grow.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final, Protocol, TypeVar

from consensus.ranking.clusters import canonical_form
from consensus.ranking.settling import UNTESTED, SettledFindings
from consensus.ranking.testers import tool_versions_of
from protocol import codec
from protocol.conversation import bytes_of, digest_of
from protocol.errors import Fault, FaultReason
from protocol.hashing import answer_digest, commitment, digest_of_tests
from protocol.limits import OUTCOME_BYTES, STAGES_MAX
from protocol.messages import (
    Answer,
    AnswerContent,
    Ballot,
    Commit,
    Cosign,
    Decline,
    Query,
    Report,
    Seat,
    Turn,
)
from protocol.params import NetworkParams
from protocol.recall import Recall
from protocol.signing import VerifiedMessage
from protocol.topics import topic
from protocol.types import ABSTAIN, DeclinedPhase, Digest, Key, Role, TaskType, TurnRole
from protocol.versions import AGGREGATOR, CANONICAL_FORM, DRAWS

Body = TypeVar("Body")

Pairs = tuple[tuple[int, int], ...]
"""Ordered pairs of positions in the slate: the answer shown first, then the answer shown second."""


class Phase(StrEnum):
    """The step of a round; its name states what the round waits for."""

    ANSWERING = "answering"
    OPENING = "opening"
    TESTING = "testing"
    JUDGING = "judging"
    COSIGNING = "cosigning"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PhaseBudgets(Protocol):
    """Protocol of the budgets that limit a round's duration; a query has them."""

    @property
    def answer_ms(self) -> int:
        """Ms of the answering phase."""
        ...

    @property
    def open_ms(self) -> int:
        """Ms of the opening phase."""
        ...

    @property
    def judge_ms(self) -> int:
        """Ms of each wave of judging."""
        ...

    @property
    def cosign_ms(self) -> int:
        """Ms of the co-signing phase."""
        ...

    @property
    def waves(self) -> Sequence[int]:
        """Pairs for each judge, wave by wave."""
        ...


def round_ms(budgets: PhaseBudgets, stage_ms: int) -> int:
    """Return the longest that a round can take, ms: the budgets of all its phases (R11).

    `stage_ms`: budget of one stage of testing; 0 where nothing is tested.
    """
    judging_ms = len(budgets.waves) * budgets.judge_ms
    return budgets.answer_ms + budgets.open_ms + STAGES_MAX * stage_ms + judging_ms + budgets.cosign_ms


def query_ms(query: Query) -> int:
    """Return the longest that the round of a query can take, ms."""
    return round_ms(query, query.findings.budget_ms if query.findings.kinds else 0)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class RoundRecord:
    """Everything counted so far, in canonical order."""

    params: NetworkParams
    message: VerifiedMessage
    """The signed query."""
    query: Query
    seats: Mapping[Key, Seat]
    phase: Phase = Phase.ANSWERING
    closings: tuple[VerifiedMessage, ...] = ()
    commitments: Mapping[Key, Digest] = field(default_factory=dict)
    answers: tuple[VerifiedMessage, ...] = ()
    """Counted answers, ascending by id: the slate. Judgements refer to positions in it."""
    texts: tuple[int, ...] = ()
    """Cluster of equal text of each answer of the slate (R7), numbered by first appearance."""
    clusters: tuple[int, ...] = ()
    """Cluster of each answer of the slate, by text and, once it is tested, by behaviour (R18)."""
    stage: int = 0
    """The stage of testing that is under way, or that came last."""
    reports: tuple[VerifiedMessage, ...] = ()
    findings: tuple[SettledFindings, ...] = ()
    """What the reports so far settle about each answer of the slate."""
    testers: Mapping[Key, tuple[int, ...]] = field(default_factory=dict)
    """Positions of the answers that each tester reports on in this stage."""
    ballots: tuple[VerifiedMessage, ...] = ()
    declines: tuple[VerifiedMessage, ...] = ()
    """Declines that closings list (R15): the round did not wait for their authors."""
    evidence: tuple[VerifiedMessage, ...] = ()
    removed: frozenset[Key] = frozenset()
    """Authors against whom a closing lists evidence."""
    absent: frozenset[Key] = frozenset()
    """Judges whose ballot is missing in an earlier wave's closing: later waves exclude them (R11)."""
    wave: int = 0
    """The wave that is being judged, or that the tally closed."""
    beacon: bytes = b""
    assignment: Mapping[Key, Pairs] = field(default_factory=dict)
    """Pairs of each judge in this wave; empty if there is nothing to compare."""
    before: "RoundRecord | None" = field(default=None, repr=False, compare=False)
    """The record that the last closing extended. Strong reference: it keeps earlier records alive in the weak memo, so
    that replaying the chain hits the cache."""

    @property
    def id(self) -> Digest:
        """The query's id, which identifies the round."""
        return self.message.id

    @property
    def head(self) -> Digest:
        """The id that the next closing's `prev`, and the next contribution's `on`, must name."""
        return self.closings[-1].id if self.closings else self.message.id

    @property
    def is_private(self) -> bool:
        """Whether nobody but the members gets the query's text, and the answers, which may quote it."""
        return not self.query.turns

    @property
    def topic(self) -> str:
        """The sub-mesh in which the round takes place."""
        return topic(self.params, self.query.specialty, self.query.shard)

    @property
    def budget_ms(self) -> int:
        """Longest duration of this phase in milliseconds (R11)."""
        match self.phase:
            case Phase.ANSWERING:
                return self.query.answer_ms
            case Phase.OPENING:
                return self.query.open_ms
            case Phase.TESTING:
                return self.query.findings.budget_ms
            case Phase.JUDGING:
                return self.query.judge_ms
            case Phase.COSIGNING | Phase.FAILED | Phase.CANCELLED:
                return self.query.cosign_ms

    @property
    def named(self) -> tuple[VerifiedMessage, ...]:
        """Every message that the closings name by id."""
        return (*self.answers, *self.reports, *self.ballots, *self.declines, *self.evidence)

    @property
    def contents(self) -> dict[Digest, AnswerContent]:
        """Contents of the counted answers, by id, in the order of the slate."""
        return {message.id: message.body.content for message in self.answers if isinstance(message.body, Answer)}

    @property
    def repetition(self) -> int:
        """The wave while judging, the stage while testing, else 0: what a ballot, report or decline must state."""
        match self.phase:
            case Phase.JUDGING:
                return self.wave
            case Phase.TESTING:
                return self.stage
            case _:
                return 0

    @property
    def tool_versions(self) -> str:
        """The tool versions of the seats that may test in this round; empty: nobody can."""
        return tool_versions_of(self.seats.values())

    def votes_of(self, index: int) -> int:
        """Return the vote weight, 2^-16, of the author of the answer at this position of the slate."""
        return self.seats[Key(self.answers[index].author)].vote_weight

    def found(self, index: int) -> SettledFindings:
        """Return what is settled about the answer at this position of the slate."""
        return self.findings[index] if self.findings else UNTESTED

    def declined(self, phase: DeclinedPhase, wave: int = 0) -> frozenset[Key]:
        """Return the members whose decline of this phase, or of this wave or stage, a closing names."""
        declines = bodies(self.declines, Decline)
        return frozenset(Key(each.author) for each in declines if (each.phase, each.wave) == (phase, wave))

    def expected(self) -> frozenset[Key]:
        """Return the members whose contributions this phase expects."""
        match self.phase:
            case Phase.ANSWERING:
                keys = {key for key, seat in self.seats.items() if Role.ANSWER in seat.roles}
            case Phase.OPENING:
                keys = set(self.commitments)
            case Phase.TESTING:
                keys = set(self.testers)
            case Phase.JUDGING:
                keys = set(self.assignment)
            case Phase.COSIGNING:
                keys = set(self.seats)
            case Phase.FAILED | Phase.CANCELLED:
                keys = set()
        return frozenset(keys - self.removed)


_OPENED: Final = Recall[tuple[Digest, Digest], RoundRecord]()
"""Memo by network and query id."""


def open_record(params: NetworkParams, message: VerifiedMessage) -> RoundRecord | Fault:
    """Begin a record with a query. Faults: OVER_LIMIT, MALFORMED if the query exceeds the network's parameters."""
    key = (params.digest, message.id)
    known = _OPENED.recall(key)
    if known is not None:
        return known
    opened = _open_record(params, message)
    return opened if isinstance(opened, Fault) else _OPENED.remember(key, opened)


def _open_record(params: NetworkParams, message: VerifiedMessage) -> RoundRecord | Fault:
    query = message.body
    if not isinstance(query, Query):
        return Fault(FaultReason.WRONG_PHASE, "R1", "a round begins with a query")
    if (params.aggregator, params.canonical_form, params.draws) != (AGGREGATOR, CANONICAL_FORM, DRAWS):
        return Fault(FaultReason.OVER_LIMIT, "R8", "the network's aggregator, canonical form or draws are not ours")
    budgets = (query.answer_ms, query.open_ms, query.judge_ms, query.cosign_ms, query.findings.budget_ms)
    if query.turns and (fault := check_turns(params, query, query.turns)) is not None:
        return fault
    if max(budgets) > params.phase_ms_max or query.patience_ms > params.patience_ms_max:
        return Fault(FaultReason.OVER_LIMIT, "R11", "a budget or the patience is longer than the network allows")
    if len(query.waves) > params.waves_max or max(query.waves) > params.pairs_per_wave_max:
        return Fault(FaultReason.OVER_LIMIT, "P6", "wave plan")
    if query.max_tokens > params.answer_tokens_max or len(query.roster) > params.members_max:
        return Fault(FaultReason.OVER_LIMIT, "P6", "answer tokens or roster")
    members = [seat.member for seat in query.roster]
    if not ascending(members):
        return Fault(FaultReason.MALFORMED, "R1", "the roster is not in ascending order")
    return RoundRecord(params, message, query, {seat.member: seat for seat in query.roster})


def steps_since(record: RoundRecord, told: RoundRecord | None) -> list[RoundRecord]:
    """Return the records of a chain after `told`, oldest first, this one included; None: from the query on."""
    steps: list[RoundRecord] = []
    step: RoundRecord | None = record
    while step is not None and step is not told:
        steps.append(step)
        step = step.before
    return steps[::-1]


def check_turns(params: NetworkParams, query: Query, turns: tuple[Turn, ...]) -> Fault | None:
    """P7: return why this conversation is not the query's, or not one that the network takes; None if all is well.

    Whoever brings the turns, with the query or beside it: a private query's are checked when they are pulled.
    """
    if (size := bytes_of(turns)) > params.query_bytes_max:
        return Fault(FaultReason.OVER_LIMIT, "P7", f"query of {size} bytes")
    if turns[-1].role is not TurnRole.USER:
        return Fault(FaultReason.NO_QUESTION, "P7", f"the last turn is the {turns[-1].role}'s")
    if digest_of(turns) != query.content_digest:
        return Fault(FaultReason.MALFORMED, "P7", "the turns do not have the query's digest")
    return None


def check_tests(query: Query, tests: str) -> Fault | None:
    """R17: return why these are not the tests that the query binds; None if they are."""
    if query.findings.tests_digest != digest_of_tests(tests):
        return Fault(FaultReason.MALFORMED, "R17", "the tests do not have the query's digest")
    return None


def check_contribution(record: RoundRecord, message: VerifiedMessage) -> Fault | None:
    """Return why a contribution does not count in the record's present phase; None if it does."""
    if message.author not in record.seats:
        return Fault(FaultReason.NOT_A_MEMBER, "R2")
    if message.author in record.removed:
        return Fault(FaultReason.REMOVED, "R3")
    match message.body, record.phase:
        case Commit() as commit, Phase.ANSWERING:
            return _check_commit(record, commit)
        case Answer() as answer, Phase.OPENING:
            return _check_answer(record, answer)
        case Report() as report, Phase.TESTING:
            return _check_report(record, report)
        case Ballot() as ballot, Phase.JUDGING:
            return _check_ballot(record, ballot)
        case Cosign() as cosign, Phase.COSIGNING:
            follows = cosign.query == record.id and cosign.on == record.head
            return None if follows else Fault(FaultReason.WRONG_CHAIN, "R2", "co-signature")
        case Decline() as decline, Phase.ANSWERING | Phase.TESTING | Phase.JUDGING | Phase.COSIGNING:
            return check_decline(record, decline)
        case _:
            return Fault(FaultReason.WRONG_PHASE, "R2", f"{message.kind.name} while {record.phase}")


def _check_commit(record: RoundRecord, commit: Commit) -> Fault | None:
    if commit.query != record.id or commit.on != record.head:
        return Fault(FaultReason.WRONG_CHAIN, "R2", "commit")
    if Role.ANSWER not in record.seats[commit.author].roles:
        return Fault(FaultReason.NOT_A_MEMBER, "R2", "not an answering seat")
    return None


def _check_answer(record: RoundRecord, answer: Answer) -> Fault | None:
    if answer.query != record.id or answer.on != record.head:
        return Fault(FaultReason.WRONG_CHAIN, "R2", "answer")
    if answer.author not in record.commitments:
        return Fault(FaultReason.NOT_COMMITTED, "R4")
    if commit_to(record, answer.author, answer.content, answer.salt) != record.commitments[answer.author]:
        return Fault(FaultReason.WRONG_OPENING, "R4")
    return check_content(record, answer.content)


def check_content(record: RoundRecord, content: AnswerContent) -> Fault | None:
    """Return why this content is no valid answer of any author. A member checks it before it commits."""
    if len(content.text.encode()) > record.params.answer_bytes_max:
        return Fault(FaultReason.OVER_LIMIT, "P6", "answer text")
    if not form_of(record.query.task, content.text):
        return Fault(FaultReason.EMPTY_ANSWER, "R7")
    return None


def _check_report(record: RoundRecord, report: Report) -> Fault | None:
    if report.query != record.id or report.on != record.head or report.stage != record.stage:
        return Fault(FaultReason.WRONG_CHAIN, "R2", "report")
    if tuple(found.answer for found in report.findings) != record.testers.get(report.author):
        return Fault(FaultReason.WRONG_ANSWERS, "R17")
    if any(len(found.outcomes) % OUTCOME_BYTES for found in report.findings):
        return Fault(FaultReason.WRONG_ANSWERS, "R17", "outcomes of broken length")
    return None


def _check_ballot(record: RoundRecord, ballot: Ballot) -> Fault | None:
    if ballot.query != record.id or ballot.on != record.head or ballot.wave != record.wave:
        return Fault(FaultReason.WRONG_CHAIN, "R2", "ballot")
    pairs = tuple((judgement.first, judgement.second) for judgement in ballot.judgements)
    if pairs != record.assignment.get(ballot.author):
        return Fault(FaultReason.WRONG_PAIRS, "R6")
    if is_void(ballot):
        return Fault(FaultReason.VOID_BALLOT, "R6")
    return None


def check_decline(record: RoundRecord, decline: Decline) -> Fault | None:
    """Return why a decline does not count in the record's present phase (R15); None if it does.

    A member also checks this before it signs.
    """
    if decline.phase.value != record.phase.value or decline.wave != record.repetition:
        return Fault(FaultReason.WRONG_PHASE, "R15", f"a decline of {decline.phase} while {record.phase}")
    if decline.query != record.id or decline.on != record.head:
        return Fault(FaultReason.WRONG_CHAIN, "R2", "decline")
    if decline.author not in record.expected():
        return Fault(FaultReason.NOT_A_MEMBER, "R15", "a decline of what is not asked for")
    return None


def is_void(ballot: Ballot) -> bool:
    """Whether the judge abstains on more than half of its pairs, which voids its ballot (R6)."""
    return voids(sum(judgement.preference == ABSTAIN for judgement in ballot.judgements), len(ballot.judgements))


def voids(abstentions: int, judgements: int) -> bool:
    """Whether so many abstentions void a ballot of so many judgements (R6)."""
    return 2 * abstentions > judgements


def commit_to(record: RoundRecord, author: Key, content: AnswerContent, salt: bytes) -> Digest:
    """Return the commitment that binds `author` to `content` in this round (R4)."""
    return commitment(record.params.digest, record.id, author, salt, answer_digest(codec.encode(content)))


@lru_cache(maxsize=128)
def form_of(task: TaskType, text: str) -> bytes:
    """Return the canonical form of a text, cached.

    Requester and member on one node need the same form, and so do check and clustering.
    """
    return canonical_form(task, text)


def ascending(keys: Sequence[bytes]) -> bool:
    """Whether a list is in strictly ascending order, as canonical lists are."""
    return all(one < other for one, other in pairwise(keys))


def bodies(messages: Iterable[VerifiedMessage], schema: type[Body]) -> list[Body]:
    """Return the bodies of the messages that have this schema, in order."""
    return [message.body for message in messages if isinstance(message.body, schema)]
