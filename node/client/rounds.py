"""Following a round: from the question to a verified certificate, or to the reason why there is none."""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from node.api.asking import Question
from node.api.events import RoundEvent
from node.api.following import RoundLog
from node.client.client import SILENCE_S, Client
from node.client.errors import BadReplyError, NoCertificateError


@dataclass(frozen=True, slots=True)
class FollowedRound:
    """A finished round, as its requester saw it."""

    query_id: str
    verified: VerifiedCertificate
    certificate: bytes
    timings_ms: dict[str, int]
    """Length of each phase, `to_answer` and `total`, ms after the query."""

    @property
    def answer(self) -> str:
        """Return the winning answer's text."""
        return self.verified.record.contents[self.verified.ranking.ranked[0].answer].text


def _ignore(_: RoundEvent) -> None:
    """Ignore an event."""


async def follow(
    client: Client,
    question: Question,
    *,
    silence_s: float = SILENCE_S,
    on_event: Callable[[RoundEvent], None] = _ignore,
    details: bool = False,
) -> FollowedRound:
    """Ask, wait for the end, fetch the certificate and verify it; call `on_event` with each event.

    `details`: whether events of all kinds come, with all fields.

    Raises:
        NoCertificateError: the round ended without a certificate.
        BadReplyError: the certificate does not verify.
        ClientError: as Client raises it.
    """
    log = RoundLog()
    async with aclosing(client.ask(question, silence_s, details=details)) as events:
        async for event in events:
            log.note(event)
            on_event(event)
    if not log.certified:
        raise NoCertificateError(log.why_not())
    certificate = await client.certificate(log.query_id)
    verified = verify_certificate(certificate)
    if not isinstance(verified, VerifiedCertificate):
        raise BadReplyError(f"the node served a certificate that does not hold: {verified}")
    return FollowedRound(log.query_id, verified, certificate, log.timings_ms())
