"""A verified certificate in plain values, for people and for programs."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.certificates.record import RoundRecord, bodies
from consensus.certificates.tally import Ranking
from consensus.ranking.settling import Checks, SettledFindings, contradicts, outcomes_of
from protocol.errors import Fault
from protocol.limits import OUTCOME_BYTES
from protocol.messages import Ballot, Decline, Report
from protocol.types import ABSTAIN, ONE, DeclinedPhase, Digest, FindingKind, Key, Kind, StopReason, TaskType

DECISIVE = ONE // 50
"""Noise of a preference around one half (2^-16): within 2 %, even the same model asked twice differs."""


LINT_NAMES = ("rustc", "correctness", "suspicious", "complexity", "perf", "style")
"""Classes of warnings, in the order of their counts in a report."""


@dataclass(frozen=True, slots=True)
class CertificateReading:
    """Content of a valid certificate in plain values: the same for certificates of all versions."""

    description: dict[str, Any]
    """Outcome, winner, ranking and the evidence behind them, as `describe` returns them."""
    turns: tuple[tuple[str, str], ...]
    """Role and text of each turn of the query's conversation; empty for a private query whose text was left out."""
    cosigners: frozenset[Key]
    full: bool
    """Co-signed by more than two thirds of the members with weight; by all of them if there are three or fewer."""
    ranking_digest: bytes
    """Digest over order, strengths and probabilities of the ranking that was recomputed."""


def reading_of(raw: bytes, *, trusted: Collection[Key] | None = None) -> CertificateReading | Fault:
    """Recompute a certificate of today's version from its bytes alone; `trusted` as in `verify_certificate`."""
    verified = verify_certificate(raw, trusted=trusted)
    return verified if isinstance(verified, Fault) else described_reading(verified)


def described_reading(verified: VerifiedCertificate) -> CertificateReading:
    """Return the content of a certificate that was verified."""
    turns = tuple((str(turn.role), turn.text) for turn in verified.turns)
    return CertificateReading(describe(verified), turns, verified.cosigners, verified.full, verified.ranking.digest)


def claimed_correct(ranking: Ranking) -> float | None:
    """Return P(correct); None if it is not calibrated on the requester's gold, so that only P(best) is available."""
    return ranking.p_correct / ONE if ranking.calibrated else None


def _silent_judges(record: RoundRecord) -> list[str]:
    """Return the judges that had pairs and neither declined nor have a ballot that counts: late or never cast."""
    judges: set[Key] = set()
    step: RoundRecord | None = record
    while step is not None:
        judges |= step.assignment.keys()
        step = step.before
    declined = {each.author for each in bodies(record.declines, Decline) if each.phase is DeclinedPhase.JUDGING}
    return sorted(key.hex() for key in judges - declined - {ballot.author for ballot in record.ballots})


def settled_values(found: SettledFindings, alike: Iterable[Digest] = ()) -> dict[str, Any]:
    """Return what is settled about an answer in plain values; None stands for what is not known.

    `alike`: ids of the answers that behave like it.
    """
    named = zip(LINT_NAMES, found.lints, strict=False)
    return {
        "reports": found.reports,
        "status": found.status,
        "error": f"E{found.error:04}" if found.error else "",
        "lints": {name: count for name, count in named if count} if found.lints else None,
        "unsafe": found.unsafe,
        "panics": found.panics,
        "tests": _checks(found.tests),
        "examples": _checks(found.examples),
        "inputs": sum(outcome != bytes(OUTCOME_BYTES) for outcome in outcomes_of(found.outcomes)),
        "alike": [each.hex() for each in alike],
    }


def _checks(checks: Checks) -> dict[str, int] | None:
    return dict(zip(("passed", "failed", "not_run"), checks, strict=True)) if any(checks) else None


def found_values(record: RoundRecord, index: int) -> dict[str, Any] | None:
    """Return what is settled about the answer at this position of the slate; None if nothing was tested."""
    if not record.findings:
        return None
    found = record.found(index)
    alike = [
        answer.id
        for other, answer in enumerate(record.answers)
        if found.behaviour and other != index and record.found(other).behaviour == found.behaviour
    ]
    return settled_values(found, alike)


