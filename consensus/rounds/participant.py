"""One node's part in all its rounds, without I/O: driven by the daemon and by the simulator.

It keeps the validator, the offers and the rounds, and routes messages to the round machines. Its own requester and
member exchange messages here, not over the network. It answers pulls and turns equivocation into evidence.
"""

from collections import OrderedDict, deque
from collections.abc import Collection
from dataclasses import replace

from consensus.certificates.evidence import accuse
from consensus.certificates.record import RoundRecord, check_tests, check_turns, open_record, query_ms
from consensus.rounds import member, requester
from consensus.rounds.admission import Admission, PlacesOnly, Refusal, WorkingPlace
from consensus.rounds.effects import (
    Contribute,
    Effect,
    Ending,
    FetchCertificate,
    Join,
    PlaceFreed,
    Publish,
    Pull,
    RoundEnded,
)
from consensus.rounds.events import Alive, Event, Pulled, Received, Replied, Tick, Worked
from consensus.rounds.membership import Restored
from consensus.rounds.presence import Presence
from consensus.rounds.pulls import PULL_REQUEST_BYTES_MAX, LeftOut, ServedPull
from consensus.rounds.states import Recovering, RoundAtNode, concerns_member, concerns_requester
from consensus.rounds.validation import Admitted, Validator
from protocol import codec
from protocol.errors import Fault, FaultReason, Verdict
from protocol.hashing import domain_digest
from protocol.limits import DURATION_MS_MAX
from protocol.messages import Notice, Offer, Query
from protocol.params import NetworkParams
from protocol.signing import Keypair, VerifiedMessage, open_envelope, seal
from protocol.streams import Pong, PullReply, PullRequest
from protocol.topics import topic
from protocol.types import CLOSINGS, CONTRIBUTIONS, Digest, Key, Kind

ROUNDS_KEPT = 64
"""Rounds kept, over or not. Rounds that are over serve pulls until they expire or room is needed."""

UNTAKEN_KEPT = 4
"""Rounds that continue without a working place because their requester takes no contribution of ours. It may be
unreachable while its closings still arrive by gossip. The oldest is left when a round is joined and there are more."""

REPLY_BYTES_MAX = 64
"""Bytes of a reply to a query or a ping that are read: a short word, or a Pong."""

CERTIFICATE_SOURCES_MAX = 4
"""Nodes asked for a certificate, one after the other: its requester, and members that fetched it before."""

