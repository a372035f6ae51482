"""What a participant was told, call by call, so that its rounds can be driven again elsewhere, byte for byte.

A participant is deterministic: its key, its settings and its inputs in their order give everything it did. One input is
one call from outside of `consensus.rounds.participant.Participant` or of its validator; what such a call calls in turn
is no input, for it happens again by itself. Two things are left out, because nothing that a round does depends on
them: what the validator REJECTs, and other nodes' offers (the rosters that are drawn from them stand in the queries).

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
from protocol.messages import AnswerContent, Offer, Opening, Query
from protocol.params import NetworkParams
from protocol.schema import Count, DigestField, DurationMs, Envelope, KeyField, Range, Size, Text, TimeMs
from protocol.types import ABSTAIN, ONE, DeclineReason

RECORDING_BYTES_MAX = 64 * 1024 * 1024
"""bytes of one recording: thousands of small rounds (9 KiB each between four nodes), a dozen of the largest, and
little enough to read at once."""

FRAME_BYTES_MAX = limits.CERTIFICATE_BYTES_MAX + 1024
"""bytes of one input: the reply to a pull, and its frame."""

TOPIC_BYTES_MAX = 256
"""bytes of a topic's name: three times what the protocol's own take."""

LENGTH_BYTES = 4
"""bytes of a frame's length field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """Who was told, and with which settings it was made (see Participant)."""

    version: Annotated[int, Range(3, 3)] = 3
    key: KeyField
    params: NetworkParams
    joins_from_ms: TimeMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Gossiped:
    """`validator.admit_gossip`, let in or ignored."""

    at_ms: TimeMs
    topic: Annotated[str, Size(1, TOPIC_BYTES_MAX)]
    source: KeyField
    envelope: Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """`validator.admit_stream`, let in or ignored."""

    at_ms: TimeMs
    source: KeyField
    envelope: Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """`take_repeated`, let in or ignored: a query that its requester sent us directly."""

    at_ms: TimeMs
    source: KeyField
    envelope: Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """`replied`: what a seat said to a query of ours that we repeated to it."""

    at_ms: TimeMs
    query: DigestField
    member: KeyField
    reply: Annotated[bytes, Size(0, REPLY_BYTES_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ponged:
    """`ponged`: what a seat of a round of ours said to a ping."""

    at_ms: TimeMs
    sent_ms: TimeMs
    query: DigestField
    member: KeyField
    reply: Annotated[bytes, Size(0, REPLY_BYTES_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenUp:
    """`admitted`: the turn of a message that had been let in before."""

    at_ms: TimeMs
    message: DigestField


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """`validator.close`: the query was let in, but an earlier life of the node had seen it."""

    query: DigestField


@dataclass(frozen=True, slots=True, kw_only=True)
class PullAnswered:
    """`pulled`."""

    at_ms: TimeMs
    query: DigestField
    reply: Annotated[bytes, Size(0, limits.CERTIFICATE_BYTES_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PullServed:
    """`serve_pull`."""

    source: KeyField
    request: Annotated[bytes, Size(0, PULL_REQUEST_BYTES_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`ask`."""

    at_ms: TimeMs
    query: Query
    content: Text
    slack_ms: DurationMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrote:
    """`worked`: our engine wrote an answer."""

    at_ms: TimeMs
    query: DigestField
    content: AnswerContent
    salt: Annotated[bytes, Size(limits.SALT_BYTES, limits.SALT_BYTES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """`worked`: our engine compared the pairs of a wave."""

    at_ms: TimeMs
    query: DigestField
    wave: Annotated[int, Range(0, limits.WAVES_MAX - 1)]
    preferences: Annotated[tuple[Annotated[int, Range(ABSTAIN, ONE)], ...], Count(0, limits.PAIRS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CouldNot:
    """`worked`: our engine cannot answer, or cannot compare the pairs of a wave."""

    at_ms: TimeMs
    query: DigestField
    waves: Annotated[tuple[Annotated[int, Range(0, limits.WAVES_MAX - 1)], ...], Count(0, 1)]
    """The wave; none: the answer."""
    reason: DeclineReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """`worked`: a contribution of ours reached its requester, or was gossiped."""

    at_ms: TimeMs
    query: DigestField
    message: DigestField
    acknowledged: Annotated[int, Range(0, 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What our admission said when it was asked about a query; it stands after the input that made us ask."""

    query: DigestField
    refused: Annotated[int, Range(0, 1)]
    phase_ms_max: DurationMs


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRead:
    """`take_local_message`, when there was some."""

    at_ms: TimeMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """`tick`."""

    at_ms: TimeMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """`offer`: our own."""

    at_ms: TimeMs
    offer: Offer
    shard: Annotated[int, Range(0, 65535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """`recover`: what the journal held of a round of an earlier life."""

    query: DigestField
    asked_by: KeyField
    deadline_ms: TimeMs
    messages: Annotated[tuple[Envelope, ...], Count(0, limits.WAVES_MAX + 3)]
    """A ballot for each wave, a commitment, an answer and a co-signature at most, or declines in place of some."""
    opening: Annotated[tuple[Opening, ...], Count(0, 1)]
    """Of the commitment, if there is one."""


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
)
"""A frame's kind is the place in this list: new ones go to its end."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One life of a node, or the start of it."""

    beginning: Beginning
    inputs: tuple[Input, ...]


def frame(told: Beginning | Input) -> bytes:
    """What is appended to a recording. Raises EncodingError if a field is out of bounds."""
    body = bytes((_KINDS.index(type(told)),)) + codec.encode(told)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def read(raw: bytes) -> Recording | Fault:
    """The recording in a file from anywhere: TOO_LARGE, UNKNOWN_KIND, MALFORMED or NOT_CANONICAL if it is none.

    A last frame that is cut off is left out: a node may be killed while it writes.
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
    """Whole frames, without their lengths."""
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
