"""The one loop that changes rounds: events in, effects performed.

Nothing here waits for a model, a peer or the gossip network: that is done by tasks whose results come back as events.
It does wait for the journal, for a message may leave only when its slot is written (R12).
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import structlog
import trio

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.certificates.evidence import Slot
from consensus.certificates.record import Phase
from consensus.rounds import delivery
from consensus.rounds import effects as fx
from consensus.rounds.membership import Restored
from consensus.rounds.participant import Participant
from consensus.rounds.validation import Admitted
from node.clock import Clock
from node.overlay.types import PeerUnreachable
from node.rounds.inbound import (
    CERTIFICATE,
    CONTRIBUTE,
    PING,
    PULL,
    QUERY,
    WATCHED_MAX,
    Arrived,
    AskRequest,
    Inbound,
    InboundRouter,
    Offering,
    PeerChanged,
    PongReceived,
    PullReplyReceived,
    QueryReply,
    RepeatedQuery,
    Watched,
    WorkDone,
)
from node.rounds.outbox import Outbox
from node.rounds.reputation import Reputation
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

PROGRESS_MS = 50
"""ms between two events that tell of one phase's progress: nobody sees more, and each costs 0.3 ms of the node for
which all members wait. One for each contribution made a fast round of seven nodes a sixth slower."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Watcher:
    """Whoever asked hears of each phase and each result at once, and of progress within a phase now and then."""

    began_ms: int
    watch: trio.MemorySendChannel[Watched]
    turn: trio.Semaphore
    told: tuple[Phase, int] | None = None
    """The phase and wave that was told of last."""
    held: Watched | None = None
    """Newer progress of that phase, which yet newer may replace."""
    due_ms: int = 0
    """When what is held is told."""

    def tell(self, effect: fx.Progress | fx.Decide | fx.Certify | fx.RoundEnded, now_ms: int) -> None:
        """Tell, or hold."""
        watched = Watched(now_ms - self.began_ms, effect)
        if isinstance(effect, fx.Progress) and (effect.phase, effect.wave) == self.told:
            self.held = watched
        else:
            self._tell_held(now_ms)
            self._send(watched)
            if isinstance(effect, fx.Progress):
                self.told, self.due_ms = (effect.phase, effect.wave), now_ms + PROGRESS_MS

    def end(self, finish: fx.RoundEnded, now_ms: int) -> None:
        """Tell the end, and make room for another round of ours."""
        self.tell(finish, now_ms)
        self.watch.close()
        self.turn.release()

    def tell_due(self, now_ms: int) -> None:
        """Tell what was held long enough."""
        if now_ms >= self.due_ms:
            self._tell_held(now_ms)

    def _tell_held(self, now_ms: int) -> None:
        if self.held is not None:
            self._send(self.held)
            self.held, self.due_ms = None, now_ms + PROGRESS_MS

    def _send(self, watched: Watched) -> None:
        """The round goes on if nobody listens any more; progress leaves room for the results that every round has."""
        if isinstance(watched.effect, fx.Progress) and self.watch.statistics().current_buffer_used > WATCHED_MAX // 2:
            return
        with suppress(trio.BrokenResourceError):
            self.watch.send_nowait(watched)


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
        self._watchers: dict[Digest, _Watcher] = {}
        self._outbox = Outbox(overlay)
        self.peer_joined = Signal()
        """Fires after a peer has connected, who does not know what we offer."""
        self.offers_changed = Signal()
        """Fires after the offer book has taken in an offer, ours or another's."""

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
                for watcher in self._watchers.values():
                    watcher.tell_due(now_ms)

    def _follow_wall_clock(self) -> None:
        """Between rounds: the budgets of one that is open are counted by the clock that it began with."""
        if self._participant.wake_at_ms is None and (by_ms := self._clock.follow()):
            log.warning("clock.set", by_ms=by_ms, followed=by_ms > 0, remedy="" if by_ms > 0 else "restart the node")

    def _deadline(self) -> float:
        """When the loop has something to do even if no event comes, on trio's clock."""
        due_ms = [watcher.due_ms for watcher in self._watchers.values() if watcher.held is not None]
        if (wake_at_ms := self._participant.wake_at_ms) is not None:
            due_ms.append(wake_at_ms)
        return self._clock.trio_deadline(min(due_ms)) if due_ms else math.inf

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
                    # The router has put it into the book before.
                    self._overlay.learn_address(admitted.message.author, admitted.message.body.addresses)
                    self.offers_changed.fire()
                return self._participant.on_admitted(admitted, now_ms)
            case WorkDone(query, worked):
                return self._participant.on_work_done(query, worked, now_ms)
            case QueryReply(query, member, reply):
                return self._participant.on_query_reply(query, member, reply, now_ms)
            case PongReceived(query, member, reply, sent_ms, came_ms):
                return self._participant.on_pong(query, member, reply, sent_ms, came_ms)
            case PullReplyReceived(query, reply, useful):
                effects = self._participant.on_pull_reply(query, reply, now_ms)
                useful.send_nowait(not isinstance(effects, Fault))
                if isinstance(effects, Fault):
                    log.info("pull_reply.rejected", query_id=query.hex()[:16], reason=str(effects))
                    return ()
                return effects
            case AskRequest():
                return self._ask(event, now_ms)
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
            case _:
                assert_never(event)

    async def _admit_query(self, admitted: Admitted, now_ms: int) -> Sequence[fx.Effect]:
        """Take part in a round, unless an earlier life of this node has seen its query."""
        seen = delivery.sighting(self._participant.params, admitted, now_ms)
        if seen is not None and not await self._is_new(seen, now_ms):
            delivery.pass_over(self._participant, seen.query)
            return ()
        return self._participant.on_admitted(admitted, now_ms)

    async def _is_new(self, seen: delivery.Sighting, now_ms: int) -> bool:
        """The replay guard that survives a restart; while the disk refuses, no query is new."""
        if self._store.health.blocked:
            return False
        try:
            return await self._store.admit_query(seen.query, expires_ms=seen.expires_ms, now_ms=now_ms)
        except StoreBlockedError:
            return False

    async def _perform(self, effects: Sequence[fx.Effect], nursery: trio.Nursery) -> None:
        """In order: what is journalled is on disk before what follows is sent. If it cannot be, the round is left."""
        left: set[Digest] = set()
        for effect in effects:
            match effect:
                case _ if left and self._round_of(effect) in left:
                    continue
                case fx.Journal() | fx.Join():
                    if (query := await self._refused(effect)) is not None:
                        left.add(query)
                        await self._perform(self._participant.leave(query), nursery)
                case fx.Publish(topics, message) if message.kind is Kind.EVIDENCE:
                    about = self._round_of(effect)
                    assert about is not None, "our own evidence proves what it says"
                    for topic in topics:
                        self._outbox.accuse(about, topic, message.envelope)
                case fx.Publish(topics, message):
                    for topic in topics:
                        await self._outbox.send(topic, message.envelope)
                case fx.Contribute():
                    nursery.start_soon(self._contribute, effect)
                case fx.Pull():
                    nursery.start_soon(self._pull, effect)
                case fx.Probe():
                    nursery.start_soon(self._probe, effect)
                case fx.FetchCertificate():
                    nursery.start_soon(self._fetch_certificate, effect)
                case fx.Generate():
                    nursery.start_soon(self._worker.generate, effect)
                case fx.Judge():
                    nursery.start_soon(self._worker.judge, effect)
                case fx.Certify():
                    await self._keep(effect)
                    self._reputation.finished(effect.certificate)
                    self._tell(effect)
                case fx.Progress() | fx.Decide():
                    self._tell(effect)
                case fx.RoundEnded():
                    await self._finish(effect)

    # -- effects ---------------------------------------------------------------------------------------------------

    async def _refused(self, effect: fx.Journal | fx.Join) -> Digest | None:
        """Write what must be on disk before anything that follows; if the disk refuses, the round that must be left."""
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

    async def _contribute(self, effect: fx.Contribute) -> None:
        """By stream; without an acknowledgement by gossip, which also serves a requester that cannot be dialled."""
        message, why = effect.message, ""
        reply: bytes | None = None
        try:
            reply = await self._request(effect.requester, CONTRIBUTE, message.envelope, fx.ACKNOWLEDGE_MS)
        except PeerUnreachable as error:
            why = str(error)
        handover = delivery.hand_over(message, reply)
        if handover.gossip:
            await self._outbox.send(effect.topic, message.envelope)
        if reply != b"":
            why = why[:128] if reply is None else reply[:128].decode("utf-8", "replace")
            log.info("contribution.refused", kind=message.kind.name, gossiped=handover.gossip, reason=why)
        if handover.delivered is not None:
            await self._inbound.deliver(WorkDone(handover.query, handover.delivered))

    async def _pull(self, effect: fx.Pull) -> None:
        """One source after the other, until one is of use; the machine asks again in time if none is (R13)."""
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
        """Ask for a sign of life; silence is what the requester's machine notices by itself."""
        query, member, sent_ms = effect.query, effect.member, self._clock.now_ms()
        with suppress(PeerUnreachable):
            if effect.message is None:
                pong = await self._request(member, PING, b"", fx.PROBE_REPLY_MS)
                await self._inbound.deliver(PongReceived(query, member, pong, sent_ms, self._clock.now_ms()))
            else:
                reply = await self._request(member, QUERY, effect.message.envelope, fx.PROBE_REPLY_MS)
                await self._inbound.deliver(QueryReply(query, member, reply))

    async def _fetch_certificate(self, effect: fx.FetchCertificate) -> None:
        """Keep what we took part in, from whoever has the announced bytes, after checking it as any reader would."""
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
        """Send a request within the time that its path needs. Raises PeerUnreachable.

        The time is `least_ms` and two measured round trips, each ROUND_TRIP_MS_MAX at most.
        """
        timeout_ms = least_ms + 2 * self._participant.presence.round_trip_ms(peer)
        return await self._overlay.request(peer, protocol, payload, timeout_ms=timeout_ms)

    async def _keep(self, certify: fx.Certify) -> None:
        summary = CertificateSummary(certify.query, certify.outcome, certify.winner, self._clock.now_ms())
        await self._store.put_certificate(summary, certify.certificate)

    async def _finish(self, effect: fx.RoundEnded) -> None:
        """One canonical log event per round and role."""
        if effect.role == "member":
            self._worker.cancel(effect.query)
            await self._store.drop_round(effect.query)
        elif (watcher := self._watchers.pop(effect.query, None)) is not None:
            watcher.end(effect, self._clock.now_ms())
        log.info(
            "round.ended",
            query_id=effect.query.hex(),
            role=effect.role,
            ending=effect.ending,
            outcome=effect.outcome,
            reason=str(effect.fault) if effect.fault else None,
        )

    # -- our own rounds --------------------------------------------------------------------------------------------

    def _ask(self, asked: AskRequest, now_ms: int) -> Sequence[fx.Effect]:
        begun: tuple[Digest, Sequence[fx.Effect]] | Fault
        if self._store.health.blocked:
            begun = Fault(FaultReason.NOT_JOURNALLED, "R12", str(self._store.health))
        else:
            slack_ms = self._participant.presence.slack_ms(seat.member for seat in asked.query.roster)
            begun = self._participant.ask(asked.query, asked.content, now_ms, slack_ms)
        if isinstance(begun, Fault):
            asked.begun.send_nowait(begun)
            asked.turn.release()
            return ()
        query_id, effects = begun
        self._watchers[query_id] = _Watcher(now_ms, asked.watch, asked.turn)
        asked.begun.send_nowait(query_id)
        return effects

    def _tell(self, effect: fx.Progress | fx.Decide | fx.Certify) -> None:
        if (watcher := self._watchers.get(effect.query)) is not None:
            watcher.tell(effect, self._clock.now_ms())

    # -- after a restart -------------------------------------------------------------------------------------------

    async def _recover(self) -> None:
        """R12: take up the rounds that an earlier life was in, with what it had signed."""
        for round_ in await self._store.rounds_to_recover(self._clock.now_ms()):
            if round_.requester == self._participant.keypair.public:
                # Whoever asked us is gone with the process; a requester stays silent.
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
                # The network's parameters have changed since: that round is over for everyone.
                return Restored()
            messages[Slot(query, Key(message.author), Kind(entry.kind), entry.wave)] = message
            if entry.secret:
                decoded = codec.decode(Opening, entry.secret)
                opening = None if isinstance(decoded, Fault) else decoded
        return Restored(messages, opening)
