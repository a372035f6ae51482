"""Replay of a recorded real node: its participant gets the same inputs, without network, engine or disk."""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from consensus.certificates.evidence import Slot, slot_of
from consensus.rounds import recording as told
from consensus.rounds.admission import Admission, Refusal, WorkingPlace
from consensus.rounds.effects import Effect
from consensus.rounds.events import AnswersTested, Delivered, Generated, Judged, Unable
from consensus.rounds.membership import Restored
from consensus.rounds.participant import Participant
from consensus.rounds.pulls import LeftOut
from consensus.rounds.recording import Input, Recording
from consensus.rounds.validation import Admitted
from protocol.errors import Fault, FaultReason
from protocol.limits import DURATION_MS_MAX
from protocol.messages import Query
from protocol.signing import Keypair, VerifiedMessage, open_envelope
from protocol.types import Digest, Key


@dataclass(frozen=True, slots=True)
class Step:
    """The participant's reaction to one input: effects, or a refusal."""

    told: Input
    effects: tuple[Effect, ...] = ()
    fault: Fault | None = None


def replay(recording: Recording, keypair: Keypair) -> Iterator[Step]:
    """Yield each input and its result, in order.

    Raises ValueError for another node's key, and any exception of the participant: a recorded crash is repeated.
    """
    if recording.beginning.key != keypair.public:
        raise ValueError("the recording is another node's")
    replayed = _Replayed(recording, keypair)
    for each in recording.inputs:
        done = replayed.tell(each)
        yield Step(each, fault=done) if isinstance(done, Fault) else Step(each, tuple(done))


class _Weighed(Admission):
    """Replays the recorded node's admission decisions, query by query."""

    def __init__(self, recording: Recording) -> None:
        self._said: dict[Digest, deque[told.Weighed]] = defaultdict(deque)
        for each in recording.inputs:
            if isinstance(each, told.Weighed):
                self._said[each.query].append(each)

    def refusal(self, id: Digest, query: Query, places: Sequence[WorkingPlace], now_ms: int) -> Refusal | None:
        said = self._said.get(id)
        return Refusal.BUSY if said and said[0].refused and said.popleft() else None

    def phase_ms_max(self, id: Digest, requester: Key) -> int:
        said = self._said.get(id)
        return said.popleft().phase_ms_max if said else DURATION_MS_MAX

    def joined(self, id: Digest, query: Query, now_ms: int, *, again: bool) -> None:
        pass


class _Replayed:
    """The participant, and the messages that it admitted."""

    def __init__(self, recording: Recording, keypair: Keypair) -> None:
        began = recording.beginning
        self._participant = Participant(
            keypair, began.params, joins_from_ms=began.joins_from_ms, admission=_Weighed(recording)
        )
        # Bounded by the size of the recording.
        self._let_in: dict[Digest, Admitted] = {}

    def tell(self, each: Input) -> list[Effect] | Fault:
        """Make the recorded call."""
        node = self._participant
        match each:
            case told.Gossiped():
                return self._arrived(node.validator.admit_gossip(each.topic, each.source, each.envelope, each.at_ms))
            case told.Streamed():
                return self._arrived(node.validator.admit_stream(each.source, each.envelope, each.at_ms))
            case told.Repeated():
                taken = node.take_repeated(each.source, each.envelope, each.at_ms)
                return [] if isinstance(taken, str) else self._arrived(taken)
            case told.Replied():
                return node.on_query_reply(each.query, each.member, each.reply, each.at_ms)
            case told.Ponged():
                return node.on_pong(each.query, each.member, each.reply, each.sent_ms, each.at_ms)
            case told.TakenUp():
                admitted = self._let_in.get(each.message)
                if admitted is None:
                    return Fault(FaultReason.MISSING, "recording", "this message was not let in before")
                return node.on_admitted(admitted, each.at_ms)
            case told.Closed():
                node.validator.close(each.query)
                return []
            case told.PullAnswered():
                return node.on_pull_reply(each.query, each.reply, each.at_ms)
            case told.PullServed():
                served = node.serve_pull(each.source, each.request)
                return served if isinstance(served, Fault) else []
            case told.Asked():
                begun = node.ask(each.query, LeftOut(each.turns, each.tests), each.at_ms, each.slack_ms)
                return begun if isinstance(begun, Fault) else begun[1]
            case told.Cancelled():
                return node.cancel(each.query, each.at_ms) or []
            case told.Wrote():
                return node.on_work_done(each.query, Generated(each.content, each.salt), each.at_ms)
            case told.Compared():
                return node.on_work_done(each.query, Judged(each.wave, each.preferences), each.at_ms)
            case told.CouldNot():
                unable = Unable(each.phase, each.repetition, each.reason)
                return node.on_work_done(each.query, unable, each.at_ms)
            case told.FoundOut():
                return node.on_work_done(each.query, AnswersTested(each.stage, each.findings), each.at_ms)
            case told.Reached():
                return node.on_work_done(each.query, Delivered(each.message, bool(each.acknowledged)), each.at_ms)
            case told.Weighed():
                # Used by the input before it.
                return []
            case told.MailRead():
                return node.take_local_message(each.at_ms) or []
            case told.Ticked():
                return node.tick(each.at_ms)
            case told.Offered():
                return node.offer(each.offer, each.shard, each.at_ms)
            case told.Left():
                return node.leave(each.query)
            case told.Recovered():
                return self._recover(each)
            case _:
                assert_never(each)

    def _arrived(self, admitted: Admitted | Fault) -> list[Effect] | Fault:
        if isinstance(admitted, Fault):
            return admitted
        self._let_in[admitted.message.id] = admitted
        return []

    def _recover(self, each: told.Recovered) -> list[Effect] | Fault:
        messages: dict[Slot, VerifiedMessage] = {}
        for envelope in each.messages:
            message = open_envelope(envelope, self._participant.params.digest)
            if isinstance(message, Fault):
                return message
            slot = slot_of(message)
            if slot is None:
                return Fault(FaultReason.MALFORMED, "recording", f"a journal holds no {message.kind.name}")
            messages[slot] = message
        restored = Restored(messages, each.opening[0] if each.opening else None)
        self._participant.recover(each.query, each.asked_by, restored, each.deadline_ms)
        return []
