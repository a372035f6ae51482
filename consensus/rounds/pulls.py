"""Serving pulls: only messages that a valid closing names, once for each member, within a byte budget (rule R13)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from consensus.certificates.record import RoundRecord
from protocol import codec
from protocol.errors import Fault, FaultReason
from protocol.messages import PullReply, PullRequest
from protocol.signing import VerifiedMessage
from protocol.types import Digest, Key

PULL_FRAME_BYTES = 64
"""Bytes of a pull reply without its contents."""

ENVELOPE_FRAME_BYTES = 5
"""Largest number of bytes that msgpack puts before a byte string."""

PULL_REQUEST_BYTES_MAX = 8 * 1024
"""Bytes of a pull request: 192 ids and a frame."""


@dataclass(slots=True)
class PullLedger:
    """Records what the members of one round have pulled from us; bounded by its roster and the ids in its closings."""

    ids: dict[Key, set[Digest]] = field(default_factory=dict)
    bytes_: dict[Key, int] = field(default_factory=dict)
    readers: set[Key] = field(default_factory=set)
    """Members to which we served the text of a query that does not hold it itself."""

    def serve(
        self, record: RoundRecord, content: str, source: Key, request: PullRequest, bytes_max: int
    ) -> bytes | Fault:
        """Answer one request of `source`, within `bytes_max` for it in this round; `content` is the query's text.

        Faults: NOT_A_MEMBER without a seat, BUSY if its bytes are spent.
        """
        if source not in record.seats:
            return Fault(FaultReason.NOT_A_MEMBER, "R13", "pull")
        if request.ids:
            held = {each.id: each for each in record.named}
            served = self.ids.setdefault(source, set())
            wanted = [held[id] for id in request.ids if id in held and id not in served]
            content = ""
        else:
            # The chain is served again on each request: so a member notices that it has missed a closing.
            wanted = [record.message, *record.closings]
            content = "" if record.query.content else content
        spent = self.bytes_.get(source, 0)
        fitting = _fitting(wanted, bytes_max - spent - PULL_FRAME_BYTES - len(content.encode()))
        if len(fitting) < min(1, len(wanted)):
            return Fault(FaultReason.BUSY, "R13", "this member's byte budget for the round is spent")
        if request.ids:
            self.ids[source].update(message.id for message in fitting)
        encoded = codec.encode(PullReply(content=content, envelopes=tuple(message.envelope for message in fitting)))
        self.bytes_[source] = spent + len(encoded)
        if content:
            self.readers.add(source)
        return encoded


def _fitting(messages: Sequence[VerifiedMessage], room: int) -> list[VerifiedMessage]:
    """Return the longest prefix of the messages that fits into `room` bytes."""
    fitting = []
    for message in messages:
        room -= len(message.envelope) + ENVELOPE_FRAME_BYTES
        if room < 0:
            break
        fitting.append(message)
    return fitting
