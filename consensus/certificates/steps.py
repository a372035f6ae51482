"""The steps of a certificate's verification, each as a sentence with its counts, for people.

Nothing here decides anything: `certificate.check_certificate` does, and this tells how far it came.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from consensus.certificates.certificate import CertificateCheck
from consensus.certificates.counting import stage_words, wave_words
from consensus.certificates.record import RoundRecord, bodies, steps_since
from protocol.certificate import Certificate
from protocol.errors import Fault
from protocol.messages import Ballot, CloseTally
from protocol.params import NetworkParams
from protocol.signing import VerifiedMessage
from protocol.types import ABSTAIN, ONE, Kind
from protocol.versions import RoundVersion


class StepState(StrEnum):
    """What became of a step."""

    PASSED = "passed"
    """It holds."""
    FAILED = "failed"
    """It does not hold, so neither does the certificate."""
    NOT_REACHED = "not_reached"
    """An earlier step failed."""


@dataclass(frozen=True, slots=True)
class VerificationStep:
    """One step of a verification."""

    rule: str
    """Rules that it checks, such as "R4, R5"; of a failed step the one rule that is broken."""
    text: str
    """What holds, as one sentence without a full stop; of a failed step also why it does not."""
    state: StepState


Claim = tuple[str, str]
"""Rules of a step, and the sentence that it claims."""


def steps_of(check: CertificateCheck, bytes_count: int) -> tuple[VerificationStep, ...]:
    """Return all steps of the verification of a certificate of `bytes_count` bytes, in their order."""
    passed = list(_passed(check, bytes_count))
    steps = [VerificationStep(rule, text, StepState.PASSED) for rule, text in passed]
    for rule, text in _claims(check)[len(passed) :]:
        if len(steps) == len(passed) and check.fault is not None:
            steps.append(failed_step(text, check.fault))
        else:
            steps.append(VerificationStep(rule, text, StepState.NOT_REACHED))
    return tuple(steps)


def former_step(version: RoundVersion) -> VerificationStep:
    """Return the one step of a certificate whose former version has a reader of its own, which found it valid."""
    text = f"the reader of {version} recomputed the whole certificate, and everything holds"
    return VerificationStep("C6", text, StepState.PASSED)


def failed_step(claim: str, fault: Fault) -> VerificationStep:
    """Return a step whose claim does not hold."""
    why = str(fault.reason).replace("_", " ") + (f" ({fault.detail})" if fault.detail else "")
    return VerificationStep(fault.rule, f"{claim}; this fails: {why}", StepState.FAILED)


def _claims(check: CertificateCheck) -> list[Claim]:
    """Return the claims of all steps without their counts, which only passed steps know for sure."""
    closings: list[Claim] = [("R2 to R9", "each closing follows from the one before and from what it names")]
    if check.chain is not None:
        closings = [_CLOSINGS.get(message.kind, closings[0]) for message in check.chain[1:]]
    return [
        ("P1, P2", "the bytes are the one canonical encoding of a certificate"),
        ("R1", "the query and all closings carry their authors' signatures for this network"),
        ("C2, C3", "each contribution beside the closings is signed, and stands in order in the list of its kind"),
        ("R1, P6, P7, R11", "the query is within the network's limits"),
        *closings,
        ("C1", "the chain leads from the query to a tally with a winner"),
        ("C3", "the closings name every contribution of the certificate, and it holds no other"),
        ("C5", "each co-signature is a member's, on this tally, without objection"),
        ("C4", "a conversation stands beside the query only if it is the one whose digest a private query names"),
        ("R9", "the co-signers are enough, or too few, for a full certificate"),
    ]


_CLOSINGS: dict[Kind, Claim] = {
    Kind.CLOSE_COMMITS: ("R2, R4", "the commitments are those of answering seats, listed before any answer was opened"),
    Kind.CLOSE_SLATE: ("R4, R5, R7", "each opened answer is the one that its author committed to"),
    Kind.CLOSE_REPORTS: ("R17, R18", "each report is about exactly the answers that were assigned to its tester"),
    Kind.CLOSE_WAVE: ("R6", "each ballot compares exactly the pairs that were assigned to its judge"),
    Kind.CANCEL: ("R16", "the requester cancelled the round before its tally"),
    Kind.CLOSE_TALLY: ("R6, R8, R9", "the tally states the ranking and the outcome that a recount finds"),
}
"""Claims of the closings that a certificate's chain may have, by kind."""


