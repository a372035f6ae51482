"""One node's part in all its rounds, without I/O: what the daemon and the simulator drive.

It keeps the validator, the offers and the rounds, routes messages to the round machines (its own requester and member
talk to each other here, not over the network), answers pulls, and turns equivocation into evidence.
"""

from dataclasses import dataclass, field, replace

from consensus import member, requester
from consensus.effects import Contribute, Effect, FetchCertificate, Finish, Join, Publish, Pull
from consensus.events import Event, Generated, Judged, Pulled, Received, Tick
from consensus.evidence import accuse
from consensus.record import Record, open_record
from consensus.validation import LINGER_MS, Admitted, Validator, round_ms
from protocol import codec
from protocol.errors import Fault, FaultReason, Verdict
from protocol.hashing import content_digest
from protocol.messages import Notice, Offer, PullReply, PullRequest, Query
from protocol.params import NetworkParams
from protocol.signing import Keypair, VerifiedMessage, open_envelope, seal
from protocol.topics import topic
from protocol.types import CLOSINGS, Digest, Key, Kind

ROUNDS_KEPT = 64
"""rounds kept, over or not: those that are over still serve pulls until their time is out or room is needed."""

PULL_REQUEST_BYTES_MAX = 8 * 1024
"""bytes of a pull request: 192 ids and a frame."""


@dataclass(slots=True)
class _Round:
    """A round of ours, in either role or both."""

    expires_ms: int
    content: str
    as_requester: requester.Requester | None = None
    as_member: member.Member | None = None
    served: dict[Key, set[Digest]] = field(default_factory=dict)
    served_bytes: dict[Key, int] = field(default_factory=dict)

    @property
    def record(self) -> Record:
        machine = self.as_requester or self.as_member
        assert machine is not None
        return machine.record

    @property
    def over(self) -> bool:
        return all(machine.over for machine in (self.as_requester, self.as_member) if machine is not None)

    @property
    def wake_at_ms(self) -> int | None:
        waking = [each.wake_at_ms for each in (self.as_requester, self.as_member) if each is not None and not each.over]
        return min(waking, default=None)


