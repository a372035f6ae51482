"""Events of a round. The driver and the simulator feed them to `step`, each with the time at which it happened."""

from dataclasses import dataclass

from consensus.rounds.admission import Refusal
from protocol.messages import AnswerContent, Findings, Turn
from protocol.signing import VerifiedMessage
from protocol.types import DeclinedPhase, DeclineReason, Digest, Key


@dataclass(frozen=True, slots=True)
class Received:
    """A verified message of this round arrived by gossip, by stream or from our own other role."""

    message: VerifiedMessage


@dataclass(frozen=True, slots=True)
class Pulled:
    """A pull was answered: verified messages of this round, and texts that the query leaves out, if given."""

    messages: tuple[VerifiedMessage, ...]
    turns: tuple[Turn, ...] = ()
    """A private query's conversation."""
    tests: str = ""
    """The asker's tests."""


@dataclass(frozen=True, slots=True)
class Generated:
    """Our engine wrote an answer. `salt`: 32 fresh random bytes for its commitment."""

    content: AnswerContent
    salt: bytes


@dataclass(frozen=True, slots=True)
class Judged:
    """Our engine compared the pairs of a wave: preferences for the first, 2^-16, or ABSTAIN, in the requested order."""

    wave: int
    preferences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AnswersTested:
    """Our sandbox tested the answers of a stage: findings about each, in the requested order."""

    stage: int
    findings: tuple[Findings, ...]


@dataclass(frozen=True, slots=True)
class Unable:
    """This node cannot provide the answer, the report of a stage or the ballot of a wave."""

    phase: DeclinedPhase
    repetition: int
    """Number of the stage or the wave; 0 for the answer."""
    reason: DeclineReason


@dataclass(frozen=True, slots=True)
class Delivered:
    """One of our contributions was acknowledged by the requester, or gossiped instead."""

    message_id: Digest
    acknowledged: bool = True
    """False if gossiped: it is unknown whether the requester is alive and takes it."""


@dataclass(frozen=True, slots=True)
class Replied:
    """A seat replied to the repeated query: it accepts (None) or refuses."""

    member: Key
    refusal: Refusal | None


@dataclass(frozen=True, slots=True)
class Alive:
    """A seat answered a ping."""

    member: Key


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed: the state's `wake_at_ms` may have been reached."""


Worked = Generated | AnswersTested | Judged | Unable | Delivered
"""Results of work for a round: our engine's and our sandbox's, or the sending of a contribution."""

Event = Received | Pulled | Worked | Replied | Alive | Tick
