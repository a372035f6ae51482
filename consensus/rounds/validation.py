"""Admission of messages: every message from outside passes here once, before any round sees it (rules V1-V9).

Each check cites its verdict. A message is marked as seen last, after all checks. For rounds of others the validator
remembers their members, so that a bystander relays only messages of an admitted query.
"""

from collections import Counter, OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

from consensus.certificates.evidence import Slot, contradicts, examine, slot_of
from consensus.certificates.record import open_record, query_ms
from consensus.rounds.offers import OfferBook
from protocol.errors import Fault, FaultReason
from protocol.limits import STAGES_MAX
from protocol.messages import Ballot, CloseReports, CloseWave, Decline, EquivocationProof, Message, Offer, Query, Report
from protocol.params import NetworkParams
from protocol.signing import VerifiedMessage, envelope_id, open_envelope
from protocol.topics import topic
from protocol.types import CLOSINGS, CONTRIBUTIONS, DeclinedPhase, Digest, Key, Kind, TaskType

ROUNDS_MAX = 256
"""Rounds whose messages we admit or relay. Beyond it the oldest round that is over goes, of the author with the most of
them, so that a flood of queries makes room at its author's expense. A round that is over keeps ids only: 64 members,
two ids for each of seventeen slots (four waves), make 0.4 MB if all sign that much."""

OPEN_ROUNDS_MAX = 32
"""Rounds that are not over: with 64 members of 16 KiB answers, slots filled twice, they hold about 64 MiB. Where
all 64 report on 64 answers in both stages, which no honest round does, the reports of 44 kB each take 360 MB more. A
node works in 16 rounds unless its owner says otherwise, and holds what is said in those alone."""

GUARD_MAX = 16_384
"""Query ids remembered against replay, until their date is out of the window."""

OVERLOOKED_MAX = 4_096
"""Ids of queries that were not checked: 80 s of a flood of 50 queries/s, which is longer than rounds take. 0.4 MB."""

LINGER_MS = 120_000
"""Milliseconds after its last budget during which a round's messages are still admitted or relayed: for pulls, late
co-signatures and notices."""

PER_SLOT_MAX = 2
"""Different messages of one slot: two prove an equivocation (R3)."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A message on which rounds may act. `rival`: an earlier, different one of the same slot (R3)."""

    message: VerifiedMessage
    rival: VerifiedMessage | None = None


@dataclass(slots=True)
class _Round:
    """The validator's data of a round: its members, its expiry, the messages in each slot, and the gossiped ones."""

    query: Query
    expires_ms: int
    slots: dict[Slot, list[VerifiedMessage]] = field(default_factory=dict)
    gossiped: dict[Slot, list[Digest]] = field(default_factory=dict)
    """Ids of messages received by gossip, which are not relayed again."""
    convicted: set[Slot] = field(default_factory=set)
    over: bool = False
    """Whether the round does not concern us, or no longer does: its messages are for others."""
    refused: bool = False
    """Whether it was over from the start, for want of room (V8) or of a journal (R12). A repeated query may be
    admitted."""
    query_gossiped: bool = False

    def contradicted_by(self, message: VerifiedMessage) -> VerifiedMessage | None:
        """Return a closing that the message contradicts, a cancel or one beside a cancel (R16); None if none does."""
        closings = (each for slot, held in self.slots.items() if slot.kind in CLOSINGS for each in held)
        return next((each for each in closings if contradicts(each, message)), None)