def testing_values(record: RoundRecord) -> dict[str, Any] | None:
    """Describe the testing phase in plain values; None if the query asks for none."""
    plan = record.query.findings
    if not plan.kinds or record.query.task is not TaskType.CODE:
        return None
    versions = record.tool_versions
    told = bodies(record.reports, Report)
    return {
        "findings": [kind.name.lower() for kind in FindingKind if kind in plan.kinds and kind.name],
        "tests_digest": plan.tests_digest.hex(),
        "tool_versions": versions,
        "testers": sum(seat.tool_versions == versions for seat in record.seats.values()) if versions else 0,
        "stages": sum(closing.kind is Kind.CLOSE_REPORTS for closing in record.closings),
        "reports": len(told),
        "contradicted": sorted(
            {
                each.author.hex()
                for each in told
                if any(contradicts(found, record.found(found.answer)) for found in each.findings)
            }
        ),
    }


def ranked_values(record: RoundRecord, ranking: Ranking) -> list[dict[str, Any]]:
    """Describe the ranked answers in plain values, best first."""
    contents = record.contents
    place = {answer.id: index for index, answer in enumerate(record.answers)}
    return [
        {
            "answer_id": each.answer.hex(),
            "author": each.author.hex(),
            "strength": each.strength / 1e6,
            "p_best": each.p_best / ONE,
            "cluster_size": each.cluster_size,
            "finish": contents[each.answer].finish,
            "tokens": contents[each.answer].answer_tokens,
            "token_source": contents[each.answer].token_source,
            "findings": found_values(record, place[each.answer]),
        }
        for each in ranking.ranked
    ]


def set_aside_values(record: RoundRecord, ranking: Ranking) -> list[dict[str, Any]]:
    """Describe the answers that cannot win because of their findings, in the order of the slate."""
    ranked = {each.answer for each in ranking.ranked}
    return [
        {"answer_id": answer.id.hex(), "author": answer.author.hex(), "findings": found_values(record, index)}
        for index, answer in enumerate(record.answers)
        if answer.id not in ranked and answer.author not in record.removed
    ]


def describe(verified: VerifiedCertificate) -> dict[str, Any]:
    """Describe a certificate: outcome, winner, ranking, and the evidence behind them."""
    record, ranking = verified.record, verified.ranking
    contents = record.contents
    best = ranking.ranked[0]
    preferences = [each.preference for ballot in bodies(record.ballots, Ballot) for each in ballot.judgements]
    given = [preference for preference in preferences if preference != ABSTAIN]
    decisive = sum(abs(preference - ONE // 2) > DECISIVE for preference in given)
    return {
        "query_id": record.id.hex(),
        "turns": [{"role": turn.role, "text": turn.text} for turn in verified.turns],
        "requester": record.query.author.hex(),
        "network": record.params.network,
        "outcome": ranking.outcome,
        "reason": ranking.reason,
        "stop": ranking.stop,
        "p_correct": claimed_correct(ranking),
        "confidence_min": record.query.confidence_min / ONE,
        "winner": {"answer_id": best.answer.hex(), "author": best.author.hex(), "text": contents[best.answer].text},
        "ranking": ranked_values(record, ranking),
        "set_aside": set_aside_values(record, ranking),
        "testing": testing_values(record),
        "ballots": len(record.ballots),
        "comparisons": len(preferences),
        "abstentions": len(preferences) - len(given),
        "declines": [
            {"author": each.author.hex(), "phase": each.phase, "wave": each.wave, "reason": each.reason}
            for each in bodies(record.declines, Decline)
        ],
        "decisive_share": decisive / len(given) if given else None,
        "cosignatures": len(verified.cosigners),
        "members": len(record.seats),
        "full": verified.full,
        "unopened": [key.hex() for key in verified.unopened],
        "silent_judges": [] if ranking.stop is StopReason.UNANIMOUS else _silent_judges(record),
        "removed": sorted(key.hex() for key in record.removed),
    }
