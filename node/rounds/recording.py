"""Record a participant's inputs for `strand run --record`, in the format of `consensus.rounds.recording`.

Only the owner may read the file: it holds the salts of answers before they are opened. Writes block the loop for some
microseconds, as those of the journal do. Nothing is flushed to the disk, so a power cut may lose the end.
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog

from consensus.rounds import recording as told
from consensus.rounds.admission import Admission, PlacesOnly, Refusal, WorkingPlace
from consensus.rounds.effects import Effect
from consensus.rounds.events import AnswersTested, Delivered, Generated, Judged, Unable, Worked
from consensus.rounds.membership import Restored
from consensus.rounds.participant import REPLY_BYTES_MAX, Participant
from consensus.rounds.pulls import PULL_REQUEST_BYTES_MAX, LeftOut, ServedPull
from consensus.rounds.validation import Admitted, Validator
from node.errors import UserError
from protocol.errors import Fault, Verdict
from protocol.messages import Offer, Query
from protocol.params import NetworkParams
from protocol.signing import Keypair, VerifiedMessage
from protocol.types import Digest, Key, Kind

log = structlog.get_logger()


class RecordingError(UserError):
    """The file cannot be written. The message is one line for the user."""


class Recorder:
    """Appends inputs to a file until it is full or the disk refuses; the node goes on without recording."""

    def __init__(self, descriptor: int, bytes_max: int = told.RECORDING_BYTES_MAX) -> None:
        self._descriptor = descriptor
        self._room_bytes = bytes_max
        self._stopped = False
        self._within = False

    def write(self, each: told.Beginning | told.Input) -> None:
        """Append an input, which survives SIGKILL once the call returns."""
        if self._stopped:
            return
        frame = told.frame(each)
        why = "the file is full"
        if len(frame) <= self._room_bytes:
            self._room_bytes -= len(frame)
            try:
                if os.write(self._descriptor, frame) == len(frame):
                    return
                why = "the disk is full"
            except OSError as error:
                why = error.strerror or str(error)
        # A gap would make all later inputs wrong.
        self._stopped = True
        log.warning("recording.stopped", reason=why)

    @contextmanager
    def input(self, each: told.Input) -> Iterator[None]:
        """Record a call as an input unless it is made within another one.

        It is written first, so that a crash is on file.
        """
        if self._within:
            yield
            return
        self.write(each)
        self._within = True
        try:
            yield
        finally:
            self._within = False


class RecordingValidator(Validator):
    """A validator that records its arrivals."""

    def __init__(
        self, recorder: Recorder, params: NetworkParams, *, joins_from_ms: int, trusted: Collection[Key]
    ) -> None:
        super().__init__(params, joins_from_ms=joins_from_ms, trusted=trusted)
        self._recorder = recorder

    def admit_gossip(self, on_topic: str, source: Key, data: bytes, now_ms: int) -> Admitted | Fault:
        """Validate a gossiped message, and record it."""
        admitted = super().admit_gossip(on_topic, source, data, now_ms)
        if _matters(data, admitted):
            self._recorder.write(told.Gossiped(at_ms=now_ms, topic=on_topic, source=source, envelope=data))
        return admitted

    def admit_stream(self, source: Key, data: bytes, now_ms: int) -> Admitted | Fault:
        """Validate a message from a stream, and record it."""
        admitted = super().admit_stream(source, data, now_ms)
        if _matters(data, admitted):
            self._recorder.write(told.Streamed(at_ms=now_ms, source=source, envelope=data))
        return admitted

    def admit_repeated(self, message: VerifiedMessage, now_ms: int) -> Admitted | Fault:
        """Validate a query that its requester sent directly, and record it."""
        admitted = super().admit_repeated(message, now_ms)
        if _matters(message.envelope, admitted):
            told_of = told.Repeated(at_ms=now_ms, source=message.author, envelope=message.envelope)
            self._recorder.write(told_of)
        return admitted

    def close(self, query: Digest) -> None:
        """Close a round, and record the call."""
        with self._recorder.input(told.Closed(query=query)):
            super().close(query)


class RecordingAdmission(Admission):
    """Records the decisions of another admission, which may depend on the hour, on the owner, or on what was spent."""

    def __init__(self, recorder: Recorder, admission: Admission) -> None:
        self._recorder = recorder
        self._admission = admission

    def refusal(self, id: Digest, query: Query, places: Sequence[WorkingPlace], now_ms: int) -> Refusal | None:
        """Return why the node does not join a round, and record a refusal."""
        refusal = self._admission.refusal(id, query, places, now_ms)
        if refusal is not None:
            self._recorder.write(told.Weighed(query=id, refused=1, phase_ms_max=0))
        return refusal

    def phase_ms_max(self, id: Digest, requester: Key) -> int:
        """Return the longest phase to work through for a requester, and record it."""
        phase_ms_max = self._admission.phase_ms_max(id, requester)
        self._recorder.write(told.Weighed(query=id, refused=0, phase_ms_max=phase_ms_max))
        return phase_ms_max

    def joined(self, id: Digest, query: Query, now_ms: int, *, again: bool) -> None:
        """Note that the node joined a round; this is not an input."""
        self._admission.joined(id, query, now_ms, again=again)


class RecordingParticipant(Participant):
    """A participant that records its inputs."""

    def __init__(
        self,
        recorder: Recorder,
        keypair: Keypair,
        params: NetworkParams,
        *,
        joins_from_ms: int = 0,
        admission: Admission | None = None,
        trusted: Collection[Key] = (),
    ) -> None:
        recorded = RecordingAdmission(recorder, PlacesOnly() if admission is None else admission)
        super().__init__(keypair, params, joins_from_ms=joins_from_ms, admission=recorded, trusted=trusted)
        self.validator = RecordingValidator(recorder, params, joins_from_ms=joins_from_ms, trusted=trusted)
        self._recorder = recorder
        recorder.write(told.Beginning(key=keypair.public, params=params, joins_from_ms=joins_from_ms))

    def on_admitted(self, admitted: Admitted, now_ms: int) -> list[Effect]:
        """Handle an admitted message, and record it unless it is an offer."""
        if admitted.message.kind is Kind.OFFER:
            return super().on_admitted(admitted, now_ms)
        with self._recorder.input(told.TakenUp(at_ms=now_ms, message=admitted.message.id)):
            return super().on_admitted(admitted, now_ms)

    def on_pull_reply(self, query: Digest, raw: bytes, now_ms: int) -> list[Effect] | Fault:
        """Handle a reply to a pull, and record it unless it is too long."""
        if len(raw) > self.params.pull_bytes_max:
            # Refused without decoding.
            return super().on_pull_reply(query, raw, now_ms)
        with self._recorder.input(told.PullAnswered(at_ms=now_ms, query=query, reply=raw)):
            return super().on_pull_reply(query, raw, now_ms)

    def serve_pull(self, source: Key, raw: bytes) -> ServedPull | Fault:
        """Serve a pull, and record it unless it is too long."""
        if len(raw) > PULL_REQUEST_BYTES_MAX:
            # Refused without decoding.
            return super().serve_pull(source, raw)
        with self._recorder.input(told.PullServed(source=source, request=raw)):
            return super().serve_pull(source, raw)

    def ask(self, query: Query, texts: LeftOut, now_ms: int, slack_ms: int = 0) -> tuple[Digest, list[Effect]] | Fault:
        """Begin a round, and record the question."""
        asked = told.Asked(at_ms=now_ms, query=query, turns=texts.turns, tests=texts.tests, slack_ms=slack_ms)
        with self._recorder.input(asked):
            return super().ask(query, texts, now_ms, slack_ms)

    def cancel(self, query: Digest, now_ms: int) -> list[Effect] | None:
        """Cancel a round, and record that."""
        with self._recorder.input(told.Cancelled(at_ms=now_ms, query=query)):
            return super().cancel(query, now_ms)

    def on_query_reply(self, query: Digest, member: Key, reply: bytes, now_ms: int) -> list[Effect]:
        """Handle a seat's reply to a query, and record it."""
        cut = reply[:REPLY_BYTES_MAX]
        with self._recorder.input(told.Replied(at_ms=now_ms, query=query, member=member, reply=cut)):
            return super().on_query_reply(query, member, cut, now_ms)

    def on_pong(self, query: Digest | None, member: Key, reply: bytes, sent_ms: int, now_ms: int) -> list[Effect]:
        """Handle a pong, and record it if a round depends on it."""
        if query is None or len(reply) > REPLY_BYTES_MAX:
            # No round depends on it, or it is refused without decoding.
            return super().on_pong(query, member, reply, sent_ms, now_ms)
        pong = told.Ponged(at_ms=now_ms, sent_ms=sent_ms, query=query, member=member, reply=reply)
        with self._recorder.input(pong):
            return super().on_pong(query, member, reply, sent_ms, now_ms)

    def on_work_done(self, query: Digest, event: Worked, now_ms: int) -> list[Effect]:
        """Handle finished work, and record its result."""
        with self._recorder.input(_worked(query, event, now_ms)):
            return super().on_work_done(query, event, now_ms)

    def take_local_message(self, now_ms: int) -> list[Effect] | None:
        """Handle the next message of this node to itself, and record that it did."""
        if not self._own_mail:
            return None
        with self._recorder.input(told.MailRead(at_ms=now_ms)):
            return super().take_local_message(now_ms)

    def tick(self, now_ms: int) -> list[Effect]:
        """Handle the passing of time, and record it."""
        with self._recorder.input(told.Ticked(at_ms=now_ms)):
            return super().tick(now_ms)

    def offer(self, offer: Offer, shard: int, now_ms: int) -> list[Effect]:
        """Publish an offer of this node, and record it."""
        with self._recorder.input(told.Offered(at_ms=now_ms, offer=offer, shard=shard)):
            return super().offer(offer, shard, now_ms)

    def recover(self, query: Digest, asked_by: Key, restored: Restored, deadline_ms: int) -> None:
        """Resume a round after a restart, and record what was restored."""
        recovered = told.Recovered(
            query=query,
            asked_by=asked_by,
            deadline_ms=deadline_ms,
            messages=tuple(message.envelope for message in restored.messages.values()),
            opening=() if restored.opening is None else (restored.opening,),
        )
        with self._recorder.input(recovered):
            super().recover(query, asked_by, restored, deadline_ms)

    def leave(self, query: Digest) -> list[Effect]:
        """Leave a round, and record it."""
        with self._recorder.input(told.Left(query=query)):
            return super().leave(query)