REFUSALS_MAX = 256
"""Refused queries whose reason is remembered, in case they are repeated: some minutes' worth."""


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
        """Create a participant without rounds.

        `admission`: decides in whose rounds this node works; the default admits anybody while there are places.
        `joins_from_ms`, `trusted`: see Validator.
        """
        self.keypair = keypair
        self.params = params
        self.validator = Validator(params, joins_from_ms=joins_from_ms, trusted=trusted)
        self.presence = Presence(params.clock_skew_ms, trusted)
        self._admission = PlacesOnly() if admission is None else admission
        self._rounds: dict[Digest, RoundAtNode] = {}
        self._open: dict[Digest, RoundAtNode] = {}
        """The rounds that are not over, the only ones that time and new work concern."""
        self._own_mail: deque[tuple[Digest, VerifiedMessage]] = deque()
        self._recovering: dict[Digest, Recovering] = {}
        self._refusals: OrderedDict[Digest, Refusal] = OrderedDict()
        self._offer_sequence = 0

    # -- from outside -----------------------------------------------------------------------------------------------

    def on_admitted(self, admitted: Admitted, now_ms: int) -> list[Effect]:
        """Take a message that the validator admitted."""
        message = admitted.message
        if admitted.rival is not None:
            return self._accuse(admitted.rival, message, now_ms)
        if message.kind is Kind.OFFER or message.kind in CONTRIBUTIONS:
            self.presence.heard(message.author, now_ms)
        match message.body:
            case Offer():
                return []
            case Query() as query:
                return self._join(message, query, now_ms)
            case Notice() as notice:
                return self._notice(notice)
            case _:
                return self._deliver(message, now_ms)

    def on_pull_reply(self, query: Digest, raw: bytes, now_ms: int) -> list[Effect] | Fault:
        """Take the reply to a Pull. A fault means that this source is useless: ask the next one."""
        reply = codec.decode(PullReply, raw, bytes_max=self.params.pull_bytes_max)
        if isinstance(reply, Fault):
            return reply
        if query in self._recovering:
            return self._recover(query, reply, now_ms)
        known = self._rounds.get(query)
        if known is None:
            return []
        if reply.turns and (fault := check_turns(self.params, known.record.query, reply.turns)) is not None:
            return fault
        if reply.tests and (fault := check_tests(known.record.query, reply.tests)) is not None:
            return fault
        known.texts = LeftOut(known.texts.turns or reply.turns, known.texts.tests or reply.tests)
        return self._take_pulled(query, reply, now_ms)

    def serve_pull(self, source: Key, raw: bytes) -> ServedPull | Fault:
        """Answer a member's pull (R13)."""
        request = codec.decode(PullRequest, raw, bytes_max=PULL_REQUEST_BYTES_MAX)
        if isinstance(request, Fault):
            return request
        known = self._rounds.get(request.query)
        if known is None:
            return Fault(FaultReason.UNKNOWN_ROUND, "R13", "pull")
        served = known.served.serve(known.record, known.texts, source, request, self.params.pull_bytes_max)
        if isinstance(served, ServedPull) and known.as_requester is None:
            # The text is its asker's: only the asker keeps account of who has it.
            return served._replace(text_of=None)
        return served

    def take_repeated(self, source: Key, raw: bytes, now_ms: int) -> Admitted | str:
        """Check a query that its requester repeats to us. Returns it for `on_admitted`, or an immediate reply."""
        message = self.validator.open_repeated(source, raw)
        if isinstance(message, Fault):
            return str(message.reason)
        if message.id in self._rounds or message.id in self._recovering or message.id in self._refusals:
            return self.reply_to_query(message.id)
        admitted = self.validator.admit_repeated(message, now_ms)
        if isinstance(admitted, Fault):
            return str(Refusal.CLOCK if admitted.reason is FaultReason.LATE else admitted.reason)
        return admitted

    def reply_to_query(self, query: Digest) -> str:
        """Return our reply to a requester about its admitted query: empty if we work on it, else the reason."""
        known = self._rounds.get(query)
        works = query in self._recovering or (known is not None and known.as_member is not None)
        return "" if works else str(self._refusals.get(query, Refusal.UNKNOWN))

    def on_query_reply(self, query: Digest, member: Key, reply: bytes, now_ms: int) -> list[Effect]:
        """Take a seat's reply to a Probe that repeated our query to it."""
        self.presence.heard(member, now_ms)
        return self._step(query, Replied(member, _refusal(reply)), now_ms)

    def on_pong(self, query: Digest | None, member: Key, reply: bytes, sent_ms: int, now_ms: int) -> list[Effect]:
        """Take the reply to a ping sent at `sent_ms`: a Probe of our round `query`, or of no round (None)."""
        pong = codec.decode(Pong, reply, bytes_max=REPLY_BYTES_MAX)
        if isinstance(pong, Fault):
            return []
        self.presence.measured(member, sent_ms, now_ms, pong.clock_ms)
        return [] if query is None else self._step(query, Alive(member), now_ms)

    # -- from ourselves ---------------------------------------------------------------------------------------------

    def ask(self, query: Query, texts: LeftOut, now_ms: int, slack_ms: int = 0) -> tuple[Digest, list[Effect]] | Fault:
        """Begin a round with a query of ours; `texts` are its conversation, even if it is private, and its tests.

        `slack_ms`: extension of our patience for the seats' distance (`presence.slack_ms`).
        """
        message = seal(self.keypair, self.params.digest, query)
        record = open_record(self.params, message)
        if isinstance(record, Fault):
            return record
        self.validator.follow(message, now_ms)
        self._make_room(now_ms)
        started = requester.start(record, self.keypair, now_ms, slack_ms)
        known = RoundAtNode(now_ms + query_ms(query), texts, as_requester=started.state)
        self._rounds[record.id] = self._open[record.id] = known
        return record.id, self._route(record.id, started.effects, now_ms)

    def cancel(self, query: Digest, now_ms: int) -> list[Effect] | None:
        """Cancel a round of ours before its tally (R16); None if there is no such round. It keeps its place."""
        known = self._rounds.get(query)
        cancelled = None if known is None or known.as_requester is None else requester.cancel(known.as_requester)
        if known is None or cancelled is None:
            return None
        known.as_requester = cancelled.state
        return self._route(query, cancelled.effects, now_ms)

    def place_until_ms(self, query: Digest) -> int | None:
        """When a cancelled round frees its place (R16); None if it holds none."""
        known = self._open.get(query)
        return known.budgets_end_ms if known is not None and known.keeps_place else None

    def on_work_done(self, query: Digest, event: Worked, now_ms: int) -> list[Effect]:
        """Take the result of a Generate, a RunTests or a Judge, or the delivery of a Contribute."""
        return self._step(query, event, now_ms)

    def take_local_message(self, now_ms: int) -> list[Effect] | None:
        """Deliver the next message between our own two roles; None if there is none.

        Call it until it returns None after any call that returned effects, once those are performed: messages for
        others leave before we turn to our own work.
        """
        if not self._own_mail:
            return None
        query, message = self._own_mail.popleft()
        if isinstance(message.body, Query):
            return self._start_member(message, message.body, now_ms, None)
        return self._step(query, Received(message), now_ms)

    def tick(self, now_ms: int) -> list[Effect]:
        """Wake every round that is due."""
        due = [(query, known) for query, known in self._open.items() if known.wake_at_ms <= now_ms]
        ticked: list[Effect] = []
        for query, known in due:
            ticked += self._free(query) if known.over else self._step(query, Tick(), now_ms)
        return [*ticked, *self._pull_recovering(now_ms)]

    def record(self, query: Digest) -> RoundRecord | None:
        """Return the record of a round that is kept here; None: there is none."""
        return None if (known := self._rounds.get(query)) is None else known.record

    @property
    def wake_at_ms(self) -> int | None:
        """When `tick` is due; None while no round is open or to be recovered."""
        waking = [known.wake_at_ms for known in self._open.values()]
        waking += [each.wake_at_ms for each in self._recovering.values()]
        return min(waking, default=None)

    def offer(self, offer: Offer, shard: int, now_ms: int) -> list[Effect]:
        """Announce our abilities in this shard of each specialty.

        The sequence is the time, so that it grows over restarts without a journal.
        """
        self._offer_sequence = max(self._offer_sequence + 1, now_ms)
        body = replace(offer, author=self.keypair.public, sequence=self._offer_sequence, sent_at_ms=now_ms)
        message = seal(self.keypair, self.params.digest, body)
        self.validator.offers.add(body, now_ms)
        return [Publish(tuple(topic(self.params, specialty, shard) for specialty in body.specialties), message)]

    def recover(self, query: Digest, asked_by: Key, restored: Restored, deadline_ms: int) -> None:
        """Resume a round from before a restart, once its chain can be pulled (R12): `tick` requests it."""
        self.validator.reserve(query, asked_by, deadline_ms)
        self._recovering[query] = Recovering(asked_by, restored, deadline_ms)

    def leave(self, query: Digest) -> list[Effect]:
        """Leave a round at once, in both roles: our last message was not journalled, so it does not exist (R12).

        Nothing more of the round is signed, sent or served.
        """
        known = self._rounds.pop(query, None)
        if known is None:
            return []
        held = self._open.pop(query, None) is not None and known.keeps_place
        self._own_mail = deque(mail for mail in self._own_mail if mail[0] != query)
        self.validator.close(query)
        fault = Fault(FaultReason.NOT_JOURNALLED, "R12")
        finishes: list[Effect] = []
        if known.as_member is not None and not known.as_member.over:
            finishes.append(RoundEnded(query, "member", Ending.LEFT, fault=fault))
        if known.as_requester is not None and not known.as_requester.over:
            finishes.append(RoundEnded(query, "requester", Ending.LEFT, fault=fault))
        return [*finishes, PlaceFreed(query)] if held else finishes

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
        """Become a member if the roster names us and admission does not refuse; otherwise only follow."""
        effects: list[Effect] = []
        refusal = self._refusal(message.id, query, now_ms)
        if refusal is None:
            effects = self._leave_untaken(now_ms)
            effects += self._start_member(message, query, now_ms, None)
        if message.id not in self._rounds:
            self._refusals[message.id] = refusal or Refusal.NOT_SEATED
            if len(self._refusals) > REFUSALS_MAX:
                self._refusals.popitem(last=False)
            # Not our round: it must not count against the open rounds of its author, or of everybody.
            self.validator.close(message.id)
        return effects

    def _refusal(self, id: Digest, query: Query, now_ms: int) -> Refusal | None:
        """Return why we do not work on another node's query; None if we do."""
        if all(seat.member != self.keypair.public for seat in query.roster):
            return Refusal.NOT_SEATED
        places = [place for place, is_untaken in self._places(now_ms) if not is_untaken]
        return self._admission.refusal(id, query, places, now_ms)

    def _places(self, now_ms: int) -> list[tuple[WorkingPlace, bool]]:
        """Return the rounds in which we work or which we recover, oldest first; true: its place is free for others.

        A cancelled round keeps its place (R16).
        """
        recovering = [(WorkingPlace(query, each.asked_by), False) for query, each in self._recovering.items()]
        return recovering + [
            (WorkingPlace(query, known.record.query.author), known.is_untaken(now_ms))
            for query, known in self._open.items()
            if known.has_working_place
        ]

    def _leave_untaken(self, now_ms: int) -> list[Effect]:
        """Before a round is joined, leave all but UNTAKEN_KEPT rounds whose place others may have."""
        untaken = [place.query for place, is_untaken in self._places(now_ms) if is_untaken]
        effects: list[Effect] = []
        for query in untaken[: max(0, len(untaken) - UNTAKEN_KEPT)]:
            at_member = self._rounds[query].as_member
            assert at_member is not None
            left = member.leave(at_member)
            self._rounds[query].as_member = left.state
            effects += self._route(query, left.effects, now_ms)
        return effects

    def _start_member(
        self, message: VerifiedMessage, query: Query, now_ms: int, restored: Restored | None
    ) -> list[Effect]:
        """Start our member in a round. `restored`: messages signed before a restart; None: the round begins here."""
        if all(seat.member != self.keypair.public for seat in query.roster):
            return []
        known = self._rounds.get(message.id)
        record = open_record(self.params, message)
        assert not isinstance(record, Fault), "the validator lets no such query in"
        texts = known.texts if known is not None else LeftOut(query.turns)
        phase_ms_max = DURATION_MS_MAX
        if query.author != self.keypair.public:
            phase_ms_max = self._admission.phase_ms_max(message.id, query.author)
        self._admission.joined(message.id, query, now_ms, again=restored is not None)
        started = member.start(record, self.keypair, texts, now_ms, restored or Restored(), phase_ms_max)
        if known is None:
            self._make_room(now_ms)
            known = self._rounds[message.id] = RoundAtNode(now_ms + query_ms(query), texts)
        known.as_member = started.state
        self._open[message.id] = known
        join = Join(message.id, query.author, now_ms + query_ms(query))
        return [join, *self._route(message.id, started.effects, now_ms)]

    def _recover(self, query: Digest, reply: PullReply, now_ms: int) -> list[Effect] | Fault:
        """R12: resume with the query that we had joined; messages signed then are repeated, nothing else."""
        first = open_envelope(reply.envelopes[0], self.params.digest) if reply.envelopes else None
        if not isinstance(first, VerifiedMessage) or first.id != query or not isinstance(first.body, Query):
            return Fault(FaultReason.MALFORMED, "R12", "a chain that does not begin with our query")
        restored = self._recovering.pop(query).restored
        self.validator.follow(first, now_ms)
        effects = self._start_member(first, first.body, now_ms, restored)
        taken = self._take_pulled(query, reply, now_ms)
        # A chain without any closing yet is no fault of its source.
        effects = effects if isinstance(taken, Fault) else [*effects, *taken]
        at_member = self._rounds[query].as_member
        return list(member.without_work(effects)) if at_member is not None and at_member.over else effects

    def _take_pulled(self, query: Digest, reply: PullReply, now_ms: int) -> list[Effect] | Fault:
        """Take the useful messages of a reply; a Fault if there are none. Valid ones count, whatever else it holds."""
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
        brings_text = (reply.turns and not at_member.turns) or (reply.tests and not at_member.tests)
        if not messages and not effects and not brings_text:
            return fault
        return [*effects, *self._step(query, Pulled(tuple(messages), reply.turns, reply.tests), now_ms)]

    def _notice(self, notice: Notice) -> list[Effect]:
        known = self._rounds.get(notice.query)
        if known is None or known.as_requester is not None:
            return []
        # Another member after the requester. The first one differs from member to member, by the keys' distance.
        members = sorted(
            known.record.seats, key=lambda key: domain_digest(b"strand/source/1", self.keypair.public, key)
        )
        others = [key for key in members if key not in (notice.author, self.keypair.public)]
        sources = (notice.author, *others[: CERTIFICATE_SOURCES_MAX - 1])
        return [FetchCertificate(notice.query, sources, notice.certificate_digest, notice.certificate_bytes)]

    def _accuse(self, one: VerifiedMessage, other: VerifiedMessage, now_ms: int) -> list[Effect]:
        """R3: publish evidence of two different messages of one slot, once."""
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
        """Give an event to the machines of a round that it concerns, and route their effects."""
        known = self._rounds.get(query)
        if known is None:
            return []
        effects: list[Effect] = []
        # The member first: a contribution must be in its pool when the requester's closing names it.
        if known.as_member is not None and concerns_member(event):
            at_member = member.step(known.as_member, event, now_ms)
            known.as_member = at_member.state
            effects += self._route(query, at_member.effects, now_ms)
        if known.as_requester is not None and concerns_requester(event):
            at_requester = requester.step(known.as_requester, event, now_ms)
            known.as_requester = at_requester.state
            effects += self._route(query, at_requester.effects, now_ms)
        return effects

    def _route(self, query: Digest, effects: tuple[Effect, ...], now_ms: int) -> list[Effect]:
        """Queue messages between our own requester and member locally, not over the network."""
        routed: list[Effect] = []
        for effect in effects:
            match effect:
                case Contribute(requester=to, message=message) if to == self.keypair.public:
                    self._own_mail.append((query, message))
                case Publish(message=message) if message.kind in CLOSINGS or message.kind is Kind.QUERY:
                    routed.append(effect)
                    self._own_mail.append((query, message))
                case RoundEnded(ending=Ending.CANCELLED):
                    routed.append(effect)
                    known = self._rounds[query]
                    known.keeps_place = True
                case RoundEnded():
                    routed.append(effect)
                    if effect.role == "requester":
                        self._note_silent(query, now_ms)
                    if self._rounds[query].over and not self._rounds[query].keeps_place:
                        self._close(query)
                case _:
                    routed.append(effect)
        return routed

    def _free(self, query: Digest) -> list[Effect]:
        """R16: the budgets of a cancelled round are over."""
        self._close(query)
        return [PlaceFreed(query)]

    def _close(self, query: Digest) -> None:
        """The round is over, and open no longer."""
        del self._open[query]
        self.validator.close(query)

    def _note_silent(self, query: Digest, now_ms: int) -> None:
        """After a round of ours, suspend seats that neither contributed nor refused."""
        machine = self._rounds[query].as_requester
        assert machine is not None
        seats, waiting = machine.record.seats.keys() - {self.keypair.public}, machine.waiting
        self.presence.round_over(seats, seats - waiting.contributed - waiting.refused.keys(), now_ms)

    def _make_room(self, now_ms: int) -> None:
        kept = {id: known for id, known in self._rounds.items() if known.expires_ms >= now_ms or id in self._open}
        over = [id for id in kept if id not in self._open]
        for id in over[: max(0, len(kept) + 1 - ROUNDS_KEPT)]:
            del kept[id]
        self._rounds = kept


def _refusal(reply: bytes) -> Refusal | None:
    """Parse a seat's reply to a query: None if it accepts."""
    if not reply:
        return None
    word = reply[:REPLY_BYTES_MAX].decode("utf-8", "replace")
    return Refusal(word) if word in set(Refusal) else Refusal.UNKNOWN
