"""A certificate parsed for the audit: opened, with the named messages resolved. From the text of the rules alone."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from protocol import codec
from protocol.certificate import Certificate
from protocol.errors import Fault
from protocol.limits import SLOT_MESSAGE_BYTES_MAX
from protocol.messages import (
    MESSAGE_TYPES,
    Answer,
    Ballot,
    CloseCommits,
    CloseReports,
    CloseSlate,
    CloseTally,
    CloseWave,
    Cosign,
    Decline,
    EquivocationProof,
    Message,
    PhaseClosing,
    Query,
    Report,
    Seat,
)
from protocol.types import Digest, Key, Kind

Body = TypeVar("Body", bound=Message)
Opened = tuple[Digest, Body]
"""A message's id and its body; the body names the author."""
Judging = CloseWave | CloseTally
"""A closing that names ballots."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that the certificate breaks."""

    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class ParsedCertificate:
    """A certificate whose signatures hold and whose parts are in their places; nothing else is checked yet."""

    certificate: Certificate
    network: bytes
    query: Opened[Query]
    closings: tuple[Opened[PhaseClosing], ...]
    commits: Opened[CloseCommits]
    slate: Opened[CloseSlate]
    testing: tuple[Opened[CloseReports], ...]
    """The closings of stages of testing, if there are any."""
    judging: tuple[Opened[Judging], ...]
    """The closings of the waves, the tally last."""
    tally: Opened[CloseTally]
    answers: tuple[Opened[Answer], ...]
    """In the order of the slate."""
    reports: tuple[tuple[Opened[Report], ...], ...]
    """One tuple per closing of `testing`."""
    ballots: tuple[tuple[Opened[Ballot], ...], ...]
    """One tuple per closing of `judging`."""
    declines: tuple[tuple[Opened[Decline], ...], ...]
    """One tuple per closing; the slate's, the second, is empty."""
    accusations: tuple[tuple[Opened[EquivocationProof], ...], ...]
    """One tuple per closing; the commits closing's, the first, is empty."""
    accused: tuple[frozenset[Key], ...]
    """Members removed by evidence at each closing: that which it lists, and that of those before it."""
    cosigns: tuple[Opened[Cosign], ...]
    seats: Mapping[Key, Seat]

    def place(self, wave: int) -> int:
        """Return the place among the closings of that which ends a wave."""
        return 2 + len(self.testing) + wave


def read_papers(certificate: Certificate) -> ParsedCertificate | tuple[Finding, ...]:
    """Open everything and resolve the names in the closings.

    With findings up to here there is nothing to reason about.
    """
    network = hash_of(b"strand/params/3", codec.encode(certificate.params))
    findings: list[Finding] = []

    def take(envelopes: Sequence[bytes], schema: type[Body] | tuple[type[Body], ...], rule: str) -> list[Opened[Body]]:
        taken: list[Opened[Body]] = []
        for envelope in envelopes:
            opened = open_paper(envelope, network)
            if isinstance(opened, Finding):
                findings.append(opened)
            elif not isinstance(opened[1], schema):
                findings.append(Finding(rule, f"a {opened[1].KIND.name} where none belongs"))
            else:
                taken.append((opened[0], opened[1]))
        return taken

    queries = take([certificate.query], Query, "C1")
    chain = take(certificate.closings, (CloseCommits, CloseSlate, CloseReports, CloseWave, CloseTally), "C1")
    closings = tuple((id, body) for id, body in chain if isinstance(body, PhaseClosing))
    carriers = [body for _, body in closings]
    apart: list[Opened[Message]] = [
        *take(certificate.answers, Answer, "C3"),
        *take(certificate.reports, Report, "C3"),
        *take(certificate.ballots, Ballot, "C3"),
        *take(certificate.declines, Decline, "C3"),
        *take(certificate.evidence, EquivocationProof, "C3"),
    ]
    riding = [take(body.ride_along, (Answer, Report, Ballot, Decline, EquivocationProof), "R13") for body in carriers]
    cosigns = take(certificate.cosigns, Cosign, "C5")
    kinds = [type(body) for _, body in closings]
    stages, waves = kinds.count(CloseReports), kinds.count(CloseWave)
    if kinds != [CloseCommits, CloseSlate, *[CloseReports] * stages, *[CloseWave] * waves, CloseTally]:
        findings.append(Finding("C1", "closings are not commits, slate, stages of testing, waves, tally"))
    findings += _inventory(carriers, apart, riding)
    if findings:
        return tuple(findings)
    here = dict(itertools.chain(apart, *riding))
    accusations = tuple(_pick(here, _names(body)[EquivocationProof], EquivocationProof) for body in carriers)
    testing = tuple((id, body) for id, body in closings if isinstance(body, CloseReports))
    judging = tuple((id, body) for id, body in closings if isinstance(body, CloseWave | CloseTally))
    (commits,) = ((id, body) for id, body in closings if isinstance(body, CloseCommits))
    (slate,) = ((id, body) for id, body in closings if isinstance(body, CloseSlate))
    (tally,) = ((id, body) for id, body in closings if isinstance(body, CloseTally))
    return ParsedCertificate(
        certificate=certificate,
        network=network,
        query=queries[0],
        closings=closings,
        commits=commits,
        slate=slate,
        testing=testing,
        judging=judging,
        tally=tally,
        answers=_pick(here, slate[1].answers, Answer),
        reports=tuple(_pick(here, body.reports, Report) for _, body in testing),
        ballots=tuple(_pick(here, body.ballots, Ballot) for _, body in judging),
        declines=tuple(_pick(here, _names(body)[Decline], Decline) for body in carriers),
        accusations=accusations,
        accused=_accused(accusations, network),
        cosigns=tuple(cosigns),
        seats={seat.member: seat for seat in queries[0][1].roster},
    )


