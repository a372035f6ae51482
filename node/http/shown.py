"""What the HTTP interface needs of a node: protocols of what it shows, in the types of `node.api`.

`node.facade` implements them over the node's parts, tests in memory.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from node.api.asking import Question
from node.api.common import Readiness
from node.api.engine import EngineReport
from node.api.reputation import Challenged, Exported, ReputationReport, TakenOver
from node.api.serving import ServingReport
from node.api.status import Peers, Status
from node.rounds.service import RoundHandle
from protocol.types import Digest


class ShownStatus(Protocol):
    """The node at a glance."""

    def readiness(self) -> Readiness:
        """Whether the engine answers and a peer is connected."""
        ...

    async def report(self) -> Status:
        """The node at a glance."""
        ...


class ShownPeers(Protocol):
    """Whom the node knows."""

    def report(self) -> Peers:
        """All peers, connected or not."""
        ...

    def offering(self) -> int:
        """Nodes that offer to work now."""
        ...

    async def wait_offering(self, nodes: int) -> None:
        """Return when so many nodes offer to work."""
        ...


class ShownRounds(Protocol):
    """The node's own rounds."""

    def ask(self, question: Question, *, details: bool) -> AbstractAsyncContextManager[RoundHandle]:
        """Begin a round when it is its turn, and follow it while the block runs. Raises AskError.

        `details`: all that happens in it; else the events and keys of `node.api.events.PLAIN_KEYS`.
        """
        ...

    async def certificate(self, query_id: Digest) -> bytes | None:
        """A certificate's canonical bytes. Raises StoreBlockedError."""
        ...


class ShownEngine(Protocol):
    """The node's engine."""

    def report(self) -> EngineReport:
        """All that there is to say."""
        ...


class ShownServing(Protocol):
    """The node's work for others."""

    def report(self) -> ServingReport:
        """Whom the node works for, and what that costs."""
        ...

    async def pause(self, for_ms: int | None) -> None:
        """Take on no new rounds of others. Raises StoreBlockedError."""
        ...

    async def resume(self) -> None:
        """Work for others again. Raises StoreBlockedError."""
        ...


class ShownReputation(Protocol):
    """What the node learned of others."""

    specialty: str
    """The specialty in which it holds."""

    def report(self) -> ReputationReport:
        """Every node met, and what is in force."""
        ...

    def export(self) -> Exported:
        """All standings, as a file for others."""
        ...

    async def take_over(self, exported: Exported) -> TakenOver:
        """Believe standings of this specialty about nodes that were not met. Raises StoreBlockedError."""
        ...

    async def challenge(self) -> Challenged:
        """Ask one gold question and learn from the round. Raises AskError."""
        ...


class ShownMetrics(Protocol):
    """The node's figures."""

    async def render(self) -> bytes:
        """All of them, in Prometheus' text format."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """All that the interface shows of one node."""

    status: ShownStatus
    peers: ShownPeers
    rounds: ShownRounds
    engine: ShownEngine
    serving: ShownServing
    reputation: ShownReputation
    metrics: ShownMetrics