@contextmanager
def recording(path: Path) -> Iterator[Callable[..., Participant]]:
    """Open `path`, a new file, and yield a factory of recorded participants: one run of a node.

    Raises RecordingError.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise RecordingError(f"{path} exists already: each run is recorded in a file of its own") from error
    except OSError as error:
        raise RecordingError(f"cannot record in {path}: {error.strerror}") from error
    recorder = Recorder(descriptor)
    try:
        yield lambda *args, **settings: RecordingParticipant(recorder, *args, **settings)
    finally:
        os.close(descriptor)


def _matters(data: bytes, admitted: Admitted | Fault) -> bool:
    """Whether a message may affect a round: rejected ones leave no trace, and no round depends on offers."""
    if data[:1] == bytes((Kind.OFFER,)):
        return False
    return isinstance(admitted, Admitted) or admitted.verdict is not Verdict.REJECT


def _worked(query: Digest, event: Worked, now_ms: int) -> told.Input:
    match event:
        case Generated(content, salt):
            return told.Wrote(at_ms=now_ms, query=query, content=content, salt=salt)
        case Judged(wave, preferences):
            return told.Compared(at_ms=now_ms, query=query, wave=wave, preferences=preferences)
        case AnswersTested(stage, findings):
            return told.FoundOut(at_ms=now_ms, query=query, stage=stage, findings=findings)
        case Unable(phase, repetition, reason):
            return told.CouldNot(at_ms=now_ms, query=query, phase=phase, repetition=repetition, reason=reason)
        case Delivered(message_id, acknowledged):
            return told.Reached(at_ms=now_ms, query=query, message=message_id, acknowledged=int(acknowledged))
