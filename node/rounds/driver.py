"""The only loop that changes rounds: takes events in, performs effects.

Nothing here waits for a model, a peer or the gossip network: tasks do, and their results come back as events. The loop
does wait for the journal, because a message may leave only after its slot is on disk (R12).
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Protocol, assert_never

import structlog
import trio

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.certificates.evidence import Slot
from consensus.rounds import delivery
from consensus.rounds import effects as fx
from consensus.rounds.delivery import ProbeReply
from consensus.rounds.membership import Restored
from consensus.rounds.participant import Participant
from consensus.rounds.validation import Admitted
from node.clock import Clock
from node.overlay.types import PeerUnreachable
from node.rounds.following.hub import RoundEvents
from node.rounds.following.observer import RoundObserver
from node.rounds.following.timeline import RoundTimeline
from node.rounds.inbound import (
    CERTIFICATE,
    CONTRIBUTE,
    PING,
    PULL,
    QUERY,
    Arrived,
    AskRequest,
    Barrier,
    CancelRequest,
    Inbound,
    InboundRouter,
    Offering,
    PeerChanged,
    PongReceived,
    PullReplyReceived,
    RepeatedQuery,
    TextFetched,
    WorkDone,
)
from node.rounds.learning.reputation import Reputation
from node.rounds.outbox import Outbox
from node.rounds.queue import QueuedAsk
from node.signals import Signal
from node.storage import CertificateSummary, JournalEntry, OpenRound, Store, StoreBlockedError
from node.work.worker import EngineWorker
from protocol import codec
from protocol.errors import Fault, FaultReason
from protocol.messages import Offer, Opening, Query
from protocol.signing import VerifiedMessage, open_envelope
from protocol.types import Digest, Key, Kind

if TYPE_CHECKING:
    from node.overlay.host import Overlay

log = structlog.get_logger()


class EffectFollower(Protocol):
    """Port: follows what the driver does. It is called by the driver's loop, so it returns at once."""

    def asked(self, id: Digest, query: Query, ask: QueuedAsk, /) -> None:
        """Take the beginning of a round of ours."""
        ...

    def saw(self, effect: fx.Effect, /) -> None:
        """Take an effect that was performed, or whose performance has begun."""
        ...


