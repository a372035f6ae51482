"""Following a round: from the question to a verified certificate, or to the reason why there is none."""

from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from node.api.asking import Question
from node.api.events import Asked, BaseEvent, Certified, Decided, Ended, Progress, RoundEvent
from node.client.client import SILENCE_S, Client
from node.client.errors import BadReplyError, NoCertificateError
from protocol.types import Outcome

PHASES = ("answering", "opening", "judging", "cosigning")
"""The phases of a round that take time, in order."""


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


@dataclass(slots=True)
class RoundLog:
    """Summary of one round's events so far."""

    query_id: str = ""
    phase_began_ms: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """Reasons of members that do not work on the query, by key."""
    declined: dict[str, str] = field(default_factory=dict)
    """Reasons of members that contributed nothing to a phase, by key."""
    decided: Decided | None = None
    certified: bool = False
    ended: Ended | None = None
    """End of the requester's part, which ends the round; with details the member's part has an end of its own."""

    def note(self, event: BaseEvent) -> None:
        """Add one event; events of the node's own part as a member change nothing."""
        match event:
            case Asked():
                self.query_id = event.query_id
            case Progress() if event.phase in PHASES:
                self.phase_began_ms.setdefault(event.phase, event.at_ms)
                self.refused |= event.refused
                self.declined |= event.declined
            case Decided():
                self.decided = event
            case Certified():
                self.certified = True
            case Ended(role="requester"):
                self.ended = event

    def timings_ms(self) -> dict[str, int]:
        """Return the length of each phase, the time to the answer and the total, ms."""
        phases = list(self.phase_began_ms.items())
        total = self.ended.at_ms if self.ended else 0
        ends = [began for _, began in phases[1:]] + [total]
        timings = {phase: end - began for (phase, began), end in zip(phases, ends, strict=True)}
        return {**timings, "to_answer": self.decided.at_ms if self.decided else 0, "total": total}

    def why_not(self) -> str:
        """Return why there is no certificate, in one line."""
        if self.decided is not None and self.decided.outcome is Outcome.FAILED:
            told = [f"the round failed: {self.decided.reason}"]
            for kind, whys in (("refused", self.refused), ("declined", self.declined)):
                if whys:
                    counts = Counter(why.replace("_", " ") for why in whys.values()).most_common()
                    told.append(f"members {kind}: " + ", ".join(f"{why} ({count})" for why, count in counts))
            if self.decided.own_engine:
                told.append(f"this node's own engine: {self.decided.own_engine}")
            return "; ".join((*told, "see `strand peers` for who offers to answer"))
        if self.ended is not None and self.ended.ending == "left":
            return "the node's disk took nothing any more, so it left the round: see `strand status`"
        if self.ended is not None and self.ended.fault:
            return f"the round is void: {self.ended.fault}"
        return "the node stopped before the round had a certificate"


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
