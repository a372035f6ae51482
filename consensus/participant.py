"""One node's part in all its rounds, without I/O: what the daemon and the simulator drive.

It keeps the validator, the offers and the rounds, routes messages to the round machines (its own requester and member
talk to each other here, not over the network), answers pulls, and turns equivocation into evidence.
"""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from consensus import member, requester
from consensus.admission import Admission, Place, PlacesOnly, Refusal
from consensus.effects import Contribute, Effect, FetchCertificate, Finish, Join, Publish, Pull
from consensus.events import Delivered, Event, Generated, Judged, Pulled, Received, Tick
from consensus.evidence import accuse
from consensus.record import Record, open_record
from consensus.validation import LINGER_MS, Admitted, Validator, round_ms
from protocol import codec
from protocol.errors import Fault, FaultReason, Verdict
from protocol.hashing import content_digest
from protocol.limits import DURATION_MS_MAX
from protocol.messages import Notice, Offer, PullReply, PullRequest, Query
from protocol.params import NetworkParams
from protocol.signing import Keypair, VerifiedMessage, open_envelope, seal
from protocol.topics import topic
from protocol.types import CLOSINGS, Digest, Key, Kind

ROUNDS_KEPT = 64
"""rounds kept, over or not: those that are over still serve pulls until their time is out or room is needed."""

UNTAKEN_KEPT = 4
"""rounds that go on without a working place because their requester takes nothing of ours: it may be one that cannot be
reached, whose closings still come by gossip. The oldest is left when a round is joined and there are more."""

PULL_FRAME_BYTES = 64
"""bytes of a pull reply without what it carries."""

ENVELOPE_FRAME_BYTES = 5
"""bytes that msgpack puts before a byte string, at most."""

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
    def wake_at_ms(self) -> int:
        """Of a round that is not over."""
        machines = (self.as_requester, self.as_member)
        return min(machine.wake_at_ms for machine in machines if machine is not None and not machine.over)


@dataclass(slots=True)
class _Recovering:
    """A round of an earlier life; its requester may not be reachable yet, so it is asked again and again."""

    asked_by: Key
    restored: member.Restored
    deadline_ms: int
    wake_at_ms: int = 0