class Participant:
    """All rounds of one node. Methods take the time and return the effects to perform, in order."""

    def __init__(
        self, keypair: Keypair, params: NetworkParams, *, joins_from_ms: int = 0, open_rounds_max: int = 8
    ) -> None:
        """`open_rounds_max`: rounds in which this node works at the same time, as its engine allows."""
        self.keypair = keypair
        self.params = params
        self.validator = Validator(params, joins_from_ms=joins_from_ms)
        self._open_rounds_max = open_rounds_max
        self._rounds: dict[Digest, _Round] = {}
        self._recovering: dict[Digest, member.Restored] = {}
        self._offer_sequence = 0

    # -- what comes from outside -----------------------------------------------------------------------------------

    def admitted(self, admitted: Admitted, now_ms: int) -> list[Effect]:
        """A message that the validator let in."""
        message = admitted.message
        if admitted.rival is not None:
            return self._accuse(admitted.rival, message, now_ms)
        match message.body:
            case Offer():
                return []
            case Query() as query:
                return self._join(message, query, now_ms)
            case Notice() as notice:
                return self._notice(notice)
            case _:
                return self._deliver(message, now_ms)

    def pulled(self, query: Digest, raw: bytes, now_ms: int) -> list[Effect] | Fault:
        """The reply to a Pull. A fault means that this source served nonsense: ask the next one."""
        reply = codec.decode(PullReply, raw, bytes_max=self.params.pull_bytes_max)
        if isinstance(reply, Fault):
            return reply
        if not reply.envelopes and not reply.content:
            return Fault(FaultReason.MISSING, "R13", "the source holds nothing of what was asked")
        if query in self._recovering:
            return self._recover(query, reply, now_ms)
        known = self._rounds.get(query)
        if known is None:
            return []
        if reply.content and content_digest(reply.content) != known.record.query.content_digest:
            return Fault(FaultReason.MALFORMED, "R13", "content that is not the query's")
        known.content = known.content or reply.content
        return self._take_pulled(query, reply, now_ms)

    def serve_pull(self, source: Key, raw: bytes) -> bytes | Fault:
        """Answer a member's pull: only what a valid closing names, once for each member, within a byte budget (R13)."""
        request = codec.decode(PullRequest, raw, bytes_max=PULL_REQUEST_BYTES_MAX)
        if isinstance(request, Fault):
            return request
        known = self._rounds.get(request.query)
        if known is None:
            return Fault(FaultReason.UNKNOWN_ROUND, "R13", "pull")
        record = known.record
        if source not in record.seats:
            return Fault(FaultReason.NOT_A_MEMBER, "R13", "pull")
        if request.ids:
            held = {each.id: each for each in (*record.answers, *record.ballots, *record.evidence)}
            served = known.served.setdefault(source, set())
            wanted = [held[id] for id in request.ids if id in held and id not in served]
            content = ""
        else:
            # The chain is served again on each request: it is how a member notices that it has missed a closing.
            wanted = [record.message, *record.closings]
            content = "" if record.query.content else known.content
        spent = known.served_bytes.get(source, 0)
        reply = PullReply(content=content, envelopes=tuple(message.envelope for message in wanted))
        encoded = codec.encode(reply)
        if spent + len(encoded) > self.params.pull_bytes_max:
            return Fault(FaultReason.BUSY, "R13", "this member's byte budget for the round is spent")
        known.served_bytes[source] = spent + len(encoded)
        if request.ids:
            known.served[source].update(message.id for message in wanted)
        return encoded

    # -- what comes from ourselves ---------------------------------------------------------------------------------

    def ask(self, query: Query, content: str, now_ms: int) -> tuple[Digest, list[Effect]] | Fault:
        """Begin a round with a query of ours; `content` is its text, also where the query is private."""
        message = seal(self.keypair, self.params.digest, query)
        record = open_record(self.params, message)
        if isinstance(record, Fault):
            return record
        self.validator.follow(message, now_ms)
        self._make_room(now_ms)
        started = requester.start(record, self.keypair, now_ms)
        self._rounds[record.id] = _Round(now_ms + round_ms(query) + LINGER_MS, content, as_requester=started.state)
        return record.id, self._route(record.id, started.effects, now_ms)

    def worked(self, query: Digest, event: Generated | Judged, now_ms: int) -> list[Effect]:
        """Our engine answered a Generate or a Judge."""
        return self._step(query, event, now_ms)

    def tick(self, now_ms: int) -> list[Effect]:
        """Time passed: wake every round that is due."""
        due = [query for query, known in self._rounds.items() if (at := known.wake_at_ms) is not None and at <= now_ms]
        return [effect for query in due for effect in self._step(query, Tick(), now_ms)]

    def is_over(self, query: Digest) -> bool:
        """Whether nothing more will come of this round here."""
        known = self._rounds.get(query)
        return known is None or known.over

    @property
    def wake_at_ms(self) -> int | None:
        """When `tick` has something to do; None while no round is open."""
        waking = (known.wake_at_ms for known in self._rounds.values())
        return min((at for at in waking if at is not None), default=None)

    def offer(self, offer: Offer, now_ms: int) -> list[Effect]:
        """Say what we can do. The sequence is the time, so that it grows over restarts without a journal."""
        self._offer_sequence = max(self._offer_sequence + 1, now_ms)
        body = replace(offer, author=self.keypair.public, sequence=self._offer_sequence, sent_at_ms=now_ms)
        message = seal(self.keypair, self.params.digest, body)
        self.validator.offers.add(body)
        return [Publish(tuple(topic(self.params, specialty, 0) for specialty in body.specialties), message)]

    def recover(self, query: Digest, from_requester: Key, restored: member.Restored) -> list[Effect]:
        """Take up a round that we were in before a restart: its chain must be pulled first (R12)."""
        self._recovering[query] = restored
        return [Pull(query, (), (from_requester,))]

    # -- inside ----------------------------------------------------------------------------------------------------

    def _join(self, message: VerifiedMessage, query: Query, now_ms: int) -> list[Effect]:
        """Become a member if the roster names us and we have room; otherwise only follow."""
        working = sum(known.as_member is not None and not known.over for known in self._rounds.values())
        if working >= self._open_rounds_max:
            return []
        return self._start_member(message, query, now_ms, member.Restored())

    def _start_member(
        self, message: VerifiedMessage, query: Query, now_ms: int, restored: member.Restored
    ) -> list[Effect]:
        if all(seat.member != self.keypair.public for seat in query.roster):
            return []
        known = self._rounds.get(message.id)
        record = open_record(self.params, message)
        assert not isinstance(record, Fault), "the validator lets no such query in"
        content = known.content if known is not None else query.content
        started = member.start(record, self.keypair, content, now_ms, restored)
        if known is None:
            self._make_room(now_ms)
            known = self._rounds[message.id] = _Round(now_ms + round_ms(query) + LINGER_MS, content)
        known.as_member = started.state
        join = Join(message.id, query.author, now_ms + round_ms(query))
        return [join, *self._route(message.id, started.effects, now_ms)]

    def _recover(self, query: Digest, reply: PullReply, now_ms: int) -> list[Effect] | Fault:
        """R12: the first message is the query that we had joined; what was signed then is repeated, nothing else."""
        first = open_envelope(reply.envelopes[0], self.params.digest) if reply.envelopes else None
        if not isinstance(first, VerifiedMessage) or first.id != query or not isinstance(first.body, Query):
            return Fault(FaultReason.MALFORMED, "R12", "a chain that does not begin with our query")
        restored = self._recovering.pop(query)
        self.validator.follow(first, now_ms)
        effects = self._start_member(first, first.body, now_ms, restored)
        taken = self._take_pulled(query, reply, now_ms)
        return taken if isinstance(taken, Fault) else [*effects, *taken]

    def _take_pulled(self, query: Digest, reply: PullReply, now_ms: int) -> list[Effect] | Fault:
        messages: list[VerifiedMessage] = []
        effects: list[Effect] = []
        for envelope in reply.envelopes:
            admitted = self.validator.admit_pulled(query, envelope, now_ms)
            if isinstance(admitted, Admitted):
                messages.append(admitted.message)
                if admitted.rival is not None:
                    effects += self._accuse(admitted.rival, admitted.message, now_ms)
            elif admitted.verdict is Verdict.REJECT:
                return admitted
        return [*effects, *self._step(query, Pulled(tuple(messages), reply.content), now_ms)]

    def _notice(self, notice: Notice) -> list[Effect]:
        known = self._rounds.get(notice.query)
        if known is None or known.as_requester is not None:
            return []
        return [FetchCertificate(notice.query, notice.author, notice.certificate_digest, notice.certificate_bytes)]

    def _accuse(self, one: VerifiedMessage, other: VerifiedMessage, now_ms: int) -> list[Effect]:
        """R3: whoever sees two different messages of one slot tells everyone, once."""
        if Kind.EVIDENCE in (one.kind, other.kind) or isinstance(one.body, Query | Offer):
            return []
        message = accuse(self.keypair, self.params.digest, one, other)
        query = self.validator.admit_own_evidence(message)
        if query is None:
            return []
        known = self._rounds.get(query)
        if known is None:
            return []
        return [Publish((known.record.topic,), message), *self._step(query, Received(message), now_ms)]

    def _deliver(self, message: VerifiedMessage, now_ms: int) -> list[Effect]:
        query = self.validator.round_of(message)
        return [] if query is None else self._step(query, Received(message), now_ms)

    def _step(self, query: Digest, event: Event, now_ms: int) -> list[Effect]:
        """Give an event to the machines of a round that it concerns, and route what they want."""
        known = self._rounds.get(query)
        if known is None:
            return []
        effects: list[Effect] = []
        # The member first: a contribution must be in its pool when the requester's closing names it.
        if known.as_member is not None and _concerns_member(event):
            at_member = member.step(known.as_member, event, now_ms)
            known.as_member = at_member.state
            effects += self._route(query, at_member.effects, now_ms)
        if known.as_requester is not None and _concerns_requester(event):
            at_requester = requester.step(known.as_requester, event, now_ms)
            known.as_requester = at_requester.state
            effects += self._route(query, at_requester.effects, now_ms)
        return effects

    def _route(self, query: Digest, effects: tuple[Effect, ...], now_ms: int) -> list[Effect]:
        """Our own requester and member hear each other at once, in the place that the sending has in the order."""
        routed: list[Effect] = []
        for effect in effects:
            match effect:
                case Contribute(requester=to, message=message) if to == self.keypair.public:
                    routed += self._step(query, Received(message), now_ms)
                case Publish(message=message) if isinstance(message.body, Query):
                    routed += [effect, *self._start_member(message, message.body, now_ms, member.Restored())]
                case Publish(message=message) if message.kind in CLOSINGS:
                    routed += [effect, *self._step(query, Received(message), now_ms)]
                case Finish():
                    routed.append(effect)
                    if self._rounds[query].over:
                        self.validator.close(query)
                case _:
                    routed.append(effect)
        return routed

    def _make_room(self, now_ms: int) -> None:
        self._rounds = {id: known for id, known in self._rounds.items() if known.expires_ms >= now_ms or not known.over}
        while len(self._rounds) >= ROUNDS_KEPT:
            over = [id for id, known in self._rounds.items() if known.over]
            if not over:
                return
            del self._rounds[over[0]]


def _concerns_requester(event: Event) -> bool:
    match event:
        case Received(message):
            return message.kind not in CLOSINGS
        case Tick():
            return True
        case _:
            return False


def _concerns_member(event: Event) -> bool:
    return not (isinstance(event, Received) and event.message.kind in (Kind.COMMIT, Kind.COSIGN))
