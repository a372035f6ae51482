"""What is let in: every message from outside passes here once, before any round sees it (rules V1-V9 of the spec).

Each check cites its verdict. A message is marked seen last, when nothing speaks against it.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

from consensus.evidence import Slot, examine, slot_of
from consensus.record import open_record
from consensus.roster import OfferBook
from protocol.errors import Fault, FaultReason
from protocol.messages import Evidence, Offer, Query
from protocol.params import NetworkParams
from protocol.signing import VerifiedMessage, open_envelope
from protocol.topics import topic
from protocol.types import CLOSINGS, CONTRIBUTIONS, Digest, Key, Kind

ROUNDS_MAX = 256
"""rounds whose messages we let in; beyond it the oldest one that is over goes."""

OPEN_ROUNDS_MAX = 32
"""rounds that are not over: with 64 members of 16 KiB answers, slots filled twice, they hold about 64 MiB."""

GUARD_MAX = 16_384
"""query ids remembered against replay, until their date is out of the window."""

LINGER_MS = 120_000
"""ms after its last budget that a round's messages are still let in: for pulls, late co-signatures and notices."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A message that may be acted upon. `rival`: an earlier, different one of the same slot (R3)."""

    message: VerifiedMessage
    rival: VerifiedMessage | None = None


@dataclass(slots=True)
class _Round:
    """What validation knows of a round: who may speak in it, how long, and what each slot holds."""

    query: Query
    expires_ms: int
    slots: dict[Slot, list[VerifiedMessage]] = field(default_factory=dict)
    convicted: set[Slot] = field(default_factory=set)
    over: bool = False


