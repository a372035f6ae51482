"""Serving pulls: only messages that a valid closing names, once for each member, within a byte budget (rule R13)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from consensus.certificates.record import Phase, RoundRecord
from protocol import codec
from protocol.conversation import bytes_of
from protocol.errors import Fault, FaultReason
from protocol.messages import Turn
from protocol.signing import VerifiedMessage
from protocol.streams import PullReply, PullRequest
from protocol.types import Digest, Key

PULL_FRAME_BYTES = 64
"""Bytes of a pull reply without its contents."""

TURN_FRAME_BYTES = 32
"""Largest number of bytes of a turn beside its text: two names of fields, the role, and the heads of each."""

ENVELOPE_FRAME_BYTES = 5
"""Largest number of bytes that msgpack puts before a byte string."""

PULL_REQUEST_BYTES_MAX = 8 * 1024
"""Bytes of a pull request: 192 ids and a frame."""


class LeftOut(NamedTuple):
    """Texts of a round that its query binds by digest only, as far as they are held here."""

    turns: tuple[Turn, ...] = ()
    """A private query's conversation."""
    tests: str = ""
    """The asker's tests. Nobody gets them before the commits are closed: judges and testers are authors, too (R17)."""


class ServedPull(NamedTuple):
    """The encoded reply to a pull, and whether the puller gets a text of ours by it."""

    reply: bytes
    text_of: Digest | None = None
    """The query of ours whose text its puller gets with it, for the first time; None: it gets none."""


@dataclass(slots=True)
class PullLedger:
    """Records what the members of one round have pulled from us; bounded by its roster and the ids in its closings."""

    ids: dict[Key, set[Digest]] = field(default_factory=dict)
    bytes_: dict[Key, int] = field(default_factory=dict)
    readers: set[Key] = field(default_factory=set)
    """Members to which we served the text of a query that does not hold it itself."""

    def serve(
        self, record: RoundRecord, texts: LeftOut, source: Key, request: PullRequest, bytes_max: int
    ) -> ServedPull | Fault:
        """Answer one request of `source`, within `bytes_max` for it in this round; `texts`: all that we hold.

        Faults: NOT_A_MEMBER without a seat, BUSY if its bytes are spent.
        """
        if source not in record.seats:
            return Fault(FaultReason.NOT_A_MEMBER, "R13", "pull")
        if request.ids:
            held = {each.id: each for each in record.named}
            served = self.ids.setdefault(source, set())
            wanted = [held[id] for id in request.ids if id in held and id not in served]
            texts = LeftOut()
        else:
            # The chain is served again on each request: so a member notices that it has missed a closing.
            wanted = [record.message, *record.closings]
            texts = _due(record, texts)
        spent = self.bytes_.get(source, 0)
        fitting = _fitting(wanted, bytes_max - spent - PULL_FRAME_BYTES - _bytes_of(texts))
        if len(fitting) < min(1, len(wanted)):
            return Fault(FaultReason.BUSY, "R13", "this member's byte budget for the round is spent")
        if request.ids:
            self.ids[source].update(message.id for message in fitting)
        envelopes = tuple(message.envelope for message in fitting)
        encoded = codec.encode(PullReply(turns=texts.turns, tests=texts.tests, envelopes=envelopes))
        self.bytes_[source] = spent + len(encoded)
        is_new = bool(texts.turns) and source not in self.readers
        if texts.turns:
            self.readers.add(source)
        return ServedPull(encoded, record.id if is_new else None)


def _due(record: RoundRecord, texts: LeftOut) -> LeftOut:
    """Return the texts that members may have by now."""
    # R16: nobody works on a cancelled round any more, so nobody needs its texts.
    if record.phase is Phase.CANCELLED:
        return LeftOut()
    turns = () if record.query.turns else texts.turns
    return LeftOut(turns, texts.tests if record.commitments else "")


def _bytes_of(texts: LeftOut) -> int:
    """Return the bytes of these texts in a reply, at most."""
    return bytes_of(texts.turns) + TURN_FRAME_BYTES * len(texts.turns) + len(texts.tests.encode())


def _fitting(messages: Sequence[VerifiedMessage], room: int) -> list[VerifiedMessage]:
    """Return the longest prefix of the messages that fits into `room` bytes."""
    fitting = []
    for message in messages:
        room -= len(message.envelope) + ENVELOPE_FRAME_BYTES
        if room < 0:
            break
        fitting.append(message)
    return fitting
