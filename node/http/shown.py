"""Ports of the HTTP interface: protocols of a node's reports and controls.

Replies are bodies of `node.api`; a round that is followed, and what is searched for, have the types of the parts that
serve them (`node.rounds`, `node.storage`). `node.facade` implements them over the node's parts, tests in memory.
"""

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from node.api.asking import Question
from node.api.certificates import CertificatePage, Verification
from node.api.common import Readiness
from node.api.config import ConfigReport
from node.api.engine import EngineReport, TrialReport
from node.api.queue import QueueReport
from node.api.replays import Replay, RoundAnswers
from node.api.reputation import Exported, GoldResult, NodeDetail, ReputationReport, TakenOver
from node.api.rounds import RoundDetail, RoundPage
from node.api.serving import ServingReport
from node.api.status import Peers, Status
from node.rounds.asking.service import RoundHandle
from node.rounds.following.hub import Resumed
from node.storage import RoundFilter
from protocol.errors import Fault
from protocol.types import Digest, Key


class ShownStatus(Protocol):
    """Status of the node."""

    def readiness(self) -> Readiness:
        """Whether the engine answers and a peer is connected."""
        ...

    async def report(self) -> Status:
        """Report the node's status."""
        ...


class ShownPeers(Protocol):
    """Peers of the node."""

    def report(self) -> Peers:
        """Report all peers, connected or not."""
        ...

    def offering(self) -> int:
        """Return the number of nodes that offer to work now."""
        ...

    async def wait_offering(self, nodes: int) -> None:
        """Wait until at least `nodes` nodes offer to work."""
        ...


class ShownRounds(Protocol):
    """The node's own rounds."""

    def ask(self, question: Question, *, details: bool) -> AbstractAsyncContextManager[RoundHandle]:
        """Begin a round in its turn, and follow it while the block runs. Raises AskError.

        `details`: whether to follow all events; else only those in `node.api.events.PLAIN_KEYS`, with those keys.
        """
        ...

    async def cancel(self, query_id: Digest) -> bool:
        """Cancel a round of ours, even in a scope that is cancelled itself; False: nothing is left to cancel."""
        ...

    def queue(self) -> QueueReport:
        """Report the rounds that run, and the questions that wait."""
        ...


class ShownHistory(Protocol):
    """The rounds that the node asked, and the certificates that it holds."""

    async def rounds(self, wanted: RoundFilter, after: str, rows_max: int) -> RoundPage:
        """Return a page of rounds, newest first, after the page whose `next` is `after`; empty: the first.

        Raises CursorError, StoreBlockedError.
        """
        ...

    async def round(self, query_id: Digest) -> RoundDetail | None:
        """Return everything known of a round; None: nothing. Raises StoreBlockedError."""
        ...

    async def certificates(self, after: str, rows_max: int) -> CertificatePage:
        """Return a page of certificates, those stored last first, after the page whose `next` is `after`.

        Raises CursorError, StoreBlockedError.
        """
        ...

    async def certificate(self, query_id: Digest) -> bytes | None:
        """Return a certificate's canonical bytes, or None. Raises StoreBlockedError."""
        ...

    async def verify(self, raw: bytes) -> Verification:
        """Verify a certificate of any version from its bytes alone."""
        ...


class ShownReplays(Protocol):
    """The course of rounds, and their answers' texts."""

    async def answers(self, query_id: Digest) -> RoundAnswers | None:
        """Return the opened answers of a round that is ours, or certified; None: it is neither.

        Raises StoreBlockedError.
        """
        ...

    async def replay(self, query_id: Digest) -> Replay | None:
        """Return the course of a round; None: the node knows no such round. Raises StoreBlockedError."""
        ...

    async def replay_of(self, raw: bytes) -> Replay | Fault:
        """Return the course of a round from its certificate's bytes alone, or why they are no valid certificate."""
        ...


class ShownEvents(Protocol):
    """Events of all rounds; `node.rounds.following.hub.RoundEvents` has them."""

    def resume(self, last_id: str, query: Digest | None) -> AbstractContextManager[Resumed]:
        """Follow all events of one round or all (None) after the event with this id; empty: from now on.

        Raises UnknownRoundError, TooManySubscribersError.
        """
        ...

    def id_of(self, seq: int) -> str:
        """Return the id of the event with this number."""
        ...


class ShownEngine(Protocol):
    """The node's engine."""

    def report(self) -> EngineReport:
        """Report the engine's abilities, load and failures."""
        ...

    async def trial(self) -> TrialReport:
        """Let the engine give one real answer and one real judgement; what it fails in is part of the result."""
        ...


class ShownServing(Protocol):
    """The node's work for others."""

    def report(self) -> ServingReport:
        """Report whom the node works for, and their cost."""
        ...

    async def pause(self, for_ms: int | None) -> None:
        """Join no new rounds of others for `for_ms`, or until `resume`. Raises StoreBlockedError."""
        ...

    async def resume(self) -> None:
        """Work for others again. Raises StoreBlockedError."""
        ...


class ShownReputation(Protocol):
    """Statistics of other nodes."""

    specialty: str
    """The specialty to which they apply."""

    def report(self) -> ReputationReport:
        """Report all nodes met, and the priors in force."""
        ...

    async def detail(self, key: Key) -> NodeDetail:
        """Return what is known of one node, and its latest rounds: of most keys nothing. Raises StoreBlockedError."""
        ...

    def export(self) -> Exported:
        """Export all statistics for other nodes."""
        ...

    async def take_over(self, exported: Exported) -> TakenOver:
        """Import statistics of nodes that this one has not met, in this specialty. Raises StoreBlockedError."""
        ...

    async def ask_gold(self) -> GoldResult:
        """Ask one gold question and learn from the round. Raises AskError."""
        ...


class ShownConfig(Protocol):
    """Configuration of the node."""

    def report(self) -> ConfigReport:
        """Report every setting with its origin, without secrets."""
        ...


class ShownMetrics(Protocol):
    """Metrics of the node."""

    async def render(self) -> bytes:
        """Render all metrics in Prometheus' text format."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """All reports and controls of one node that the interface uses."""

    status: ShownStatus
    peers: ShownPeers
    rounds: ShownRounds
    history: ShownHistory
    replays: ShownReplays
    events: ShownEvents
    engine: ShownEngine
    serving: ShownServing
    reputation: ShownReputation
    metrics: ShownMetrics
    config: ShownConfig
