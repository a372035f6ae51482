"""Entry of peers' messages: validated on arrival, then queued for the driver's one loop."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
import trio

from consensus.rounds import delivery, events
from consensus.rounds.admission import Refusal
from consensus.rounds.participant import Participant
from consensus.rounds.pulls import LeftOut
from consensus.rounds.validation import Admitted
from node.clock import Clock
from node.overlay.types import Handlers, Refused
from node.rounds.queue import QueuedAsk
from node.storage import Store, StoreBlockedError
from protocol import codec
from protocol.errors import Fault, FaultReason, Verdict
from protocol.limits import DIGEST_BYTES
from protocol.messages import Offer, Query
from protocol.streams import Pong
from protocol.types import Digest, Key, Kind
from protocol.versions import stream_protocol

CONTRIBUTE = stream_protocol("contribute")
"""Request: one envelope. Response: empty if it was accepted, else the reason for refusal."""

PULL = stream_protocol("pull")
"""Request: a PullRequest. Response: a PullReply."""

CERTIFICATE = stream_protocol("certificate")
"""Request: a query's id. Response: its certificate, or empty; that of a private query for its members alone."""

QUERY = stream_protocol("query")
"""Request: a query's envelope, from its requester. Response: empty if we work on it, else the reason (`Refusal`)."""

PING = stream_protocol("ping")
"""Request: empty. Response: a Pong."""

CHALLENGE = stream_protocol("challenge")
"""Request: a Challenge. Response: a ChallengeReply (`node.work.challenge_server`)."""

PROTOCOLS = (CONTRIBUTE, PULL, CERTIFICATE, QUERY, PING, CHALLENGE)

SLOW_PROTOCOLS = (CHALLENGE,)
"""Those whose requests an engine works on."""

INBOX_MAX = 1024
"""Events that may wait for the driver: all messages of a round of 64 members, several times over; then BUSY."""

_QUERY = bytes((Kind.QUERY,))

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that the validator admitted."""

    admitted: Admitted


@dataclass(frozen=True, slots=True)
class PeerChanged:
    """A peer connected or disconnected."""

    peer: Key
    connected: bool


@dataclass(frozen=True, slots=True)
class WorkDone:
    """Work for a round is done: a piece of our engine's work, or the sending of a contribution."""

    query: Digest
    event: events.Worked


@dataclass(frozen=True, slots=True)
class TextFetched:
    """A member has fetched, for the first time, the text of a query of ours that does not hold it itself."""

    query: Digest
    member: Key


@dataclass(frozen=True, slots=True)
class PullReplyReceived:
    """A source answered a pull."""

    query: Digest
    reply: bytes
    useful: trio.MemorySendChannel[bool]
    """Gets whether the reply was useful, so that the puller may stop; capacity 1."""


@dataclass(frozen=True, slots=True)
class AskRequest:
    """A request of one of our users to ask the swarm."""

    query: Query
    texts: LeftOut
    """The conversation and the asker's tests, which the query may bind by digest alone."""
    begun: trio.MemorySendChannel[Digest | Fault]
    """Gets the round's id, or the fault that prevented it; capacity 1."""
    ask: QueuedAsk
    """The question of which the query was made; its ticket is released when the round is over, or has not begun."""


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """A request of one of our users to cancel a round of ours."""

    query: Digest
    is_cancelled: trio.MemorySendChannel[bool]
    """Gets whether there was still something to cancel; capacity 1."""


@dataclass(frozen=True, slots=True)
class Offering:
    """An offer of ours to publish, in one shard of each specialty."""

    offer: Offer
    shard: int


@dataclass(frozen=True, slots=True)
class RepeatedQuery:
    """A query that its requester sent us directly."""

    admitted: Admitted
    reply: trio.MemorySendChannel[str]
    """Gets our reply; capacity 1."""


@dataclass(frozen=True, slots=True)
class PongReceived:
    """A node's pong outside of rounds."""

    member: Key
    reply: bytes
    sent_ms: int
    came_ms: int


@dataclass(frozen=True, slots=True)
class Barrier:
    """A mark in the inbox: once it is reached, whatever was queued before it has been handled."""

    reached: trio.Event


Inbound = (
    Arrived
    | PeerChanged
    | WorkDone
    | TextFetched
    | PullReplyReceived
    | AskRequest
    | CancelRequest
    | Offering
    | RepeatedQuery
    | delivery.ProbeReply
    | PongReceived
    | Barrier
)


Serve = Callable[[Key, bytes], Awaitable[bytes | Refused]]
"""Serves one request of a peer."""


