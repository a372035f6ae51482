"""The rounds that the node asked, and the certificates that it holds."""

import msgspec
import trio

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.certificates.versions import read_any_version
from node.api.certificates import Verification, report_of
from node.api.rounds import RoundDetail, RoundProof, RoundSummary
from node.facade.proofs import detail_of, proof_of
from node.rounds.history import RoundHistory
from node.storage import CertificateRow, RoundFilter, RoundPlace, Store
from protocol.errors import Fault
from protocol.types import Digest


class HistoryFacade:
    """One node's history."""

    def __init__(self, history: RoundHistory, store: Store) -> None:
        self._history = history
        self._store = store
        # Verifying takes a core for up to seconds: one at a time, so that rounds keep the others.
        self._verifying = trio.CapacityLimiter(1)

    async def rounds(
        self, wanted: RoundFilter, after: RoundPlace | None, rows_max: int
    ) -> tuple[tuple[RoundSummary, ...], RoundPlace | None]:
        """Return at most `rows_max` rounds below `after`, newest first, and the place to go on from; None: no more.

        Raises StoreBlockedError.
        """
        return await self._history.find(wanted, after, rows_max)

    async def round(self, query_id: Digest) -> RoundDetail | None:
        """Return everything known of a round; None: nothing. Raises StoreBlockedError."""
        detail = await self._history.detail(query_id)
        raw = await self._store.certificate(query_id)
        if raw is None:
            return detail
        found = await trio.to_thread.run_sync(_read, raw, limiter=self._verifying)
        if found is not None:
            of_member, proof = found
            detail = msgspec.structs.replace(detail or of_member, proof=proof)
        if detail is None:
            return None
        return msgspec.structs.replace(detail, certificate_url=f"/api/certificates/{query_id.hex()}")

    async def certificates(self, before_age: int | None, rows_max: int) -> list[CertificateRow]:
        """Return certificates below an age, those stored last first. Raises StoreBlockedError."""
        return await self._store.list_certificates(before_age, rows_max)

    async def verify(self, raw: bytes) -> Verification:
        """Verify a certificate of any version from its bytes alone."""
        return await trio.to_thread.run_sync(_verify, raw, limiter=self._verifying)


def _read(raw: bytes) -> tuple[RoundDetail, RoundProof] | None:
    """Verify and describe a stored certificate; None if it is of another version."""
    verified = verify_certificate(raw)
    return (detail_of(verified), proof_of(verified)) if isinstance(verified, VerifiedCertificate) else None


def _verify(raw: bytes) -> Verification:
    read = read_any_version(raw)
    if isinstance(read, Fault):
        return Verification(False, read.reason, read.rule, read.detail, None)
    return Verification(True, "", "", "", report_of(read.report))
