"""A recording of a participant's inputs, call by call, from which its rounds can be replayed elsewhere, byte for byte.

A participant is deterministic: its key, its settings and its inputs in their order determine all its actions. One input
is one call from outside of `consensus.rounds.participant.Participant` or of its validator; nested calls are no input,
because they happen again by themselves. Two things are omitted, because no action of a round depends on them: messages
that the validator REJECTs, and other nodes' offers (the rosters drawn from them stand in the queries).

A file is a sequence of frames: `length (4 bytes, big-endian) || kind (1 byte) || body`, the body in the codec's
canonical form. The first frame is the Beginning. No secret key is in it, but the salts of answers are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from consensus.rounds.participant import REPLY_BYTES_MAX
from consensus.rounds.pulls import PULL_REQUEST_BYTES_MAX
from protocol import codec, limits
from protocol.errors import Fault, FaultReason
from protocol.messages import AnswerContent, Findings, Offer, Opening, Query, Stage, Turns
from protocol.params import NetworkParams
from protocol.schema import Count, DigestField, DurationMs, Envelope, KeyField, Range, Size, TimeMs
from protocol.types import ABSTAIN, ONE, DeclinedPhase, DeclineReason

RECORDING_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of one recording: thousands of small rounds (9 KiB each between four nodes), a dozen of the largest, and small
enough to read at once."""

FRAME_BYTES_MAX = limits.CERTIFICATE_BYTES_MAX + 1024
"""Bytes of one input: the reply to a pull, and its frame."""

TOPIC_BYTES_MAX = 256
"""Bytes of a topic's name: three times the length of the protocol's own."""