class Validator:
    """The seen state of one node. Deterministic: the same calls with the same times give the same verdicts."""

    def __init__(self, params: NetworkParams, *, joins_from_ms: int = 0, trusted: Collection[Key] = ()) -> None:
        """Create an empty state.

        `joins_from_ms`: a node without its journal refuses queries with an earlier date (R12). `trusted`: keys whose
        offers are never removed in favour of others.
        """
        self._params = params
        self._joins_from_ms = joins_from_ms
        self._rounds: dict[Digest, _Round] = {}
        self._guard: OrderedDict[Digest, int] = OrderedDict()
        self._reserved: dict[Digest, tuple[Key, int]] = {}
        self._overlooked: OrderedDict[Digest, None] = OrderedDict()
        self.offers = OfferBook(params, trusted)

    def guard(self, query: Digest, expires_ms: int) -> None:
        """Remember a query that this node saw before a restart."""
        self._guard[query] = expires_ms

    def reserve(self, query: Digest, author: Key, until_ms: int) -> None:
        """Count a round from before a restart as open until it is followed: V8 holds over restarts."""
        self._reserved[query] = (author, until_ms)

    def admit_gossip(self, on_topic: str, source: Key, data: bytes, now_ms: int) -> Admitted | Fault:
        """Admit a message from the mesh; `source` signed the pubsub frame."""
        message = self.open_gossip(source, data)
        return message if isinstance(message, Fault) else self._admit(message, now_ms, on_topic)

    def overlook(self, data: bytes) -> Fault:
        """V8 [IGNORE] Skip a query over its budget; only its id is stored, so that its round is not unknown."""
        if (id := envelope_id(data, self._params.digest)) is not None:
            self._overlooked[id] = None
            if len(self._overlooked) > OVERLOOKED_MAX:
                self._overlooked.popitem(last=False)
        return Fault(FaultReason.FLOOD, "V8", "query")

    def pass_by(self, on_topic: str, source: Key, data: bytes) -> Fault:
        """Return the fault of a message from the mesh for which there is no room.

        BUSY, unless any node can see its fault or its round is unknown. Nothing is recorded, except that a query's
        round is then no longer unknown: the message may come again by stream, or be pulled. Relaying a faulty message
        would get us blamed by our neighbours.
        """
        message = self.open_gossip(source, data)
        if isinstance(message, Fault):
            return message
        match message.body:
            case Offer() | Query() as body:
                if isinstance(body, Query):
                    self.overlook(data)
                return self._flaw(message, on_topic) or Fault(FaultReason.BUSY, "V9", message.kind.name)
            case EquivocationProof():
                slot = examine(message, self._params.digest)
                if isinstance(slot, Fault):
                    return Fault(FaultReason.MALFORMED, "R3", slot.detail)
                round_ = Digest(slot.query)
            case other:
                round_ = other.query
        known = self._rounds.get(round_)
        if known is None:
            return self._not_known(round_, message.kind.name)
        return self._off_topic(known.query, on_topic) or Fault(FaultReason.BUSY, "V9", message.kind.name)

    def open_gossip(self, source: Key, data: bytes) -> VerifiedMessage | Fault:
        """Open a message from the mesh and check its bytes; nothing is recorded yet."""
        message = open_envelope(data, self._params.digest)
        # V1 [REJECT] The frame's signer is the message's author, except for evidence.
        if isinstance(message, VerifiedMessage) and source != message.author and message.kind is not Kind.EVIDENCE:
            return Fault(FaultReason.WRONG_AUTHOR, "V1", message.kind.name)
        return message

    def admit_stream(self, source: Key, data: bytes, now_ms: int) -> Admitted | Fault:
        """Admit a contribution that a member sends to us, the requester, directly."""
        message = open_envelope(data, self._params.digest)
        if isinstance(message, Fault):
            return message
        # V1 [REJECT] Only one's own contributions are sent by stream.
        if source != message.author or message.kind not in CONTRIBUTIONS:
            return Fault(FaultReason.WRONG_AUTHOR, "V1", message.kind.name)
        return self._admit(message, now_ms, None)

    def open_repeated(self, source: Key, data: bytes) -> VerifiedMessage | Fault:
        """Open a query that its requester sends to us directly, because it has not heard of us since publishing it."""
        message = open_envelope(data, self._params.digest)
        if isinstance(message, Fault):
            return message
        # V1 [REJECT] Only one's own query is repeated.
        if source != message.author or message.kind is not Kind.QUERY:
            return Fault(FaultReason.WRONG_AUTHOR, "V1", message.kind.name)
        return message

    def admit_repeated(self, message: VerifiedMessage, now_ms: int) -> Admitted | Fault:
        """Admit an opened repeated query, unless it was already received."""
        return self._admit(message, now_ms, None)

    def admit_pulled(self, query: Digest, data: bytes, now_ms: int) -> Admitted | Fault:
        """Admit a message that we requested by id, or a closing of a chain; any node may serve it.

        A message that a closing names counts even if its slot here is full or convicted: only closings are checked for
        rivals.
        """
        message = open_envelope(data, self._params.digest)
        if isinstance(message, Fault):
            return message
        if self.round_of(message) != query:
            return Fault(FaultReason.UNKNOWN_ROUND, "R13", message.kind.name)
        return self._admit(message, now_ms, None) if message.kind in CLOSINGS else Admitted(message)

    def _admit(self, message: VerifiedMessage, now_ms: int, on_topic: str | None) -> Admitted | Fault:
        match message.body:
            case Offer() as offer:
                return self._admit_offer(message, offer, now_ms, on_topic)
            case Query() as query:
                return self._admit_query(message, query, now_ms, on_topic)
            case EquivocationProof():
                return self._admit_evidence(message, on_topic)
            case other:
                return self._admit_in_round(message, other.query, now_ms, on_topic)

    def _flaw(self, message: VerifiedMessage, on_topic: str | None) -> Fault | None:
        """Return the fault of an offer or query that every node sees at any time."""
        match message.body:
            case Offer() as offer if on_topic is not None:
                # V4 [REJECT] One of its specialties is the topic's, whatever the shard (R14).
                own, _, _ = on_topic.rpartition("/")
                if not any(own == topic(self._params, name, 0).rpartition("/")[0] for name in offer.specialties):
                    return Fault(FaultReason.WRONG_TOPIC, "R14", on_topic)
            case Query() as query:
                # V4 [REJECT] Specialty and shard are the topic's (R14).
                if fault := self._off_topic(query, on_topic):
                    return fault
                # V5 [REJECT] It keeps within the network's parameters.
                if isinstance(opened := open_record(self._params, message), Fault):
                    return opened
        return None

    def _admit_offer(
        self, message: VerifiedMessage, offer: Offer, now_ms: int, on_topic: str | None
    ) -> Admitted | Fault:
        if fault := self._flaw(message, on_topic):
            return fault
        # V2 [IGNORE] The offer is in force by our clock, within the allowed skew.
        skew_ms = self._params.clock_skew_ms
        if not now_ms - self._params.offer_valid_ms <= offer.sent_at_ms <= now_ms + skew_ms:
            return Fault(FaultReason.LATE, "V2", "offer")
        # V3 [IGNORE] It is newer than the one we hold.
        if self.offers.is_stale(offer):
            return Fault(FaultReason.DUPLICATE, "V3", "offer")
        # V3 [IGNORE] Its author does not flood us: faster changes help nobody.
        if not self.offers.may_renew(offer.author, now_ms):
            return Fault(FaultReason.FLOOD, "V3", "offer")
        self.offers.add(offer, now_ms)
        return Admitted(message)

    def _admit_query(
        self, message: VerifiedMessage, query: Query, now_ms: int, on_topic: str | None
    ) -> Admitted | Fault:
        if fault := self._flaw(message, on_topic):
            return fault
        # V6 [IGNORE] Its date matches our clock, within the allowed skew.
        if abs(now_ms - query.sent_at_ms) > self._params.clock_skew_ms:
            return Fault(FaultReason.LATE, "V6", f"dated {query.sent_at_ms - now_ms} ms from now")
        # V7 [IGNORE] We have not seen it, not even before a restart.
        self._forget(now_ms)
        if fault := self._seen_query(message.id, on_topic):
            return fault
        # R12 [RELAY] Without our journal we join no query from before our start.
        refusal: Fault | None = None
        if query.sent_at_ms < self._joins_from_ms:
            refusal = Fault(FaultReason.NOT_OURS, "R12", "older than our journal")
        # V8 [RELAY] Neither its author nor all authors together have too many rounds open.
        live = [known.query.author for known in self._rounds.values() if not known.over]
        live += [author for author, _ in self._reserved.values()]
        if live.count(query.author) >= self._params.open_rounds_per_key_max or len(live) >= OPEN_ROUNDS_MAX:
            refusal = refusal or Fault(FaultReason.TOO_MANY_ROUNDS, "V8")
        if refusal is None:
            self.follow(message, now_ms)
        else:
            known = self._rounds.get(message.id) or self._keep(message.id, query, now_ms)
            known.over = known.refused = True
            if on_topic is not None and known.query_gossiped:
                return Fault(FaultReason.DUPLICATE, "V7", "query")
        self._rounds[message.id].query_gossiped |= on_topic is not None
        return refusal or Admitted(message)

    def _seen_query(self, id: Digest, on_topic: str | None) -> Fault | None:
        """Check V7, except for a query received by stream that is now gossiped: others may lack it."""
        known = self._rounds.get(id)
        if known is not None and known.refused:
            return None
        if known is not None and on_topic is not None and not known.query_gossiped:
            known.query_gossiped = True
            return Fault(FaultReason.NOT_OURS, "V7", "query")
        return Fault(FaultReason.DUPLICATE, "V7", "query") if known is not None or id in self._guard else None

    def follow(self, message: VerifiedMessage, now_ms: int) -> None:
        """Admit messages of this round: of an admitted query, of our own, or of one recovered after a restart."""
        assert isinstance(message.body, Query)
        self._reserved.pop(message.id, None)
        self._overlooked.pop(message.id, None)
        self._keep(message.id, message.body, now_ms)
        self.guard(message.id, guarded_until_ms(self._params, now_ms))
        if len(self._guard) > GUARD_MAX:
            self._guard.popitem(last=False)

    def _keep(self, id: Digest, query: Query, now_ms: int) -> _Round:
        """Create the entry of a round, after making room for it."""
        earlier = self._rounds.pop(id, None)
        if len(self._rounds) >= ROUNDS_MAX:
            over = {each: known.query.author for each, known in self._rounds.items() if known.over}
            if over:
                (most, _), *_ = Counter(over.values()).most_common(1)
                del self._rounds[next(each for each, author in over.items() if author == most)]
        known = self._rounds[id] = _Round(query, now_ms + query_ms(query) + LINGER_MS)
        if earlier is not None:
            known.gossiped, known.query_gossiped = earlier.gossiped, earlier.query_gossiped
        return known

    def _admit_evidence(self, message: VerifiedMessage, on_topic: str | None) -> Admitted | Fault:
        slot = examine(message, self._params.digest)
        # V1 [REJECT] It proves its claim.
        if isinstance(slot, Fault):
            return Fault(FaultReason.MALFORMED, "R3", slot.detail)
        known = self._rounds.get(Digest(slot.query))
        if known is None:
            return self._not_known(Digest(slot.query), message.kind.name)
        if fault := self._off_topic(known.query, on_topic):
            return fault
        # V9 [IGNORE] Its subject is a member of the round: the roster bounds the convictions.
        if not _may_fill(slot.author, slot.kind, known.query):
            return Fault(FaultReason.NOT_A_MEMBER, "V9", "evidence")
        # V9 [IGNORE] It is the first evidence about this slot.
        if slot in known.convicted:
            return Fault(FaultReason.DUPLICATE, "V9", "evidence")
        known.convicted.add(slot)
        return Admitted(message)

    def admit_own_evidence(self, message: VerifiedMessage) -> Digest | None:
        """Return the round concerned by evidence that we found; None if there is none, or if it adds nothing.

        One piece against a member is enough to remove it (R3), so an author that signs twice in every slot is reported
        once.
        """
        slot = examine(message, self._params.digest)
        known = None if isinstance(slot, Fault) else self._rounds.get(Digest(slot.query))
        if known is None or isinstance(slot, Fault):
            return None
        told = {each.author for each in known.convicted if each.kind in CONTRIBUTIONS}
        if slot.kind in CONTRIBUTIONS and slot.author in told:
            return None
        admitted = self._admit_evidence(message, None)
        return self.round_of(message) if isinstance(admitted, Admitted) else None

    def round_of(self, message: VerifiedMessage) -> Digest | None:
        """Return the round to which a message belongs."""
        match message.body:
            case Offer():
                return None
            case Query():
                return message.id
            case EquivocationProof():
                slot = examine(message, self._params.digest)
                return None if isinstance(slot, Fault) else Digest(slot.query)
            case other:
                return other.query

    def _admit_in_round(
        self, message: VerifiedMessage, query: Digest, now_ms: int, on_topic: str | None
    ) -> Admitted | Fault:
        known = self._rounds.get(query)
        # V9 [IGNORE] Its round is known and not long over, and its author is a member.
        if known is None:
            return self._not_known(query, message.kind.name)
        if now_ms > known.expires_ms:
            return Fault(FaultReason.LATE, "V9", message.kind.name)
        if fault := self._off_topic(known.query, on_topic):
            return fault
        if not _may_fill(message.author, message.kind, known.query):
            return Fault(FaultReason.NOT_A_MEMBER, "V9", message.kind.name)
        # V9 [IGNORE] The query plans the wave, so that the plan bounds the messages of a round.
        if not _is_planned(message.body, known.query):
            return Fault(FaultReason.WRONG_PHASE, "V9", message.kind.name)
        slot = slot_of(message)
        assert slot is not None
        held = known.slots.get(slot, [])
        ids = {each.id for each in held}
        gossiped = known.gossiped.get(slot, [])
        # V7 [IGNORE] It is new here. A closing that we pulled is relayed when it is gossiped: others lack it.
        pulled = message.id in ids and message.kind in CLOSINGS and on_topic is not None
        if message.id in gossiped or (message.id in ids and not pulled):
            return Fault(FaultReason.DUPLICATE, "V7", message.kind.name)
        # R3 [IGNORE] A slot has at most two different messages: they are the proof, more would add nothing.
        if len({message.id, *ids, *gossiped}) > PER_SLOT_MAX:
            return Fault(FaultReason.SLOT_FULL, "R3", message.kind.name)
        if on_topic is not None:
            known.gossiped[slot] = [*gossiped, message.id]
        # V9 [RELAY] The round is over here, but not for others; only its notice, which comes last, still concerns us.
        if pulled or (known.over and message.kind is not Kind.NOTICE):
            reason = FaultReason.LATE if on_topic is None else FaultReason.NOT_OURS
            return Fault(reason, "V9", message.kind.name)
        known.slots[slot] = [*held, message]
        return Admitted(message, held[0] if held else known.contradicted_by(message))

    def _not_known(self, query: Digest, what: str) -> Fault:
        """V9 [DROP] if the round's query was not checked; [IGNORE] else, because the message precedes its query."""
        overlooked = query in self._overlooked
        return Fault(FaultReason.OVERLOOKED if overlooked else FaultReason.UNKNOWN_ROUND, "V9", what)

    def _off_topic(self, query: Query, on_topic: str | None) -> Fault | None:
        """R14 [REJECT] Messages of a round use its query's topic; `on_topic` is None for other channels."""
        if on_topic in (None, topic(self._params, query.specialty, query.shard)):
            return None
        return Fault(FaultReason.WRONG_TOPIC, "R14", on_topic or "")

    def close(self, query: Digest) -> None:
        """Mark a round as over here: it no longer counts as open, its messages are for others, its data is dropped."""
        if (known := self._rounds.get(query)) is not None:
            known.over = True
            known.slots.clear()

    def _forget(self, now_ms: int) -> None:
        self._rounds = {id: known for id, known in self._rounds.items() if known.expires_ms >= now_ms}
        self._reserved = {id: (author, until) for id, (author, until) in self._reserved.items() if until > now_ms}
        while self._guard and next(iter(self._guard.values())) < now_ms:
            self._guard.popitem(last=False)


def guarded_until_ms(params: NetworkParams, now_ms: int) -> int:
    """Return until when a query received now must be remembered: both ends of its window (V6), and a spare skew."""
    return now_ms + 3 * params.clock_skew_ms


def _may_fill(author: Key, kind: Kind, query: Query) -> bool:
    """Whether such a message of this author can have a meaning in the round."""
    if kind in CLOSINGS or kind is Kind.NOTICE:
        return author == query.author
    return any(seat.member == author for seat in query.roster)


def _is_planned(body: Message, query: Query) -> bool:
    """Whether the round has such a stage or wave; other phases use number 0."""
    match body:
        case Report(stage=stage) | CloseReports(stage=stage) | Decline(phase=DeclinedPhase.TESTING, wave=stage):
            return bool(query.findings.kinds) and query.task is TaskType.CODE and stage < STAGES_MAX
        case Decline(phase=DeclinedPhase.JUDGING) | Ballot() | CloseWave():
            return body.wave < len(query.waves)
        case Decline():
            return body.wave == 0
        case _:
            return True