class Participant:
    """All rounds of one node. Methods take the time and return the effects to perform, in order."""

    def __init__(
        self,
        keypair: Keypair,
        params: NetworkParams,
        *,
        joins_from_ms: int = 0,
        admission: Admission | None = None,
        trusted: Collection[Key] = (),
    ) -> None:
        """`admission`: whose rounds this node works in; by default anybody's, in as many as there are places.

        `joins_from_ms`, `trusted`: see Validator.
        """
        self.keypair = keypair
        self.params = params
        self.validator = Validator(params, joins_from_ms=joins_from_ms, trusted=trusted)
        self._admission = PlacesOnly() if admission is None else admission
        self._rounds: dict[Digest, _Round] = {}
        self._open: dict[Digest, _Round] = {}
        """Of these, the ones that are not over: all that time and new work need to look at."""
        self._own_mail: deque[tuple[Digest, VerifiedMessage]] = deque()
        self._recovering: dict[Digest, _Recovering] = {}
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
        room = self.params.pull_bytes_max - known.served_bytes.get(source, 0) - PULL_FRAME_BYTES - len(content.encode())
        fitting = _fitting(wanted, room)
        if len(fitting) < min(1, len(wanted)):
            return Fault(FaultReason.BUSY, "R13", "this member's byte budget for the round is spent")
        if request.ids:
            known.served[source].update(message.id for message in fitting)
        encoded = codec.encode(PullReply(content=content, envelopes=tuple(message.envelope for message in fitting)))
        known.served_bytes[source] = known.served_bytes.get(source, 0) + len(encoded)
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
        known = _Round(now_ms + round_ms(query) + LINGER_MS, content, as_requester=started.state)
        self._rounds[record.id] = self._open[record.id] = known
        return record.id, self._route(record.id, started.effects)

    def worked(self, query: Digest, event: Generated | Judged | Delivered, now_ms: int) -> list[Effect]:
        """Our engine answered a Generate or a Judge, or a Contribute has reached its requester."""
        return self._step(query, event, now_ms)

    def read_own_mail(self, now_ms: int) -> list[Effect] | None:
        """Deliver the next message between our own two roles; None when there is none.

        To be called until it gives None after whatever gave effects, once those are performed: what others wait for
        leaves before we turn to our own work.
        """
        if not self._own_mail:
            return None
        query, message = self._own_mail.popleft()
        if isinstance(message.body, Query):
            return self._start_member(message, message.body, now_ms, member.Restored())
        return self._step(query, Received(message), now_ms)

    def tick(self, now_ms: int) -> list[Effect]:
        """Time passed: wake every round that is due."""
        due = [query for query, known in self._open.items() if known.wake_at_ms <= now_ms]
        ticked = [effect for query in due for effect in self._step(query, Tick(), now_ms)]
        return [*ticked, *self._pull_recovering(now_ms)]

    @property
    def wake_at_ms(self) -> int | None:
        """When `tick` has something to do; None while no round is open or to be recovered."""
        waking = [known.wake_at_ms for known in self._open.values()]
        waking += [each.wake_at_ms for each in self._recovering.values()]
        return min(waking, default=None)

    def offer(self, offer: Offer, shard: int, now_ms: int) -> list[Effect]:
        """Say in this shard of each specialty what we can do.

        The sequence is the time, so that it grows over restarts without a journal.
        """
        self._offer_sequence = max(self._offer_sequence + 1, now_ms)
        body = replace(offer, author=self.keypair.public, sequence=self._offer_sequence, sent_at_ms=now_ms)
        message = seal(self.keypair, self.params.digest, body)
        self.validator.offers.add(body, now_ms)
        return [Publish(tuple(topic(self.params, specialty, shard) for specialty in body.specialties), message)]

    def recover(self, query: Digest, asked_by: Key, restored: member.Restored, deadline_ms: int) -> None:
        """Take up a round that we were in before a restart, once its chain can be pulled (R12): `tick` asks for it."""
        self.validator.reserve(query, asked_by, deadline_ms)
        self._recovering[query] = _Recovering(asked_by, restored, deadline_ms)

    def _pull_recovering(self, now_ms: int) -> list[Effect]:
        kept = {query: each for query, each in self._recovering.items() if each.deadline_ms > now_ms}
        self._recovering = kept
        effects: list[Effect] = []
        for query, each in kept.items():
            if each.wake_at_ms <= now_ms:
                each.wake_at_ms = now_ms + member.REPAIR_MS
                effects.append(Pull(query, (), (each.asked_by,)))
        return effects

    # -- inside ----------------------------------------------------------------------------------------------------

    def _join(self, message: VerifiedMessage, query: Query, now_ms: int) -> list[Effect]:
        """Become a member if the roster names us and admission has no objection; otherwise only follow."""
        effects: list[Effect] = []
        seated = any(seat.member == self.keypair.public for seat in query.roster)
        if seated and self.admission_refusal(message.id, query, now_ms) is None:
            effects = self._leave_untaken(now_ms)
            effects += self._start_member(message, query, now_ms, member.Restored())
        if message.id not in self._rounds:
            # Not ours: it must not count against its author's, or everybody's, open rounds.
            self.validator.close(message.id)
        return effects

    def admission_refusal(self, id: Digest, query: Query, now_ms: int) -> Refusal | None:
        """Why we do not work on a query that seats us; None: we do, or it is our own."""
        if query.author == self.keypair.public:
            return None
        places = [place for place, is_untaken in self._places(now_ms) if not is_untaken]
        return self._admission.refusal(id, query, places, now_ms)

    def _places(self, now_ms: int) -> list[tuple[Place, bool]]:
        """Rounds that we work in or have to recover, oldest first; true: its requester takes nothing of ours."""
        recovering = [(Place(query, each.asked_by), False) for query, each in self._recovering.items()]
        return recovering + [
            (Place(query, known.record.query.author), known.as_member.is_untaken(now_ms))
            for query, known in self._open.items()
            if known.as_member is not None and not known.as_member.over
        ]

    def _leave_untaken(self, now_ms: int) -> list[Effect]:
        """Before a round is joined: no more than UNTAKEN_KEPT rounds go on whose place others may have."""
        untaken = [place.query for place, is_untaken in self._places(now_ms) if is_untaken]
        effects: list[Effect] = []
        for query in untaken[: max(0, len(untaken) - UNTAKEN_KEPT)]:
            at_member = self._rounds[query].as_member
            assert at_member is not None
            left = member.leave(at_member)
            self._rounds[query].as_member = left.state
            effects += self._route(query, left.effects)
        return effects

    def _start_member(
        self, message: VerifiedMessage, query: Query, now_ms: int, restored: member.Restored
    ) -> list[Effect]:
        if all(seat.member != self.keypair.public for seat in query.roster):
            return []
        known = self._rounds.get(message.id)
        record = open_record(self.params, message)
        assert not isinstance(record, Fault), "the validator lets no such query in"
        content = known.content if known is not None else query.content
        phase_ms_max = DURATION_MS_MAX
        if query.author != self.keypair.public:
            phase_ms_max = self._admission.phase_ms_max(message.id, query.author)
            self._admission.joined(message.id, query, now_ms)
        started = member.start(record, self.keypair, content, now_ms, restored, phase_ms_max)
        if known is None:
            self._make_room(now_ms)
            known = self._rounds[message.id] = _Round(now_ms + round_ms(query) + LINGER_MS, content)
        known.as_member = started.state
        self._open[message.id] = known
        join = Join(message.id, query.author, now_ms + round_ms(query))
        return [join, *self._route(message.id, started.effects)]

    def _recover(self, query: Digest, reply: PullReply, now_ms: int) -> list[Effect] | Fault:
        """R12: the first message is the query that we had joined; what was signed then is repeated, nothing else."""
        first = open_envelope(reply.envelopes[0], self.params.digest) if reply.envelopes else None
        if not isinstance(first, VerifiedMessage) or first.id != query or not isinstance(first.body, Query):
            return Fault(FaultReason.MALFORMED, "R12", "a chain that does not begin with our query")
        restored = self._recovering.pop(query).restored
        self.validator.follow(first, now_ms)
        effects = self._start_member(first, first.body, now_ms, restored)
        taken = self._take_pulled(query, reply, now_ms)
        # A chain without any closing yet is no fault of its source.
        return effects if isinstance(taken, Fault) else [*effects, *taken]

    def _take_pulled(self, query: Digest, reply: PullReply, now_ms: int) -> list[Effect] | Fault:
        """What is of use in a reply; a Fault if nothing is. What is good in it stands, whatever else it holds."""
        known = self._rounds.get(query)
        if known is None or known.as_member is None:
            return []
        at_member = known.as_member
        held = {closing.id for closing in at_member.record.closings}
        messages: list[VerifiedMessage] = []
        effects: list[Effect] = []
        fault = Fault(FaultReason.MISSING, "R13", "the source has nothing new of what was asked")
        for envelope in reply.envelopes:
            admitted = self.validator.admit_pulled(query, envelope, now_ms)
            if isinstance(admitted, Fault):
                if admitted.verdict is Verdict.REJECT:
                    fault = admitted
                    break
                continue
            if admitted.rival is not None:
                effects += self._accuse(admitted.rival, admitted.message, now_ms)
            if admitted.message.id in at_member.missing or (
                admitted.message.kind in CLOSINGS and admitted.message.id not in held
            ):
                messages.append(admitted.message)
        if not messages and not effects and (not reply.content or at_member.content):
            return fault
        return [*effects, *self._step(query, Pulled(tuple(messages), reply.content), now_ms)]

    def _notice(self, notice: Notice) -> list[Effect]:
        known = self._rounds.get(notice.query)
        if known is None or known.as_requester is not None:
            return []
        return [FetchCertificate(notice.query, notice.author, notice.certificate_digest, notice.certificate_bytes)]

    def _accuse(self, one: VerifiedMessage, other: VerifiedMessage, now_ms: int) -> list[Effect]:
        """R3: whoever sees two different messages of one slot tells everyone, once."""
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
            effects += self._route(query, at_member.effects)
        if known.as_requester is not None and _concerns_requester(event):
            at_requester = requester.step(known.as_requester, event, now_ms)
            known.as_requester = at_requester.state
            effects += self._route(query, at_requester.effects)
        return effects

    def _route(self, query: Digest, effects: tuple[Effect, ...]) -> list[Effect]:
        """What our own requester and member tell each other goes into our own mail, not over the network."""
        routed: list[Effect] = []
        for effect in effects:
            match effect:
                case Contribute(requester=to, message=message) if to == self.keypair.public:
                    self._own_mail.append((query, message))
                case Publish(message=message) if message.kind in CLOSINGS or message.kind is Kind.QUERY:
                    routed.append(effect)
                    self._own_mail.append((query, message))
                case Finish():
                    routed.append(effect)
                    if self._rounds[query].over:
                        del self._open[query]
                        self.validator.close(query)
                case _:
                    routed.append(effect)
        return routed

    def _make_room(self, now_ms: int) -> None:
        kept = {id: known for id, known in self._rounds.items() if known.expires_ms >= now_ms or id in self._open}
        over = [id for id in kept if id not in self._open]
        for id in over[: max(0, len(kept) + 1 - ROUNDS_KEPT)]:
            del kept[id]
        self._rounds = kept


def _fitting(messages: Sequence[VerifiedMessage], room: int) -> list[VerifiedMessage]:
    """The first of them that fit into so many bytes."""
    fitting = []
    for message in messages:
        room -= len(message.envelope) + ENVELOPE_FRAME_BYTES
        if room < 0:
            break
        fitting.append(message)
    return fitting


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
