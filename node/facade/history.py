"""The rounds that the node asked, and the certificates that it holds."""

import re
from typing import Final

import msgspec
import trio

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.certificates.versions import verify_in_steps
from node.api.certificates import CertificatePage, HeldCertificate, Verification, VerificationStep, report_of
from node.api.common import CursorError
from node.api.rounds import CertificateDetail, RoundDetail, RoundPage
from node.facade.certificates import certificate_detail, round_detail
from node.rounds.following.history import RoundHistory
from node.storage import CertificateRow, RoundCursor, RoundFilter, Store
from protocol.errors import Fault
from protocol.types import Digest

NO_CURSOR: Final = "after is what an earlier page has as `next`"

_AGE: Final = re.compile(r"[0-9]{1,18}")
_CURSOR: Final = re.compile(r"([0-9]{1,16})\.([0-9a-f]{64})")


class HistoryFacade:
    """Reads the rounds that one node asked and the certificates that it holds, and verifies certificates."""

    def __init__(self, history: RoundHistory, store: Store, verifying: trio.CapacityLimiter) -> None:
        """Build a facade. `verifying`: limits the certificates that are verified at once, each on a thread."""
        self._history = history
        self._store = store
        self._verifying = verifying

    async def rounds(self, wanted: RoundFilter, after: str, rows_max: int) -> RoundPage:
        """Return a page of rounds, newest first, after the page whose `next` is `after`; empty: the first.

        `rows_max`: most rounds of the page. Raises CursorError, StoreBlockedError.
        """
        rounds, last = await self._history.find(wanted, _cursor(after), rows_max)
        return RoundPage(rounds, None if last is None else f"{last.asked_ms}.{last.query_id.hex()}")

    async def round(self, query_id: Digest) -> RoundDetail | None:
        """Return everything known of a round, with what its certificate says if there is one; None: nothing is known.

        Raises StoreBlockedError.
        """
        detail = await self._history.detail(query_id)
        raw = await self._store.certificate(query_id)
        if raw is None:
            return detail
        found = await trio.to_thread.run_sync(_read, raw, limiter=self._verifying)
        if found is not None:
            of_member, certificate = found
            detail = msgspec.structs.replace(detail or of_member, certificate=certificate)
        if detail is None:
            return None
        return msgspec.structs.replace(detail, certificate_url=f"/api/certificates/{query_id.hex()}")

    async def certificates(self, after: str, rows_max: int) -> CertificatePage:
        """Return a page of certificates, those stored last first, after the page whose `next` is `after`.

        `after`: empty for the first page; `rows_max`: most certificates of the page. Raises CursorError,
        StoreBlockedError.
        """
        # One more than wanted, so that no page leads to an empty one.
        rows = await self._store.list_certificates(_age(after), rows_max + 1)
        page, is_last = rows[:rows_max], len(rows) <= rows_max
        return CertificatePage(tuple(map(_held, page)), None if is_last else str(page[-1].age))

    async def certificate(self, query_id: Digest) -> bytes | None:
        """Return a certificate's canonical bytes; None: the node has no such certificate. Raises StoreBlockedError."""
        return await self._store.certificate(query_id)

    async def verify(self, raw: bytes) -> Verification:
        """Verify a certificate of any version from its bytes alone, step by step.

        That a certificate does not hold is a result, not an error. The largest take seconds.
        """
        return await trio.to_thread.run_sync(_verify, raw, limiter=self._verifying)


def _held(row: CertificateRow) -> HeldCertificate:
    return HeldCertificate(
        query_id=row.summary.query_id.hex(),
        outcome=row.summary.outcome,
        author=row.summary.winner.hex(),
        stored_ms=row.summary.created_ms,
        bytes=row.size_bytes,
        ours=row.is_ours,
    )


def _age(text: str) -> int | None:
    """Return the age that a page's `next` names; None if it is empty. Raises CursorError."""
    if not text:
        return None
    if _AGE.fullmatch(text) is None:
        raise CursorError(NO_CURSOR)
    return int(text)


def _cursor(text: str) -> RoundCursor | None:
    """Return the cursor that a page's `next` names; None if it is empty. Raises CursorError."""
    if not text:
        return None
    if (found := _CURSOR.fullmatch(text)) is None:
        raise CursorError(NO_CURSOR)
    return RoundCursor(int(found[1]), Digest(bytes.fromhex(found[2])))


def _read(raw: bytes) -> tuple[RoundDetail, CertificateDetail] | None:
    """Verify and describe a stored certificate; None if it is of another version."""
    verified = verify_certificate(raw)
    return (round_detail(verified), certificate_detail(verified)) if isinstance(verified, VerifiedCertificate) else None


def _verify(raw: bytes) -> Verification:
    read, made = verify_in_steps(raw)
    steps = tuple(VerificationStep(each.rule, each.text, each.state) for each in made)
    if isinstance(read, Fault):
        return Verification(False, read.reason, read.rule, read.detail, None, steps)
    return Verification(True, "", "", "", report_of(read.description, read.turns), steps)
