"""What a member may object to in a closing (rule R10): what it leaves out although it was there in good time."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from consensus.certificates.record import Phase, RoundRecord
from protocol.signing import VerifiedMessage
from protocol.types import Digest, Key


@dataclass(frozen=True, slots=True)
class Sent:
    """One of our contributions, and since when the requester has it, or the mesh (R10)."""

    message: VerifiedMessage
    delivered_ms: int | None = None


def leaves_out(record: RoundRecord, ours: Sent | None, named: Collection[Digest], came_ms: int) -> bool:
    """Whether a closing that came at `came_ms` names what it should, but not our contribution of the phase it ends.

    Only what was delivered at least `grace_ms` before counts: else the closing may have been on its way.
    """
    if ours is None or ours.delivered_ms is None or ours.message.author in record.removed:
        return False
    return ours.message.id not in named and came_ms - ours.delivered_ms >= record.params.grace_ms


def conceals(record: RoundRecord, accused: Mapping[Key, int], came_ms: int) -> bool:
    """Whether evidence is not listed that we have held for `grace_ms`; the commits closing lists none yet.

    `accused`: members of whom we hold evidence, and since when, ms.
    """
    if record.phase is Phase.OPENING:
        return False
    held = {key for key, since_ms in accused.items() if came_ms - since_ms >= record.params.grace_ms}
    return not held & record.seats.keys() <= record.removed