class Driver:
    """Drives one participant over one overlay."""

    def __init__(
        self,
        participant: Participant,
        overlay: "Overlay",
        inbound: InboundRouter,
        worker: EngineWorker,
        store: Store,
        reputation: Reputation,
        clock: Clock,
    ) -> None:
        self._participant = participant
        self._overlay = overlay
        self._inbound = inbound
        self._worker = worker
        self._store = store
        self._reputation = reputation
        self._clock = clock
        self.events = RoundEvents()
        self.timeline = RoundTimeline(participant, clock)
        self._observer = RoundObserver(participant, self.events, worker, clock)
        self._followers: tuple[EffectFollower, ...] = (self.timeline, self._observer)
        self._tickets: dict[Digest, QueuedAsk] = {}
        """Tickets of our own open rounds, to release when the rounds are over."""
        self._outbox = Outbox(overlay)
        self._contributing = 0
        """Contributions that are neither acknowledged nor gossiped yet."""
        self._contributed = Signal()
        self.peer_joined = Signal()
        """Fires after a peer has connected; it does not have our offer yet."""
        self.offers_changed = Signal()
        """Fires after the offer book has taken in an offer, ours or another node's."""

    # -- the loop --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._outbox.run)
            await self._recover()
            while True:
                event: Inbound | None = None
                with trio.CancelScope(deadline=self._deadline()):
                    event = await self._inbound.inbox.receive()
                self._follow_wall_clock()
                now_ms = self._clock.now_ms()
                effects = self._participant.tick(now_ms) if event is None else await self._handle(event, now_ms)
                await self._perform(effects, nursery)
                while (own := self._participant.take_local_message(self._clock.now_ms())) is not None:
                    await self._perform(own, nursery)
                self._observer.tick(now_ms)

    def _follow_wall_clock(self) -> None:
        """Follow the wall clock, between rounds only: an open round's budgets count by the clock at its start."""
        if self._participant.wake_at_ms is None and (by_ms := self._clock.follow()):
            log.warning("clock.set", by_ms=by_ms, followed=by_ms > 0, remedy="" if by_ms > 0 else "restart the node")

    def _deadline(self) -> float:
        """Return the time, on trio's clock, of the loop's next work if no event arrives."""
        wakes_ms = (self._participant.wake_at_ms, self._observer.wake_at_ms)
        due_ms = min((each for each in wakes_ms if each is not None), default=None)
        return math.inf if due_ms is None else self._clock.trio_deadline(due_ms)

    async def _handle(self, event: Inbound, now_ms: int) -> Sequence[fx.Effect]:
        match event:
            case Arrived(admitted) if isinstance(admitted.message.body, Query):
                return await self._admit_query(admitted, now_ms)
            case RepeatedQuery(admitted, reply):
                joined = await self._admit_query(admitted, now_ms)
                reply.send_nowait(self._participant.reply_to_query(admitted.message.id))
                return joined
            case Arrived(admitted):
                if isinstance(admitted.message.body, Offer):
                    # The router has already put it into the book.
                    self._overlay.learn_address(admitted.message.author, admitted.message.body.addresses)
                    self.offers_changed.fire()
                return self._participant.on_admitted(admitted, now_ms)
            case WorkDone(query, worked):
                return self._participant.on_work_done(query, worked, now_ms)
            case ProbeReply():
                return delivery.on_probe_reply(self._participant, event, now_ms)
            case PongReceived(member, reply, sent_ms, came_ms):
                return self._participant.on_pong(None, member, reply, sent_ms, came_ms)
            case PullReplyReceived(query, reply, useful):
                effects = self._participant.on_pull_reply(query, reply, now_ms)
                useful.send_nowait(not isinstance(effects, Fault))
                if isinstance(effects, Fault):
                    log.info("pull_reply.rejected", query_id=query.hex()[:16], reason=str(effects))
                    return ()
                return effects
            case TextFetched(query, member):
                self._observer.text_fetched(query, member)
                return ()
            case AskRequest():
                return self._ask(event, now_ms)
            case CancelRequest(query, is_cancelled):
                cancelled = self._participant.cancel(query, now_ms)
                is_cancelled.send_nowait(cancelled is not None)
                return cancelled or ()
            case Offering(offer, shard):
                offered = self._participant.offer(offer, shard, now_ms)
                self.offers_changed.fire()
                return offered
            case PeerChanged(peer, connected):
                self._participant.validator.offers.note_peer(peer, connected)
                if connected:
                    self.peer_joined.fire()
                else:
                    self._participant.presence.gone(peer)
                return ()
            case Barrier(reached):
                reached.set()
                return ()
            case _:
                assert_never(event)

    async def _admit_query(self, admitted: Admitted, now_ms: int) -> Sequence[fx.Effect]:
        """Take part in a round, unless this node has seen its query before a restart."""
        seen = delivery.sighting(self._participant.params, admitted, now_ms)
        if seen is not None and not await self._is_new(seen, now_ms):
            delivery.pass_over(self._participant, seen.query)
            return ()
        return self._participant.on_admitted(admitted, now_ms)

    async def _is_new(self, seen: delivery.Sighting, now_ms: int) -> bool:
        """Whether the query is new, also across restarts; while the disk refuses writes, no query is new."""
        if self._store.health.blocked:
            return False
        try:
            return await self._store.admit_query(seen.query, expires_ms=seen.expires_ms, now_ms=now_ms)
        except StoreBlockedError:
            return False

    async def _perform(self, effects: Sequence[fx.Effect], nursery: trio.Nursery) -> None:
        """Perform effects in order: journal entries are on disk before what follows is sent.

        If that fails, leave the round.
        """
        left: set[Digest] = set()
        for effect in effects:
            match effect:
                case _ if left and not isinstance(effect, fx.RoundEnded) and self._round_of(effect) in left:
                    continue
                case fx.Journal() | fx.Join():
                    if (query := await self._refused(effect)) is not None:
                        left.add(query)
                        await self._perform(self._participant.leave(query), nursery)
                        continue
                case fx.Publish(topics, message) if message.kind is Kind.EVIDENCE:
                    about = self._round_of(effect)
                    assert about is not None, "our own evidence proves what it says"
                    for topic in topics:
                        self._outbox.accuse(about, topic, message.envelope)
                case fx.Publish(topics, message):
                    for topic in topics:
                        await self._outbox.send(topic, message.envelope)
                case fx.Contribute():
                    self._contributing += 1
                    nursery.start_soon(self._contribute, effect)
                case fx.Pull():
                    nursery.start_soon(self._pull, effect)
                case fx.Probe():
                    nursery.start_soon(self._probe, effect)
                case fx.FetchCertificate():
                    nursery.start_soon(self._fetch_certificate, effect)
                case fx.Generate():
                    nursery.start_soon(self._worker.generate, effect)
                case fx.RunTests():
                    nursery.start_soon(self._worker.round_tester.test, effect)
                case fx.Judge():
                    nursery.start_soon(self._worker.judge, effect)
                case fx.Certify():
                    await self._keep(effect)
                    self._reputation.finished(effect.certificate)
                case fx.RoundEnded():
                    await self._finish(effect)
                case fx.PlaceFreed(query):
                    await self._leave_place(query)
                case fx.Progress() | fx.Decide():
                    # Only subscribers of the round need these.
                    pass
            for follower in self._followers:
                follower.saw(effect)

    # -- effects ---------------------------------------------------------------------------------------------------

    async def _refused(self, effect: fx.Journal | fx.Join) -> Digest | None:
        """Write what must be on disk before the next effect; if the disk refuses, return the round to leave."""
        try:
            if isinstance(effect, fx.Journal):
                await self._journal(effect)
                return None
            await self._store.put_round(OpenRound(effect.query, effect.requester, effect.deadline_ms))
        except StoreBlockedError:
            return Digest(effect.slot.query) if isinstance(effect, fx.Journal) else effect.query
        return None

    async def _journal(self, effect: fx.Journal) -> None:
        slot, message = effect.slot, effect.message
        entry = JournalEntry(
            query_id=Digest(slot.query),
            kind=slot.kind,
            wave=slot.number,
            envelope=message.envelope,
            secret=effect.secret,
            created_ms=self._clock.now_ms(),
        )
        await self._store.write_journal([entry])

    def _round_of(self, effect: fx.Effect) -> Digest | None:
        match effect:
            case fx.Journal():
                return Digest(effect.slot.query)
            case fx.Publish() | fx.Contribute():
                return self._participant.validator.round_of(effect.message)
            case _:
                return effect.query

    async def flush(self) -> None:
        """Wait until all that is queued now has been handled, and the messages that follow have been sent."""
        barrier = Barrier(trio.Event())
        await self._inbound.deliver(barrier)
        await barrier.reached.wait()
        await self._contributed.wait_until(lambda: not self._contributing)
        await self._outbox.flush()

    def leave_own(self, why: str) -> None:
        """Tell those who follow our own open rounds that the node stops, and that they will hear no more."""
        for query in self.timeline.open_rounds("requester"):
            self._observer.left(query, why)

    async def _contribute(self, effect: fx.Contribute) -> None:
        try:
            await self._hand_over(effect)
        finally:
            self._contributing -= 1
            self._contributed.fire()

    async def _hand_over(self, effect: fx.Contribute) -> None:
        """Contribute by stream; without acknowledgement by gossip, which also reaches a requester we cannot dial."""
        message = effect.message
        for tries in count(1):
            reply: bytes | None = None
            why = ""
            try:
                reply = await self._request(effect.requester, CONTRIBUTE, message.envelope, fx.ACKNOWLEDGE_MS)
            except PeerUnreachable as error:
                why = str(error)
            handover = delivery.hand_over(effect, reply, tries)
            if handover.gossip:
                await self._outbox.send(effect.topic, message.envelope)
            if reply != b"":
                why = why[:128] if reply is None else reply[:128].decode("utf-8", "replace")
                log.info("contribution.refused", kind=message.kind.name, gossiped=handover.gossip, reason=why)
            if handover.delivered is not None:
                await self._inbound.deliver(WorkDone(handover.query, handover.delivered))
            if handover.again_ms is None:
                return
            await trio.sleep(handover.again_ms / 1000)

    async def _pull(self, effect: fx.Pull) -> None:
        """Ask one source after another until a reply is useful; if none is, the machine asks again in time (R13)."""
        request = delivery.pull_request(effect)
        for source in delivery.pull_sources(effect, self._participant.keypair.public):
            try:
                reply = await self._request(source, PULL, request, fx.PULL_SOURCE_MS)
            except PeerUnreachable:
                continue
            tell, told = trio.open_memory_channel[bool](1)
            await self._inbound.deliver(PullReplyReceived(effect.query, reply, tell))
            if await told.receive():
                return

    async def _probe(self, effect: fx.Probe) -> None:
        """Request a sign of life; the requester's machine notices silence by itself."""
        sent_ms = self._clock.now_ms()
        protocol, payload = (PING, b"") if effect.message is None else (QUERY, effect.message.envelope)
        with suppress(PeerUnreachable):
            reply = await self._request(effect.member, protocol, payload, fx.PROBE_REPLY_MS)
            await self._inbound.deliver(ProbeReply(effect, reply, sent_ms, self._clock.now_ms()))

    async def _fetch_certificate(self, effect: fx.FetchCertificate) -> None:
        """Fetch the announced certificate of a round that we took part in, verify it as any reader, and store it."""
        query_id, why = effect.query.hex()[:16], "nobody to ask"
        for source in effect.sources:
            try:
                raw = await self._request(source, CERTIFICATE, effect.query, fx.PULL_SOURCE_MS)
            except PeerUnreachable as error:
                why = str(error)
                continue
            if not delivery.is_announced(effect, raw):
                why = "it is not the one announced"
                continue
            verified = await trio.to_thread.run_sync(verify_certificate, raw)
            if not isinstance(verified, VerifiedCertificate) or verified.record.id != effect.query:
                log.warning("certificate.rejected", query_id=query_id, reason=str(verified))
                return
            ranking = verified.ranking
            await self._keep(fx.Certify(effect.query, ranking.outcome, ranking.ranked[0].author, raw))
            return
        log.info("certificate.fetch_failed", query_id=query_id, reason=why)

    async def _request(self, peer: Key, protocol: str, payload: bytes, least_ms: int) -> bytes:
        """Send a request; its timeout is `least_ms` and two measured round trips. Raises PeerUnreachable.

        Each round trip counts as at most ROUND_TRIP_MS_MAX.
        """
        timeout_ms = least_ms + 2 * self._participant.presence.round_trip_ms(peer)
        return await self._overlay.request(peer, protocol, payload, timeout_ms=timeout_ms)

    async def _keep(self, certify: fx.Certify) -> None:
        summary = CertificateSummary(certify.query, certify.outcome, certify.winner, self._clock.now_ms())
        await self._store.put_certificate(summary, certify.certificate)

    async def _finish(self, effect: fx.RoundEnded) -> None:
        """Stop our engine at once; a cancelled round keeps its place and its asker's ticket until PlaceFreed (R16)."""
        if effect.role == "member":
            self._worker.cancel(effect.query)
        if effect.ending is fx.Ending.CANCELLED:
            until_ms = self._participant.place_until_ms(effect.query)
            if until_ms is not None and (ask := self._tickets.get(effect.query)) is not None:
                ask.hold(until_ms, self._clock.trio_deadline(until_ms))
            return
        if effect.role == "member":
            await self._store.drop_round(effect.query)
        else:
            self._release(effect.query)

    async def _leave_place(self, query: Digest) -> None:
        self._release(query)
        await self._store.drop_round(query)

    def _release(self, query: Digest) -> None:
        if (ask := self._tickets.pop(query, None)) is not None:
            ask.release()

    # -- our own rounds --------------------------------------------------------------------------------------------

    def _ask(self, asked: AskRequest, now_ms: int) -> Sequence[fx.Effect]:
        begun: tuple[Digest, Sequence[fx.Effect]] | Fault
        if self._store.health.blocked:
            begun = Fault(FaultReason.NOT_JOURNALLED, "R12", str(self._store.health))
        else:
            slack_ms = self._participant.presence.slack_ms(seat.member for seat in asked.query.roster)
            begun = self._participant.ask(asked.query, asked.texts, now_ms, slack_ms)
        if isinstance(begun, Fault):
            asked.begun.send_nowait(begun)
            asked.ask.release()
            return ()
        query_id, effects = begun
        self._tickets[query_id] = asked.ask
        for follower in self._followers:
            follower.asked(query_id, asked.query, asked.ask)
        asked.begun.send_nowait(query_id)
        return effects

    # -- after a restart -------------------------------------------------------------------------------------------

    async def _recover(self) -> None:
        """Resume the rounds that this node was in before a restart, with what it had signed (R12)."""
        for round_ in await self._store.rounds_to_recover(self._clock.now_ms()):
            if round_.requester == self._participant.keypair.public:
                # The user's request ended with the process; a requester stays silent after a restart.
                await self._store.drop_round(round_.query_id)
                continue
            restored = await self._restored(round_.query_id)
            self._participant.recover(round_.query_id, round_.requester, restored, round_.deadline_ms)

    async def _restored(self, query: Digest) -> Restored:
        messages: dict[Slot, VerifiedMessage] = {}
        opening: Opening | None = None
        for entry in await self._store.journal(query):
            message = open_envelope(entry.envelope, self._participant.params.digest)
            if isinstance(message, Fault):
                # The network's parameters have changed since: that round is over for all nodes.
                return Restored()
            messages[Slot(query, Key(message.author), Kind(entry.kind), entry.wave)] = message
            if entry.secret:
                decoded = codec.decode(Opening, entry.secret)
                opening = None if isinstance(decoded, Fault) else decoded
        return Restored(messages, opening)