LENGTH_BYTES = 4
"""Bytes of a frame's length field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """The recorded node's key and the settings with which its participant was made."""

    version: Annotated[int, Range(5, 5)] = 5
    key: KeyField
    params: NetworkParams
    joins_from_ms: TimeMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Gossiped:
    """`validator.admit_gossip`: a message admitted or ignored."""

    at_ms: TimeMs
    topic: Annotated[str, Size(1, TOPIC_BYTES_MAX)]
    source: KeyField
    envelope: Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """`validator.admit_stream`: a message admitted or ignored."""

    at_ms: TimeMs
    source: KeyField
    envelope: Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """`take_repeated`, admitted or ignored: a query that its requester sent to us directly."""

    at_ms: TimeMs
    source: KeyField
    envelope: Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """`on_query_reply`: a seat's reply to a query of ours that was repeated to it."""

    at_ms: TimeMs
    query: DigestField
    member: KeyField
    reply: Annotated[bytes, Size(0, REPLY_BYTES_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ponged:
    """`on_pong`: the reply of a seat of our round to a ping."""

    at_ms: TimeMs
    sent_ms: TimeMs
    query: DigestField
    member: KeyField
    reply: Annotated[bytes, Size(0, REPLY_BYTES_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenUp:
    """`on_admitted`: an admitted message is processed."""

    at_ms: TimeMs
    message: DigestField


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """`validator.close`: the query was admitted, but the node had seen it before a restart."""

    query: DigestField


@dataclass(frozen=True, slots=True, kw_only=True)
class PullAnswered:
    """`on_pull_reply`: the reply to a pull."""

    at_ms: TimeMs
    query: DigestField
    reply: Annotated[bytes, Size(0, limits.CERTIFICATE_BYTES_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PullServed:
    """`serve_pull`: a member's pull request."""

    source: KeyField
    request: Annotated[bytes, Size(0, PULL_REQUEST_BYTES_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`ask`: a query of our own."""

    at_ms: TimeMs
    query: Query
    turns: Turns
    tests: Annotated[str, Size(0, limits.TESTS_BYTES_MAX)]
    slack_ms: DurationMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """`cancel`: a round of our own is cancelled, if it still can be."""

    at_ms: TimeMs
    query: DigestField


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrote:
    """`on_work_done`: our engine wrote an answer."""

    at_ms: TimeMs
    query: DigestField
    content: AnswerContent
    salt: Annotated[bytes, Size(limits.SALT_BYTES, limits.SALT_BYTES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """`on_work_done`: our engine compared the pairs of a wave."""

    at_ms: TimeMs
    query: DigestField
    wave: Annotated[int, Range(0, limits.WAVES_MAX - 1)]
    preferences: Annotated[tuple[Annotated[int, Range(ABSTAIN, ONE)], ...], Count(0, limits.PAIRS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundOut:
    """`on_work_done`: our sandbox tested the answers of a stage."""

    at_ms: TimeMs
    query: DigestField
    stage: Stage
    findings: Annotated[tuple[Findings, ...], Count(0, limits.MEMBERS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CouldNot:
    """`on_work_done`: we cannot answer, test the answers of a stage, or compare the pairs of a wave."""

    at_ms: TimeMs
    query: DigestField
    phase: DeclinedPhase
    repetition: Annotated[int, Range(0, limits.WAVES_MAX - 1)]
    reason: DeclineReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """`on_work_done`: a contribution of ours was acknowledged by its requester, or gossiped."""

    at_ms: TimeMs
    query: DigestField
    message: DigestField
    acknowledged: Annotated[int, Range(0, 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """Our admission's decision about a query; it follows the input that caused it."""

    query: DigestField
    refused: Annotated[int, Range(0, 1)]
    phase_ms_max: DurationMs


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRead:
    """`take_local_message`, if there was one."""

    at_ms: TimeMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """A call of `tick`: nothing but time has passed."""

    at_ms: TimeMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """`offer`: our own offer."""

    at_ms: TimeMs
    offer: Offer
    shard: Annotated[int, Range(0, 65535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """`recover`: the journal's content of a round from before a restart."""

    query: DigestField
    asked_by: KeyField
    deadline_ms: TimeMs
    messages: Annotated[tuple[Envelope, ...], Count(0, limits.WAVES_MAX + limits.STAGES_MAX + 3)]
    """At most a ballot for each wave, a report for each stage, a commitment, an answer and a co-signature, or declines
    in place of some."""
    opening: Annotated[tuple[Opening, ...], Count(0, 1)]
    """The opening of the commitment, if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """`leave`: a message of ours in this round could not be journalled."""

    query: DigestField


Input = (
    Gossiped
    | Streamed
    | TakenUp
    | Closed
    | PullAnswered
    | PullServed
    | Asked
    | Wrote
    | Compared
    | Reached
    | MailRead
    | Ticked
    | Offered
    | Recovered
    | Left
    | Weighed
    | Repeated
    | Replied
    | Ponged
    | CouldNot
    | Cancelled
    | FoundOut
)

_KINDS: tuple[type[Beginning | Input], ...] = (
    Beginning,
    Gossiped,
    Streamed,
    TakenUp,
    Closed,
    PullAnswered,
    PullServed,
    Asked,
    Wrote,
    Compared,
    Reached,
    MailRead,
    Ticked,
    Offered,
    Recovered,
    Left,
    Weighed,
    Repeated,
    Replied,
    Ponged,
    CouldNot,
    Cancelled,
    FoundOut,
)
"""Frame kinds: the number is the position in this list, so new ones are appended."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The inputs of one run of a node, or of its start."""

    beginning: Beginning
    inputs: tuple[Input, ...]


def frame(told: Beginning | Input) -> bytes:
    """Encode one frame of a recording. Raises EncodingError if a field is out of bounds."""
    body = bytes((_KINDS.index(type(told)),)) + codec.encode(told)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def read(raw: bytes) -> Recording | Fault:
    """Parse a recording from an untrusted file. Faults: TOO_LARGE, UNKNOWN_KIND, MALFORMED, NOT_CANONICAL.

    A truncated last frame is omitted: a node may be killed while it writes.
    """
    if len(raw) > RECORDING_BYTES_MAX:
        return Fault(FaultReason.TOO_LARGE, "recording", f"{len(raw)} bytes, at most {RECORDING_BYTES_MAX}")
    beginning: Beginning | None = None
    inputs: list[Input] = []
    for body in _frames(raw):
        told = _decode(body)
        if isinstance(told, Fault):
            return told
        if isinstance(told, Beginning) != (beginning is None):
            return Fault(FaultReason.MALFORMED, "recording", "it must have one beginning, and that first")
        if isinstance(told, Beginning):
            beginning = told
        else:
            inputs.append(told)
    if beginning is None:
        return Fault(FaultReason.MALFORMED, "recording", "empty")
    return Recording(beginning, tuple(inputs))


def _frames(raw: bytes) -> Iterator[bytes]:
    """Yield whole frames, without their lengths."""
    start = LENGTH_BYTES
    while start <= len(raw):
        end = start + int.from_bytes(raw[start - LENGTH_BYTES : start], "big")
        if end > len(raw):
            return
        yield raw[start:end]
        start = end + LENGTH_BYTES


def _decode(body: bytes) -> Beginning | Input | Fault:
    if not body or body[0] >= len(_KINDS):
        return Fault(FaultReason.UNKNOWN_KIND, "recording", body[:1].hex())
    return codec.decode(_KINDS[body[0]], body[1:], bytes_max=FRAME_BYTES_MAX)
