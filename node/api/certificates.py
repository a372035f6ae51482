"""The certificates that a node holds, and what one says when it is verified."""

from collections.abc import Iterable
from typing import Any

import msgspec

from consensus.certificates.steps import StepState
from node.api.common import Count, DigestHex, KeyHex, Share
from node.api.conversation import Turn
from node.api.findings import RoundTesting, SetAside
from node.api.ranking import ReportedAnswer
from node.api.rounds import CertifiedDecline
from protocol.types import Outcome, OutcomeReason, StopReason


class HeldCertificate(msgspec.Struct, frozen=True):
    """A certificate in the node's store."""

    query_id: DigestHex
    """Id of the round, by which the certificate is fetched."""
    outcome: Outcome
    """Outcome of the round."""
    author: str
    """Public key of the winner's author; empty if the round failed."""
    stored_ms: Count
    """When it was stored, ms since the Unix epoch."""
    bytes: Count
    """Its size."""
    ours: bool
    """Whether this node asked the round, and still knows it; else it was a member."""


class CertificatePage(msgspec.Struct, frozen=True):
    """A page of the certificates that the node holds, those stored last first."""

    certificates: tuple[HeldCertificate, ...]
    """The page's certificates."""
    next: str | None
    """Value of `after` for the next page; null: there is none."""


class ReportedWinner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The winning answer of a certificate, with its author and text."""

    answer_id: DigestHex
    """Id of the message that opened it."""
    author: KeyHex
    """Public key of its author."""
    text: str
    """The answer."""


class CertificateReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a valid certificate says, as `strand show --json` prints it."""

    query_id: DigestHex
    """Id of the round."""
    turns: tuple[Turn, ...]
    """The conversation; none if the query was not published and its text was left out."""
    requester: KeyHex
    """Public key of the node that asked."""
    network: str
    """Name of the network."""
    outcome: Outcome
    """Outcome of the round."""
    reason: OutcomeReason
    """Reason why the outcome is not `decided`; else `none`."""
    stop: StopReason
    """Reason why judging ended."""
    p_correct: Share | None
    """Probability that the answer is right; null if it is not calibrated on the requester's gold."""
    confidence_min: Share
    """P(correct) below which the outcome is degraded."""
    winner: ReportedWinner
    """The winning answer."""
    ranking: tuple[ReportedAnswer, ...]
    """All answers that can win, best first."""
    ballots: Count
    """Ballots that count."""
    comparisons: Count
    """Comparisons in these ballots."""
    abstentions: Count
    """Comparisons of these in which the judge abstained."""
    declines: tuple[CertifiedDecline, ...]
    """Declines that closings list."""
    decisive_share: Share | None
    """Share of the judgements that are clear; null without any."""
    cosignatures: Count
    """Members that co-signed."""
    members: Count
    """Members of the roster."""
    full: bool
    """Whether more than two thirds of the members with weight co-signed; all if they are three or fewer."""
    unopened: tuple[KeyHex, ...]
    """Members that committed to an answer and did not open it."""
    silent_judges: tuple[KeyHex, ...]
    """Judges that had pairs and neither declined nor have a ballot that counts."""
    removed: tuple[KeyHex, ...]
    """Members that were removed for equivocation."""
    set_aside: tuple[SetAside, ...] = ()
    """Answers that cannot win because they do not compile or fail a test."""
    testing: RoundTesting | None = None
    """The testing phase; null if the question asked for none."""


class VerificationStep(msgspec.Struct, frozen=True):
    """One step of a verification, in the order in which they are made."""

    rule: str
    """Rules that it checks, such as `R4, R5`; of a failed step the one rule that is broken."""
    text: str
    """What holds, as one sentence with counts; of a failed step also why it does not."""
    state: StepState
    """Whether it passed, failed, or was not reached because an earlier one failed."""


class Verification(msgspec.Struct, frozen=True):
    """Result of verifying a certificate from its bytes alone."""

    valid: bool
    """Whether it holds: every signature, the chain, the pairs, the fit, the outcome."""
    reason: str
    """Reason why it does not hold; empty if it does."""
    rule: str
    """Rule that it breaks; empty if it holds."""
    detail: str
    """More on the reason; may be empty."""
    report: CertificateReport | None
    """What it says; null if it does not hold."""
    steps: tuple[VerificationStep, ...] = ()
    """All steps in their order; a certificate of a former version has one for the whole."""


def report_of(described: dict[str, Any], turns: Iterable[tuple[str, str]]) -> CertificateReport:
    """Return the description of a certificate of any version in its type. `turns`: role and text of each turn."""
    # Wire 1 describes a query as one text, `query`, in place of turns.
    fields = {name: value for name, value in described.items() if name != "query"}
    conversation = [{"role": role, "text": text} for role, text in turns]
    return msgspec.convert({**fields, "turns": conversation}, CertificateReport)
