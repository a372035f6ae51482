"""The basic types of the protocol: keys, digests, kinds, roles, phases."""

from enum import IntEnum, IntFlag, StrEnum
from typing import NewType

Key = NewType("Key", bytes)
"""A node's Ed25519 public key, 32 bytes. It is the node's libp2p identity."""

Digest = NewType("Digest", bytes)
"""A BLAKE2b-256 digest, 32 bytes."""

ONE = 65536
"""The unit of fixed-point numbers: weights, preferences and probabilities are integers in units of 2^-16."""

ABSTAIN = -1
"""The preference of a judge that could not or would not compare a pair."""


class Kind(IntEnum):
    """Message kinds; the value is the envelope's first byte and part of every id (rule P3)."""

    OFFER = 1
    QUERY = 2
    COMMIT = 3
    CLOSE_COMMITS = 4
    ANSWER = 5
    CLOSE_SLATE = 6
    BALLOT = 7
    CLOSE_WAVE = 8
    CLOSE_TALLY = 9
    COSIGN = 10
    NOTICE = 11
    EVIDENCE = 12
    DECLINE = 13
    CANCEL = 14
    REPORT = 15
    CLOSE_REPORTS = 16


CLOSINGS = frozenset(
    {Kind.CLOSE_COMMITS, Kind.CLOSE_SLATE, Kind.CLOSE_REPORTS, Kind.CLOSE_WAVE, Kind.CLOSE_TALLY, Kind.CANCEL}
)
"""Kinds of a round's chain after its query."""
CONTRIBUTIONS = frozenset({Kind.COMMIT, Kind.ANSWER, Kind.REPORT, Kind.BALLOT, Kind.COSIGN, Kind.DECLINE})


class Role(IntFlag):
    """The work that a node offers to do, and that a seat in a roster asks of it."""

    ANSWER = 1
    JUDGE = 2


class FindingKind(IntFlag):
    """The findings about Rust answers that a query asks of its testers (rule R17)."""

    COMPILES = 1
    """Whether the answer compiles."""
    LINT = 2
    """Warnings by class, and `unsafe` blocks."""
    TESTS = 4
    """The asker's tests."""
    EXAMPLES = 8
    """Examples that stand in the query itself."""
    BEHAVIOUR = 16
    """Outcomes on inputs drawn from the signature, by which answers that behave alike are found."""


class CompileStatus(StrEnum):
    """Whether an answer compiles, as far as a tester found out."""

    UNKNOWN = "unknown"
    """Not tested, or no information: out of time or memory, the compiler crashed, or the text holds no program."""
    COMPILES = "compiles"
    FAILS = "fails"


class TaskType(StrEnum):
    """The kind of task: it decides how equal answers are recognised (rule R7) and how the fit treats agreement."""

    CODE = "code"
    FINAL = "final"
    OPEN = "open"


class TurnRole(StrEnum):
    """The role of a turn in a conversation, as its asker states it."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    """What the asker would have in mind for all turns. It is data: no member's system prompt ever holds it."""


class FinishReason(StrEnum):
    """Why a model stopped writing."""

    STOP = "stop"
    LENGTH = "length"


class TokenSource(StrEnum):
    """Where the token counts of an answer come from."""

    ENGINE = "engine"
    """The engine reported both counts."""
    ESTIMATE = "estimate"
    """The engine reported one count or none: the author estimated the missing ones."""


class Outcome(StrEnum):
    """How a round ended (rule R9)."""

    DECIDED = "decided"
    DEGRADED = "degraded"
    FAILED = "failed"


class StopReason(StrEnum):
    """Why the requester closed the tally when it did (rule R8)."""

    CERTAIN = "certain"
    """P(best) of the winner reached the query's threshold, and R9 lacks nothing that more ballots could provide."""
    SPENT = "spent"
    """Every ballot of the last wave is in, except from judges who were removed or whose decline a closing names."""
    BUDGET = "budget"
    """Ballots were still missing when the phase ended."""
    FUTILE = "futile"
    """Every ballot of this wave is in, and the gain expected of the next one is below the query's threshold."""
    UNANIMOUS = "unanimous"
    """One cluster holds every answer that can win: there is nothing to compare."""
    AGREED = "agreed"
    """Independent answers with most of the votes behave alike, so that no judgement is needed (rule R18)."""
    ABORTED = "aborted"
    """There is no answer to rank."""


class OutcomeReason(StrEnum):
    """Why an outcome is not simply `decided` (rule R9)."""

    NONE = "none"
    NO_COMMITMENTS = "no_commitments"
    """Failed: no member committed to an answer in time."""
    NO_ANSWERS = "no_answers"
    """Failed: no commitment was opened in time."""
    DECLINED = "declined"
    """Failed: every member that was asked for an answer declined."""
    TOO_FEW_ANSWERS = "too_few_answers"
    """Degraded: fewer openings than the network requires."""
    NO_WEIGHT = "no_weight"
    """Degraded: no member has any voting weight."""
    TOO_FEW_JUDGES = "too_few_judges"
    """Degraded: too few judges with weight compared the best answer of one of the two best clusters."""
    LOW_CONFIDENCE = "low_confidence"
    """Degraded: P(correct) is below the query's `confidence_min`; the swarm abstains rather than guesses."""


class DeclinedPhase(StrEnum):
    """Phases in which a member may decline (rule R15), by their names in a record.

    The opening is never one of them: a member that saw others' openings and then withheld its own would choose the
    beacon.
    """

    ANSWERING = "answering"
    TESTING = "testing"
    JUDGING = "judging"
    COSIGNING = "cosigning"


class DeclineReason(StrEnum):
    """Why a member gives nothing in a phase."""

    ENGINE = "engine"
    """The engine is unavailable or failed."""
    CAPACITY = "capacity"
    """The texts exceed the engine's context, or the work does not fit in the phase's budget."""
    EMPTY = "empty"
    """The engine wrote nothing that could be ranked."""
    ABSTAINS = "abstains"
    """The engine could not compare most of the pairs, so the ballot would be void."""


class Objection(StrEnum):
    """Why a member does not co-sign a tally (rules R2, R8, R10)."""

    NONE = "none"
    """No objection: the message is a co-signature."""
    CENSORED = "censored"
    """A closing omits a valid contribution or evidence that this member sent in good time."""
    MISMATCH = "mismatch"
    """The tally does not follow from the answers and ballots that it names."""