class InboundRouter(Handlers):
    """Handlers for the overlay: validate, reply at once, and queue all events that change a round."""

    def __init__(
        self,
        participant: Participant,
        store: Store,
        clock: Clock,
        admits_query: Callable[[Key, int, int], bool] = lambda *_: True,
    ) -> None:
        """Build the router over a participant.

        Args:
            participant: validates messages and serves pulls.
            store: holds the certificates to serve.
            clock: stamps arrivals.
            admits_query: whether to look at a query of this key, size (bytes) and time (ms), before any work on it.
        """
        self._admits_query = admits_query
        self._serve_challenge: Serve | None = None
        self._participant = participant
        self._store = store
        self._clock = clock
        self._send, self.inbox = trio.open_memory_channel[Inbound](INBOX_MAX)

    def serve_challenges(self, serve: Serve) -> None:
        """Let challenges be served from now on; until then they are refused. The engine's worker stands behind us."""
        self._serve_challenge = serve

    def post(self, event: Inbound) -> bool:
        """Queue an event; False if the inbox is full."""
        try:
            self._send.send_nowait(event)
        except trio.WouldBlock:
            log.warning("inbox.overflowed", waiting=INBOX_MAX, dropped=type(event).__name__)
            return False
        return True

    async def deliver(self, event: Inbound) -> None:
        """Queue an event from this node itself, waiting for room."""
        await self._send.send(event)

    def on_gossip(self, topic: str, source: bytes, data: bytes) -> Verdict:
        """Validate one gossiped message."""
        if self._is_full():
            return self._participant.validator.pass_by(topic, Key(source), data).verdict
        now_ms = self._clock.now_ms()
        if data[:1] == _QUERY and not self._admits_query(Key(source), len(data), now_ms):
            return self._participant.validator.overlook(data).verdict
        admitted = self._participant.validator.admit_gossip(topic, Key(source), data, now_ms)
        return self._queue(admitted, source)

    def on_peer(self, peer: bytes, connected: bool) -> None:
        """Queue the event that a peer connected or disconnected."""
        self.post(PeerChanged(Key(peer), connected))

    async def on_request(self, protocol: str, source: bytes, payload: bytes) -> bytes | Refused:
        """Serve one request of a protocol in PROTOCOLS; return Refused for anything else."""
        if protocol == CONTRIBUTE:
            return self._take_contribution(source, payload)
        if protocol == PULL:
            return await self._serve_pull(Key(source), payload)
        if protocol == CERTIFICATE and len(payload) == DIGEST_BYTES:
            try:
                return await self._serve_certificate(Key(source), Digest(payload))
            except StoreBlockedError as error:
                return Refused(str(error))
        if protocol == QUERY:
            return await self._take_repeated(source, payload)
        if protocol == PING and not payload:
            return codec.encode(Pong(clock_ms=self._clock.now_ms()))
        if protocol == CHALLENGE and self._serve_challenge is not None:
            return await self._serve_challenge(Key(source), payload)
        return Refused(f"nothing to serve on {protocol}")

    @property
    def waiting(self) -> int:
        """Events that wait for the driver."""
        return self._send.statistics().current_buffer_used

    async def _serve_pull(self, source: Key, payload: bytes) -> bytes | Refused:
        served = self._participant.serve_pull(source, payload)
        if isinstance(served, Fault):
            return Refused(str(served))
        if served.text_of is not None:
            # Before the text goes out, and whoever waits for room: that somebody has it is never lost.
            await self.deliver(TextFetched(served.text_of, source))
        return served.reply

    async def _serve_certificate(self, source: Key, query_id: Digest) -> bytes:
        """Return a certificate that the source may have, else nothing. Raises StoreBlockedError."""
        raw = await self._store.certificate(query_id)
        if raw is None:
            return b""
        record = self._participant.record(query_id)
        # An old round is known from its certificate alone, of up to 8 MiB.
        query = await trio.to_thread.run_sync(delivery.query_of, raw) if record is None else record.query
        return raw if query is not None and delivery.may_fetch(query, source) else b""

    def _is_full(self) -> bool:
        return self.waiting >= INBOX_MAX

    def _take_contribution(self, source: bytes, payload: bytes) -> bytes:
        if self._is_full():
            return delivery.NO_ROOM
        admitted = self._participant.validator.admit_stream(Key(source), payload, self._clock.now_ms())
        queued = self._queue(admitted, source) is Verdict.ACCEPT
        if isinstance(admitted, Admitted) and not queued:
            return delivery.NO_ROOM
        return delivery.reply_to_contribution(admitted)

    async def _take_repeated(self, source: bytes, payload: bytes) -> bytes:
        if self._is_full():
            return delivery.NO_ROOM
        now_ms = self._clock.now_ms()
        if not self._admits_query(Key(source), len(payload), now_ms):
            return Refusal.BUSY.encode()
        taken = self._participant.take_repeated(Key(source), payload, now_ms)
        if isinstance(taken, str):
            return taken.encode()
        tell, told = trio.open_memory_channel[str](1)
        if not self.post(RepeatedQuery(taken, tell)):
            return delivery.NO_ROOM
        return (await told.receive()).encode()

    def _queue(self, admitted: Admitted | Fault, source: bytes) -> Verdict:
        if isinstance(admitted, Fault):
            if admitted.reason is not FaultReason.DUPLICATE:
                log.debug("message.refused", reason=str(admitted), peer=source.hex()[:16])
            return admitted.verdict
        return Verdict.ACCEPT if self.post(Arrived(admitted)) else Verdict.RELAY
