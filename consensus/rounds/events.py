"""Events of a round. The driver and the simulator feed them to `step`, each with the time at which it happened."""

from dataclasses import dataclass

from consensus.rounds.admission import Refusal
from protocol.messages import AnswerContent, Turn
from protocol.signing import VerifiedMessage
from protocol.types import DeclineReason, Digest, Key


@dataclass(frozen=True, slots=True)
class Received:
    """A verified message of this round arrived by gossip, by stream or from our own other role."""

    message: VerifiedMessage


@dataclass(frozen=True, slots=True)
class Pulled:
    """A pull was answered: verified messages of this round, and the turns of a private query, if given."""

    messages: tuple[VerifiedMessage, ...]
    turns: tuple[Turn, ...] = ()


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
class Unable:
    """Our engine cannot provide the answer (`wave` is None) or the ballot of a wave."""

    wave: int | None
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


Worked = Generated | Judged | Unable | Delivered
"""Results of work for a round: our engine's, or the sending of a contribution."""

Event = Received | Pulled | Worked | Replied | Alive | Tick
