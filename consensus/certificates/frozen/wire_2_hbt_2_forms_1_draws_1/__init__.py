"""The reader of wire 2, hbt/2, forms/1, draws/1: a copy of what read it, frozen.

Nothing below this file is edited or shared. The file fits what the copy finds into today's `CertificateReading`.
"""

from collections.abc import Collection

from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.consensus.certificates import report as frozen
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.errors import Fault as FrozenFault
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.types import Key as FrozenKey

from consensus.certificates.reading import CertificateReading
from protocol.errors import Fault, FaultReason
from protocol.types import Key


def reading_of(raw: bytes, *, trusted: Collection[Key] | None = None) -> CertificateReading | Fault:
    """Recompute a certificate of this version from its bytes alone."""
    theirs = None if trusted is None else frozenset(map(FrozenKey, trusted))
    read = frozen.reading_of(raw, trusted=theirs)
    if isinstance(read, FrozenFault):
        return Fault(FaultReason(read.reason.value), read.rule, read.detail)
    cosigners = frozenset(map(Key, read.cosigners))
    return CertificateReading(read.report, read.turns, cosigners, read.full, read.ranking_digest)