def open_paper(envelope: bytes, network: bytes) -> Opened[Message] | Finding:
    """P3, R1: kind (1 byte), signature (64 bytes), body; id and signature are of tag, network, kind and body."""
    try:
        kind = Kind(envelope[0])
    except ValueError:
        return Finding("P3", f"kind {envelope[0]}")
    if kind is not Kind.EVIDENCE and len(envelope) > SLOT_MESSAGE_BYTES_MAX:
        return Finding("P1", f"{kind.name} of {len(envelope)} bytes")
    body = codec.decode(MESSAGE_TYPES[kind], envelope[65:])
    if isinstance(body, Fault):
        return Finding(body.rule, str(body))
    signed = b"strand/message/3" + network + envelope[:1] + envelope[65:]
    try:
        VerifyKey(body.author).verify(signed, envelope[1:65])
    except (BadSignatureError, ValueError):
        return Finding("R1", f"{kind.name} is not signed by its author")
    return hash_of(signed), body


def _inventory(
    carriers: Sequence[PhaseClosing],
    apart: Sequence[Opened[Message]],
    riding: Sequence[Sequence[Opened[Message]]],
) -> Iterator[Finding]:
    """C3: everything named is here, once and of the named kind; nothing else is. R13: its own closing names a rider."""
    here = dict(itertools.chain(apart, *riding))
    if len(here) != len(apart) + sum(map(len, riding)):
        yield Finding("C3", "something stands here twice")
    named: set[Digest] = set()
    for closing, riders in zip(carriers, riding, strict=True):
        names = _names(closing)
        for expected, ids in names.items():
            for id in ids:
                if not isinstance(here.get(id), expected):
                    yield Finding("C3", f"{closing.KIND.name} names a {expected.KIND.name} that is not here")
        if not {id for id, _ in riders} <= set(itertools.chain(*names.values())):
            yield Finding("R13", f"{closing.KIND.name} carries what it does not name")
        named |= set(itertools.chain(*names.values()))
    if surplus := here.keys() - named:
        yield Finding("C3", f"{len(surplus)} messages that no closing names")


Named = type[Answer | Report | Ballot | Decline | EquivocationProof]


def _names(closing: PhaseClosing) -> dict[Named, Sequence[Digest]]:
    """Return the ids that a closing names, by kind."""
    match closing:
        case CloseCommits():
            return {Decline: closing.declines, EquivocationProof: ()}
        case CloseSlate():
            return {Answer: closing.answers, Decline: (), EquivocationProof: closing.evidence}
        case CloseReports():
            return {Report: closing.reports, Decline: closing.declines, EquivocationProof: closing.evidence}
        case CloseWave() | CloseTally():
            return {Ballot: closing.ballots, Decline: closing.declines, EquivocationProof: closing.evidence}


def _pick(here: Mapping[Digest, Message], ids: Sequence[Digest], schema: type[Body]) -> tuple[Opened[Body], ...]:
    return tuple((id, body) for id in ids if isinstance(body := here[id], schema))


def _accused(accusations: Sequence[Sequence[Opened[EquivocationProof]]], network: bytes) -> tuple[frozenset[Key], ...]:
    removed: set[Key] = set()
    so_far = []
    for listed in accusations:
        for _, evidence in listed:
            shown = open_paper(evidence.first, network)
            if not isinstance(shown, Finding):
                removed.add(shown[1].author)
        so_far.append(frozenset(removed))
    return tuple(so_far)


def hash_of(*parts: bytes) -> Digest:
    """Return BLAKE2b-256 of the concatenated parts."""
    return Digest(blake2b(b"".join(parts), digest_size=32).digest())


def beacon_of(papers: ParsedCertificate) -> Digest:
    """R5: return the beacon, of the query, the commits closing and the salts in the order of their authors."""
    salts = [answer.salt for _, answer in sorted(papers.answers, key=lambda opened: opened[1].author)]
    return hash_of(b"strand/beacon/3", papers.query[0], papers.commits[0], *salts)