class Validator:
    """The seen state of one node. Deterministic: the same calls with the same times give the same verdicts."""

    def __init__(self, params: NetworkParams, *, joins_from_ms: int = 0, trusted: Collection[Key] = ()) -> None:
        """`joins_from_ms`: a node without its journal refuses queries that are dated earlier (R12).

        `trusted`: keys whose offers are never given up for those of others.
        """
        self._params = params
        self._joins_from_ms = joins_from_ms
        self._rounds: dict[Digest, _Round] = {}
        self._guard: OrderedDict[Digest, int] = OrderedDict()
        self._reserved: dict[Digest, tuple[Key, int]] = {}
        self.offers = OfferBook(params, trusted)

    def guard(self, query: Digest, expires_ms: int) -> None:
        """Remember a query that an earlier life of this node has seen."""
        self._guard[query] = expires_ms

    def reserve(self, query: Digest, author: Key, until_ms: int) -> None:
        """Count a round of an earlier life as open until it is followed: V8 holds over restarts."""
        self._reserved[query] = (author, until_ms)

    def admit_gossip(self, on_topic: str, source: Key, data: bytes, now_ms: int) -> Admitted | Fault:
        """A message from the mesh; `source` signed the pubsub frame."""
        message = open_envelope(data, self._params.digest)
        if isinstance(message, Fault):
            return message
        # V1 [REJECT] The frame's signer is the message's author, except for evidence.
        if source != message.author and message.kind is not Kind.EVIDENCE:
            return Fault(FaultReason.WRONG_AUTHOR, "V1", message.kind.name)
        return self._admit(message, now_ms, on_topic)

    def admit_stream(self, source: Key, data: bytes, now_ms: int) -> Admitted | Fault:
        """A contribution that a member sends us directly, as the requester."""
        message = open_envelope(data, self._params.digest)
        if isinstance(message, Fault):
            return message
        # V1 [REJECT] Only one's own contributions are sent by stream.
        if source != message.author or message.kind not in CONTRIBUTIONS:
            return Fault(FaultReason.WRONG_AUTHOR, "V1", message.kind.name)
        return self._admit(message, now_ms, None)

    def open_repeated(self, source: Key, data: bytes) -> VerifiedMessage | Fault:
        """A query that its requester sends us directly, because it has not heard of us since it published it."""
        message = open_envelope(data, self._params.digest)
        if isinstance(message, Fault):
            return message
        # V1 [REJECT] Only one's own query is repeated.
        if source != message.author or message.kind is not Kind.QUERY:
            return Fault(FaultReason.WRONG_AUTHOR, "V1", message.kind.name)
        return message

    def admit_repeated(self, message: VerifiedMessage, now_ms: int) -> Admitted | Fault:
        """The same, if it never came by gossip."""
        return self._admit(message, now_ms, None)

    def admit_pulled(self, query: Digest, data: bytes, now_ms: int) -> Admitted | Fault:
        """A message that we asked for by id, or a closing of a chain; anyone may serve it.

        What a closing names counts even if its slot is full here or convicted: only closings are checked for rivals.
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
            case Evidence():
                return self._admit_evidence(message, on_topic)
            case other:
                return self._admit_in_round(message, other.query, now_ms, on_topic)

    def _admit_offer(
        self, message: VerifiedMessage, offer: Offer, now_ms: int, on_topic: str | None
    ) -> Admitted | Fault:
        # V4 [REJECT] One of its specialties is the topic's, whatever the shard (R14).
        if on_topic is not None and not any(
            on_topic.rpartition("/")[0] == topic(self._params, name, 0).rpartition("/")[0] for name in offer.specialties
        ):
            return Fault(FaultReason.WRONG_TOPIC, "R14", on_topic)
        # V2 [IGNORE] The offer is in force by our clock, give or take the allowed skew.
        skew_ms = self._params.clock_skew_ms
        if not now_ms - self._params.offer_valid_ms <= offer.sent_at_ms <= now_ms + skew_ms:
            return Fault(FaultReason.LATE, "V2", "offer")
        # V3 [IGNORE] It is newer than what we hold.
        if self.offers.is_stale(offer):
            return Fault(FaultReason.DUPLICATE, "V3", "offer")
        # V3 [IGNORE] Its author does not flood us: what changes faster helps nobody.
        if not self.offers.may_renew(offer.author, now_ms):
            return Fault(FaultReason.BUSY, "V3", "offer")
        self.offers.add(offer, now_ms)
        return Admitted(message)

    def _admit_query(
        self, message: VerifiedMessage, query: Query, now_ms: int, on_topic: str | None
    ) -> Admitted | Fault:
        # V4 [REJECT] Specialty and shard are the topic's (R14).
        if fault := self._off_topic(query, on_topic):
            return fault
        # V5 [REJECT] It keeps within the network's parameters.
        opened = open_record(self._params, message)
        if isinstance(opened, Fault):
            return opened
        # V6 [IGNORE] Its date is ours, give or take the allowed skew; without our journal, later than our start (R12).
        skew_ms = self._params.clock_skew_ms
        if abs(now_ms - query.sent_at_ms) > skew_ms or query.sent_at_ms < self._joins_from_ms:
            return Fault(FaultReason.LATE, "V6", f"dated {query.sent_at_ms - now_ms} ms from now")
        # V7 [IGNORE] We have not seen it, also not before a restart.
        self._forget(now_ms)
        if message.id in self._rounds or message.id in self._guard:
            return Fault(FaultReason.DUPLICATE, "V7", "query")
        # V8 [IGNORE] Its author, and all together, have not too many rounds open.
        live = [known.query.author for known in self._rounds.values() if not known.over]
        live += [author for author, _ in self._reserved.values()]
        if live.count(query.author) >= self._params.open_rounds_per_key_max or len(live) >= OPEN_ROUNDS_MAX:
            return Fault(FaultReason.TOO_MANY_ROUNDS, "V8")
        self.follow(message, now_ms)
        return Admitted(message)

    def follow(self, message: VerifiedMessage, now_ms: int) -> None:
        """Let in the messages of this round: an admitted query's, our own, or one that we recover after a restart."""
        assert isinstance(message.body, Query)
        self._reserved.pop(message.id, None)
        if len(self._rounds) >= ROUNDS_MAX:
            oldest_over = next((id for id, known in self._rounds.items() if known.over), None)
            if oldest_over is not None:
                del self._rounds[oldest_over]
        self._rounds[message.id] = _Round(message.body, now_ms + round_ms(message.body) + LINGER_MS)
        self.guard(message.id, guarded_until_ms(self._params, now_ms))
        if len(self._guard) > GUARD_MAX:
            self._guard.popitem(last=False)

    def _admit_evidence(self, message: VerifiedMessage, on_topic: str | None) -> Admitted | Fault:
        slot = examine(message, self._params.digest)
        # V1 [REJECT] It proves what it says.
        if isinstance(slot, Fault):
            return Fault(FaultReason.MALFORMED, "R3", slot.detail)
        known = self._rounds.get(Digest(slot.query))
        if known is None:
            return Fault(FaultReason.UNKNOWN_ROUND, "V9", "evidence")
        if fault := self._off_topic(known.query, on_topic):
            return fault
        # V9 [IGNORE] Whom it is about may speak in the round: what it convicts is bounded by the roster.
        if not _may_fill(slot.author, slot.kind, known.query):
            return Fault(FaultReason.NOT_A_MEMBER, "V9", "evidence")
        # V9 [IGNORE] It is the first evidence about this slot.
        if slot in known.convicted:
            return Fault(FaultReason.DUPLICATE, "R3", "evidence")
        known.convicted.add(slot)
        return Admitted(message)

    def admit_own_evidence(self, message: VerifiedMessage) -> Digest | None:
        """The round that evidence of our own finding is about; None if there is none, or if it is known already."""
        admitted = self._admit_evidence(message, None)
        return self.round_of(message) if isinstance(admitted, Admitted) else None

    def round_of(self, message: VerifiedMessage) -> Digest | None:
        """The round that a message is about."""
        match message.body:
            case Offer():
                return None
            case Query():
                return message.id
            case Evidence():
                slot = examine(message, self._params.digest)
                return None if isinstance(slot, Fault) else Digest(slot.query)
            case other:
                return other.query

    def _admit_in_round(
        self, message: VerifiedMessage, query: Digest, now_ms: int, on_topic: str | None
    ) -> Admitted | Fault:
        known = self._rounds.get(query)
        # V9 [IGNORE] Its round is known and not long over, and its author may speak in it.
        if known is None:
            return Fault(FaultReason.UNKNOWN_ROUND, "V9", message.kind.name)
        if now_ms > known.expires_ms or (known.over and message.kind is not Kind.NOTICE):
            return Fault(FaultReason.LATE, "V9", message.kind.name)
        if fault := self._off_topic(known.query, on_topic):
            return fault
        if not _may_fill(message.author, message.kind, known.query):
            return Fault(FaultReason.NOT_A_MEMBER, "V9", message.kind.name)
        slot = slot_of(message)
        assert slot is not None
        held = known.slots.setdefault(slot, [])
        if any(message.id == each.id for each in held):
            return Fault(FaultReason.DUPLICATE, "V7", message.kind.name)
        # R3 [REJECT] A slot has two different messages at most: they are the proof, more would add nothing.
        if len(held) >= 2:
            return Fault(FaultReason.SLOT_FULL, "R3", message.kind.name)
        held.append(message)
        return Admitted(message, held[0] if len(held) == 2 else None)

    def _off_topic(self, query: Query, on_topic: str | None) -> Fault | None:
        """R14 [REJECT] What belongs to a round travels on its query's topic; None: it did not come by gossip."""
        if on_topic in (None, topic(self._params, query.specialty, query.shard)):
            return None
        return Fault(FaultReason.WRONG_TOPIC, "R14", on_topic or "")

    def close(self, query: Digest) -> None:
        """A round is over here: it no longer counts as open, and what its slots hold is dropped."""
        if (known := self._rounds.get(query)) is not None:
            known.over = True
            known.slots.clear()

    def _forget(self, now_ms: int) -> None:
        self._rounds = {id: known for id, known in self._rounds.items() if known.expires_ms >= now_ms}
        self._reserved = {id: (author, until) for id, (author, until) in self._reserved.items() if until > now_ms}
        while self._guard and next(iter(self._guard.values())) < now_ms:
            self._guard.popitem(last=False)


def guarded_until_ms(params: NetworkParams, now_ms: int) -> int:
    """Until when a query that came now must be remembered: both ends of its window (V6), and one skew to spare."""
    return now_ms + 3 * params.clock_skew_ms


def round_ms(query: Query) -> int:
    """The longest that a round of this query can take: all its budgets."""
    return query.answer_ms + query.open_ms + len(query.waves) * query.judge_ms + query.cosign_ms


def _may_fill(author: Key, kind: Kind, query: Query) -> bool:
    """Whether such a message of this author can mean anything in the round."""
    if kind in CLOSINGS or kind is Kind.NOTICE:
        return author == query.author
    return any(seat.member == author for seat in query.roster)
