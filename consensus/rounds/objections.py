"""A member's grounds to object to a closing (rule R10): omissions of messages that were delivered in good time."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from consensus.certificates.record import Phase, RoundRecord
from protocol.signing import VerifiedMessage
from protocol.types import Digest, Key


@dataclass(frozen=True, slots=True)
class Sent:
    """One of our contributions, and the time since when the requester, or the mesh, has it (R10)."""

    message: VerifiedMessage
    delivered_ms: int | None = None


def leaves_out(record: RoundRecord, ours: Sent | None, named: Collection[Digest], came_ms: int) -> bool:
    """Whether a closing that arrived at `came_ms` omits our contribution of the phase that it ends.

    It counts only if delivered at least `grace_ms` before: otherwise the closing may have been on its way.
    """
    if ours is None or ours.delivered_ms is None or ours.message.author in record.removed:
        return False
    return ours.message.id not in named and came_ms - ours.delivered_ms >= record.params.grace_ms


def conceals(record: RoundRecord, accused: Mapping[Key, int], came_ms: int) -> bool:
    """Whether a closing omits evidence that we have held for `grace_ms`; the commits closing lists none yet.

    `accused`: members against whom we hold evidence, and since when, ms.
    """
    if record.phase is Phase.OPENING:
        return False
    held = {key for key, since_ms in accused.items() if came_ms - since_ms >= record.params.grace_ms}
    return not held & record.seats.keys() <= record.removed
