"""The choices of a node. This class is honest; each adversary overrides the choices that it makes differently.

Both layers use the decision model (`answer`, `prefer`, `report`). The hooks `perform`, `hear` and `takes` exist only in
the network layer: they stand between the node's own participant, which is the honest machine, and the world.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

from consensus.rounds.effects import Effect
from protocol.messages import Findings
from protocol.params import NetworkParams
from protocol.signing import Keypair, VerifiedMessage
from protocol.types import Key
from simnet.oracle import Candidate, Oracle, SimQuestion


@dataclass(frozen=True, slots=True)
class Frame:
    """Gossip bytes as if `source` had signed the frame, to all peers of the topic or to some."""

    topic: str
    source: Key
    data: bytes
    to: tuple[Key, ...] | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """Send bytes to a requester directly, in the node's own name."""

    requester: Key
    data: bytes


@dataclass(frozen=True, slots=True)
class Later:
    """Perform an action after a delay in ms."""

    after_ms: int
    action: "Action"


@dataclass(frozen=True, slots=True)
class Accomplice:
    """Let another node of the ring perform an action."""

    node: int
    action: "Action"


Action = Effect | Frame | Stream | Later | Accomplice


@dataclass(frozen=True, slots=True)
class Ring:
    """All nodes of one kind in a world: accomplices know each other."""

    members: tuple[int, ...]
    """Node numbers, ascending."""
    keys: tuple[Key, ...]
    """Their keys, in the same order."""
    oracle: Oracle
    board: dict[int, Action] = field(default_factory=dict)
    """Shared memory of accomplices: at most one entry per node."""


@dataclass(frozen=True, slots=True)
class AdversaryContext:
    """The resources that the world lends to a dishonest node's hooks."""

    keypair: Keypair
    params: NetworkParams
    now_ms: int
    random: Random


class Behaviour:
    """Honest behaviour. `node` is the node's number, `ring` its accomplices (itself among them)."""

    KIND: ClassVar[str] = "honest"
    ASKS: ClassVar[bool] = False
    """Whether it misbehaves as a requester: its share is one of queries. Other kinds are never chosen to ask."""
    SEATS: ClassVar[bool] = False
    """For such kinds, whether the share is one of nodes too; else one node of each shard is of the kind."""
    NEWCOMER: ClassVar[bool] = False
    """Whether its nodes have no history, so that `trust = "known"` gives them no weight."""

    ONE_HOST: ClassVar[bool] = False
    """Whether all of a ring's nodes run on one host, and so share an address group."""

    def __init__(self, node: int, ring: Ring) -> None:
        self.node = node
        self.ring = ring

    def answer(self, question: SimQuestion, own: Candidate) -> Candidate | None:
        """Return the answer to commit to; `own` is the answer of its model. None: no answer."""
        return own

    def prefer(self, question: SimQuestion, first: Candidate, second: Candidate, own: int) -> int:
        """Return its preference for the answer shown first, 0 to ONE or ABSTAIN; `own` is its model's preference."""
        return own

    def report(self, question: SimQuestion, candidate: Candidate | None, own: Findings) -> Findings:
        """Return what it reports about an answer; `own` is what its test found, `candidate` None for a strange text."""
        return own

    def perform(self, effect: Effect, context: AdversaryContext) -> Sequence[Action]:
        """Return the actions that replace an effect of its participant."""
        return (effect,)

    def hear(self, message: VerifiedMessage, context: AdversaryContext) -> Sequence[Action]:
        """Return actions on a message that reaches it, before its participant sees it."""
        return ()

    def takes(self, message: VerifiedMessage) -> bool:
        """Whether its participant sees this message (a stream is acknowledged in any case)."""
        return True

    def replies(self) -> bool:
        """Whether it answers pings and repeated queries."""
        return True
