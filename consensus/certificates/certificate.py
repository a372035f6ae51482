"""Certificates: built by the requester, verified offline by anyone (rules R8, R9)."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from consensus.certificates.closings import Missing, extend
from consensus.certificates.record import Phase, RoundRecord, check_contribution, check_turns, open_record
from consensus.certificates.tally import Ranking, rank
from protocol import codec
from protocol.certificate import Certificate
from protocol.errors import Fault, FaultReason
from protocol.limits import CERTIFICATE_BYTES_MAX
from protocol.messages import Cosign, PhaseClosing, Turn
from protocol.params import NetworkParams
from protocol.signing import VerifiedMessage, open_envelope
from protocol.types import Digest, Key, Kind, Objection
from protocol.versions import WIRE


@dataclass(frozen=True, slots=True)
class VerifiedCertificate:
    """The content of a certificate that has been verified."""

    record: RoundRecord
    ranking: Ranking
    turns: tuple[Turn, ...]
    """The query's conversation; empty for a private query whose text was left out."""
    cosigners: frozenset[Key]
    full: bool
    """Whether more than two thirds of the members with weight co-signed; all of them if there are three or fewer."""

    @property
    def unopened(self) -> tuple[Key, ...]:
        """Members that committed to an answer and did not open it (R4)."""
        opened = {answer.author for answer in self.record.answers}
        return tuple(key for key in self.record.commitments if key not in opened)


def build_certificate(record: RoundRecord, cosigns: Iterable[VerifiedMessage]) -> Certificate:
    """Build a certificate with everything that `verify_certificate` needs.

    Contributions that ride along in a closing are not written a second time.
    """
    riding = _riding(record)

    def apart(messages: Iterable[VerifiedMessage]) -> tuple[bytes, ...]:
        ordered = sorted(messages, key=lambda message: message.id)
        return tuple(message.envelope for message in ordered if message.envelope not in riding)

    return Certificate(
        version=WIRE,
        params=record.params,
        query=record.message.envelope,
        turns=(),
        closings=tuple(closing.envelope for closing in record.closings),
        answers=apart(record.answers),
        reports=apart(record.reports),
        ballots=apart(record.ballots),
        declines=apart(record.declines),
        evidence=apart(record.evidence),
        cosigns=apart(cosigns),
    )


@dataclass(slots=True)
class CertificateCheck:
    """A verification as far as it came: each field is filled when its step has passed, in their order.

    `steps.steps_of` tells the steps in sentences.
    """

    certificate: Certificate | None = None
    """The certificate, if its bytes are the canonical encoding of one (P1, P2)."""
    chain: list[VerifiedMessage] | None = None
    """Query and closings, if all are signed."""
    pool: Mapping[Digest, VerifiedMessage] | None = None
    """Contributions that do not ride along, if all are signed and in order (C2, C3)."""
    record: RoundRecord | None = None
    """The record after the last closing that holds."""
    is_tallied: bool = False
    """Whether the chain ends with a tally that has a winner (C1)."""
    names_all: bool = False
    """Whether the closings name all contributions of the certificate (C3)."""
    cosigners: frozenset[Key] | None = None
    """Members that co-signed, if all did so validly (C5)."""
    verified: VerifiedCertificate | None = None
    """The content, if every step passed."""
    fault: Fault | None = None
    """Fault of the step that did not pass."""


def verify_certificate(raw: bytes, *, trusted: Collection[Key] | None = None) -> VerifiedCertificate | Fault:
    """Recompute a certificate from its bytes alone. A fault names the broken rule.

    If `trusted` is given, only co-signatures of these keys count, each as one member with weight, whatever the roster
    says about them. None counts the members with weight in the roster.
    """
    check = check_certificate(raw, trusted=trusted)
    if check.fault is not None:
        return check.fault
    assert check.verified is not None, "a verification ends with a content or a fault"
    return check.verified


def check_certificate(raw: bytes, *, trusted: Collection[Key] | None = None) -> CertificateCheck:
    """Recompute a certificate as `verify_certificate` does, and return how far it holds."""
    check = CertificateCheck()
    check.fault = _check(check, raw, trusted)
    return check


def _check(check: CertificateCheck, raw: bytes, trusted: Collection[Key] | None) -> Fault | None:
    """Fill in `check`; return the fault of the first step that does not pass."""
    certificate = codec.decode(Certificate, raw, bytes_max=CERTIFICATE_BYTES_MAX)
    if isinstance(certificate, Fault):
        return certificate
    check.certificate = certificate
    network = certificate.params.digest
    opened = _open_all(network, (certificate.query, *certificate.closings))
    if isinstance(opened, Fault):
        return opened
    check.chain = opened
    pool = _pool(network, certificate)
    if isinstance(pool, Fault):
        return pool
    check.pool = pool
    for step in _replay(certificate.params, opened, pool):
        if isinstance(step, Fault):
            return step
        check.record = step
    record = check.record
    assert record is not None, "a chain begins with its query"
    if record.phase is not Phase.COSIGNING:
        return Fault(FaultReason.UNFINISHED, "C1", f"ends while {record.phase}")
    check.is_tallied = True
    if (surplus := _surplus(record, pool)) is not None:
        return surplus
    check.names_all = True
    cosigners = _check_cosigns(record, certificate)
    if isinstance(cosigners, Fault):
        return cosigners
    check.cosigners = cosigners
    beside = certificate.turns
    if beside and (record.query.turns or check_turns(record.params, record.query, beside) is not None):
        return Fault(FaultReason.SURPLUS, "C4", "turns that are not the private query's")
    turns = record.query.turns or beside
    check.verified = VerifiedCertificate(record, rank(record), turns, cosigners, _is_full(record, cosigners, trusted))
    return None