def _passed(check: CertificateCheck, bytes_count: int) -> Iterator[Claim]:
    """Yield the claims of the steps that passed, with their counts, in their order."""
    certificate = check.certificate
    if certificate is None:
        return
    yield "P1, P2", f"the {bytes_count:,} bytes are the one canonical encoding of a certificate"
    if check.chain is None:
        return
    yield "R1", _signed(check.chain, certificate.params)
    if check.pool is None:
        return
    yield "C2, C3", _beside(certificate)
    if check.record is None:
        return
    first, *others = steps_since(check.record, None)
    yield "R1, P6, P7, R11", f"the query is within the network's limits: {_seats(first)}"
    for record in others:
        kind = record.closings[-1].kind
        yield _CLOSINGS[kind][0], _closing(record, kind)
    if not check.is_tallied:
        return
    yield "C1", f"the chain of {_count(len(others), 'closing')} leads from the query to a tally with a winner"
    if not check.names_all:
        return
    yield (
        "C3",
        f"the closings name all {len(check.record.named)} contributions of the certificate, and it holds no other",
    )
    if check.cosigners is None:
        return
    members = _count(len(check.record.seats), "member")
    yield "C5", f"{len(check.cosigners)} of {members} co-signed this tally, without objection"
    if check.verified is None:
        return
    yield "C4", _conversation(check.record, certificate)
    yield "R9", _full(full=check.verified.full)


def _signed(chain: list[VerifiedMessage], params: NetworkParams) -> str:
    closings = _count(len(chain) - 1, "closing")
    return f"the query and {closings} carry their authors' signatures for the network {params.network}"


def _beside(certificate: Certificate) -> str:
    lists = {
        "answer": certificate.answers,
        "report": certificate.reports,
        "ballot": certificate.ballots,
        "decline": certificate.declines,
        "equivocation proof": certificate.evidence,
    }
    told = [_count(len(envelopes), noun) for noun, envelopes in lists.items() if envelopes]
    if not told:
        return "no contribution stands beside the closings: all ride along in them"
    return f"beside the closings stand {', '.join(told)}, all signed, in order, each in the list of its kind"


def _seats(record: RoundRecord) -> str:
    query = record.query
    return f"{_count(len(record.seats), 'seat')}, {_count(len(query.waves), 'wave')} of judging at most"


def _closing(record: RoundRecord, kind: Kind) -> str:
    """Return what the record's last closing shows."""
    before = record.before
    assert before is not None, "a record with a closing extends another"
    match kind:
        case Kind.CANCEL:
            return _CLOSINGS[kind][1]
        case Kind.CLOSE_COMMITS:
            told = f"{_count(len(record.commitments), 'commitment')} listed, all of answering seats of the roster"
        case Kind.CLOSE_SLATE:
            told = (
                f"{len(record.answers)} of {_count(len(record.commitments), 'commitment')} opened, each by the answer "
                f"that was committed to; {_count(len(set(record.texts)), 'group')} of equal texts"
            )
        case Kind.CLOSE_REPORTS:
            given = len(record.reports) - len(before.reports)
            testers = _count(len(before.testers), "tester")
            told = (
                f"{stage_words(before.stage)}: reports of {given} of {testers}, each on exactly the answers that were "
                "assigned to it"
            )
        case _:
            told = _ballots(record, before)
    if declines := len(record.declines) - len(before.declines):
        told += f"; {_count(declines, 'decline')}"
    if removed := len(record.removed) - len(before.removed):
        told += f"; {_count(removed, 'member')} removed for equivocation (R3)"
    return f"{told}; {_recount(record)}" if kind is Kind.CLOSE_TALLY else told


def _ballots(record: RoundRecord, before: RoundRecord) -> str:
    if not before.assignment:
        return "no pairs were left to judge"
    judges = _count(len(before.assignment), "judge")
    given = len(record.ballots) - len(before.ballots)
    return f"{wave_words(before.wave)}: ballots of {given} of {judges}, each on exactly the pairs assigned to it"


def _recount(record: RoundRecord) -> str:
    """Return what the tally and its recount agree on."""
    tally = record.closings[-1].body
    assert isinstance(tally, CloseTally), "a recount is a tally's"
    counted = [each for each in bodies(record.ballots, Ballot) if each.author not in record.removed]
    preferences = [each.preference for ballot in counted for each in ballot.judgements]
    comparisons = _count(len(preferences) - preferences.count(ABSTAIN), "comparison")
    return f"a recount of {comparisons} gives the ranking that it states, with P(best) {tally.p_best / ONE:.3f}"


def _conversation(record: RoundRecord, certificate: Certificate) -> str:
    if record.query.turns:
        return "the query holds its conversation, and none stands beside it"
    if certificate.turns:
        return "the conversation beside the private query has the digest that the query names"
    return "the private query's conversation was left out"


def _full(*, full: bool) -> str:
    enough = "more than two thirds of the members that count, or all where three or fewer do"
    return (
        f"the certificate is full: {enough}, co-signed" if full else f"the certificate is partial: full takes {enough}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
