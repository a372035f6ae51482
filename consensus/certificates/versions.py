"""Readers of certificates: one for each version of wire and aggregator that was kept (rule C6).

Before the wire or the aggregator changes, today's is frozen (protocol/README.md, "Versions"). Every reader promises the
same: from bytes alone to plain values, a `CertificateReading`, or a Fault.
"""

from collections.abc import Collection, Mapping
from typing import Final, Protocol

from consensus.certificates.certificate import check_certificate
from consensus.certificates.frozen import wire_1_hbt_2_forms_1_draws_1, wire_2_hbt_2_forms_1_draws_1
from consensus.certificates.report import CertificateReading, described_reading, reading_of
from consensus.certificates.steps import VerificationStep, failed_step, former_step, steps_of
from protocol import codec, versions
from protocol.errors import Fault, FaultReason
from protocol.limits import CERTIFICATE_BYTES_MAX
from protocol.types import Key
from protocol.versions import RoundVersion


class Reader(Protocol):
    """Recomputes a certificate of one version from its bytes alone."""

    def __call__(self, raw: bytes, *, trusted: Collection[Key] | None = None) -> CertificateReading | Fault:
        """Return the content of the certificate, or why it is invalid; `trusted` as in `verify_certificate`."""
        ...


READERS: Final[Mapping[RoundVersion, Reader]] = {
    versions.CURRENT: reading_of,
    RoundVersion(2, "hbt/2", "forms/1", "draws/1"): wire_2_hbt_2_forms_1_draws_1.reading_of,
    RoundVersion(1, "hbt/2", "forms/1", "draws/1"): wire_1_hbt_2_forms_1_draws_1.reading_of,
}
"""The reader of each version that this software reads."""


def version_of(raw: bytes) -> RoundVersion | None:
    """Return the version that a certificate claims; None if the bytes are no certificate of any version.

    Reads `version` and the parameters' `aggregator`, `canonical_form` and `draws`, which every version must keep.
    """
    fields = codec.peek(raw, bytes_max=CERTIFICATE_BYTES_MAX)
    if fields is None:
        return None
    wire, params = fields.get("version"), fields.get("params")
    if not isinstance(wire, int) or not 1 <= wire <= versions.WIRE_VERSION_MAX or not isinstance(params, dict):
        return None
    named = (params.get(field) for field in ("aggregator", "canonical_form", "draws"))
    names = [name for name in named if isinstance(name, str)]
    if len(names) != 3:
        return None
    # Drafts before version 1 said 1, too; they know no declines.
    return RoundVersion(wire if "declines" in fields or wire > 1 else 0, *names)


def read_any_version(
    raw: bytes,
    *,
    trusted: Collection[Key] | None = None,
    readers: Mapping[RoundVersion, Reader] = READERS,
) -> CertificateReading | Fault:
    """Recompute a certificate of any version that was kept, from its bytes alone.

    Any other version is the fault OTHER_VERSION, whose detail names the version and the software that reads it.
    """
    found = version_of(raw)
    # What shows no version gets the present reader's reasons why it is no certificate.
    reader = readers.get(versions.CURRENT if found is None else found)
    if reader is None:
        assert found is not None, "today's version has a reader"
        known = "; ".join(map(str, readers))
        detail = f"{found}; this strand reads {known}: {versions.remedy(found)}"
        return Fault(FaultReason.OTHER_VERSION, "C6", detail)
    return reader(raw, trusted=trusted)


def verify_in_steps(
    raw: bytes, *, trusted: Collection[Key] | None = None
) -> tuple[CertificateReading | Fault, tuple[VerificationStep, ...]]:
    """Recompute a certificate as `read_any_version` does; return its content or fault, and the steps to it.

    A certificate of a former version has one step: its frozen reader answers for the whole.
    """
    found = version_of(raw)
    if found is None or found == versions.CURRENT:
        check = check_certificate(raw, trusted=trusted)
        if check.verified is not None:
            return described_reading(check.verified), steps_of(check, len(raw))
        assert check.fault is not None, "a verification ends with a content or a fault"
        return check.fault, steps_of(check, len(raw))
    read = read_any_version(raw, trusted=trusted)
    if isinstance(read, Fault):
        return read, (failed_step(f"a reader of {found} recomputes the whole certificate", read),)
    return read, (former_step(found),)