def _riding(record: RoundRecord) -> frozenset[bytes]:
    """Return the envelopes that ride along in the closings."""
    carriers = [closing.body for closing in record.closings]
    return frozenset(
        envelope for closing in carriers if isinstance(closing, PhaseClosing) for envelope in closing.ride_along
    )


def _open_all(network: Digest, envelopes: Iterable[bytes]) -> list[VerifiedMessage] | Fault:
    opened = []
    for envelope in envelopes:
        message = open_envelope(envelope, network)
        if isinstance(message, Fault):
            return message
        opened.append(message)
    return opened


def _pool(network: Digest, certificate: Certificate) -> dict[Digest, VerifiedMessage] | Fault:
    """C2, C3: open the contributions that do not ride along; each list holds one kind, ascending by id."""
    pool: dict[Digest, VerifiedMessage] = {}
    lists = (
        (Kind.ANSWER, certificate.answers),
        (Kind.REPORT, certificate.reports),
        (Kind.BALLOT, certificate.ballots),
        (Kind.DECLINE, certificate.declines),
        (Kind.EVIDENCE, certificate.evidence),
    )
    for kind, envelopes in lists:
        opened = _open_all(network, envelopes)
        if isinstance(opened, Fault):
            return opened
        if any(message.kind is not kind for message in opened):
            return Fault(FaultReason.SURPLUS, "C3", f"what is no {kind.name} in the list of them")
        ids = [message.id for message in opened]
        if ids != sorted(set(ids)):
            return Fault(FaultReason.UNSORTED, "C2", "contributions")
        pool.update({message.id: message for message in opened})
    return pool


def _replay(
    params: NetworkParams, chain: list[VerifiedMessage], pool: Mapping[Digest, VerifiedMessage]
) -> Iterator[RoundRecord | Fault]:
    """C1, C3: yield the record of the query, and as every closing extends it, up to a fault."""
    record = open_record(params, chain[0])
    yield record
    for closing in chain[1:]:
        if isinstance(record, Fault):
            return
        extended = extend(record, closing, pool)
        if isinstance(extended, Missing):
            extended = Fault(FaultReason.MISSING, "C3", f"{len(extended.ids)} that {closing.kind.name} names")
        record = extended
        yield record


def _surplus(record: RoundRecord, pool: Mapping[Digest, VerifiedMessage]) -> Fault | None:
    """C3: check that the certificate holds nothing that no closing names, and nothing twice."""
    riding = _riding(record)
    if any(message.envelope in riding for message in pool.values()):
        return Fault(FaultReason.SURPLUS, "C3", "what rides along in a closing stands beside it once more")
    if surplus := pool.keys() - {message.id for message in record.named}:
        return Fault(FaultReason.SURPLUS, "C3", f"{len(surplus)} contributions that no closing names")
    return None


def _check_cosigns(record: RoundRecord, certificate: Certificate) -> frozenset[Key] | Fault:
    """C5: check that each co-signature accepts this tally without objection, one per member."""
    cosigns = _open_all(record.params.digest, certificate.cosigns)
    if isinstance(cosigns, Fault):
        return cosigns
    ids = [message.id for message in cosigns]
    if ids != sorted(set(ids)):
        return Fault(FaultReason.UNSORTED, "C2", "co-signatures")
    for message in cosigns:
        if fault := check_contribution(record, message):
            return fault
        if not isinstance(message.body, Cosign) or message.body.objection is not Objection.NONE:
            return Fault(FaultReason.SURPLUS, "C5", "an objection among the co-signatures")
    authors = frozenset(message.author for message in cosigns)
    return authors if len(authors) == len(cosigns) else Fault(FaultReason.DUPLICATE, "C5", "co-signature")


def _is_full(record: RoundRecord, cosigners: frozenset[Key], trusted: Collection[Key] | None) -> bool:
    """R9: more than two thirds of the members with weight; all of them if there are three or fewer."""
    if trusted is None:
        weighty = {key for key, seat in record.seats.items() if seat.vote_weight}
    else:
        weighty = set(trusted) & record.seats.keys()
    signed = len(weighty & cosigners)
    if len(weighty) <= 3:
        return bool(weighty) and signed == len(weighty)
    return 3 * signed > 2 * len(weighty)
