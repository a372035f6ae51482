"""An independent reading of certificates, from the text of the rules alone (protocol/README.md: R1-R9, R15-R19).

Deliberately plain, and apart from `consensus`: nobody sees an error that both make in the same way. Shared are the
schemas and their codec. It cannot check the following without being a second `consensus`: which pairs are assigned
(R6), which forms are equal (R7), which strengths follow (R8), and so what another wave would gain (R19).
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from protocol import codec
from protocol.certificate import Certificate
from protocol.errors import Fault
from protocol.limits import CERTIFICATE_BYTES_MAX
from protocol.messages import (
    Answer,
    Ballot,
    CloseWave,
    Contribution,
    Conversation,
    Cosign,
    Decline,
    PhaseClosing,
    Report,
)
from protocol.types import ABSTAIN, Digest, Key, Kind, Objection, Outcome, OutcomeReason, Role, StopReason
from simnet.audit_testing import Settled, check_standing, check_testing, reporting, settled_of, stages_of
from simnet.parsed_certificate import Finding, Opened, ParsedCertificate, beacon_of, hash_of, open_paper, read_papers

_Contributed = Opened[Answer] | Opened[Report] | Opened[Ballot] | Opened[Cosign]


@dataclass(frozen=True, slots=True)
class Audited:
    """The statements of a certificate without findings."""

    query: Digest
    requester: Key
    winner: Digest
    """The winning answer's id."""
    author: Key
    """Author of the winning answer."""
    text: str
    counted: tuple[Key, ...]
    """Authors of the slate's answers, in its order; later evidence may have removed some."""
    removed: frozenset[Key]
    unopened: tuple[Key, ...]
    """Members that committed and did not open, ascending."""
    cosigners: tuple[Key, ...]
    weighty: tuple[Key, ...]
    """Members with voting weight."""
    full: bool
    beacon: Digest
    closings: tuple[Opened[PhaseClosing], ...]
    accused: tuple[frozenset[Key], ...]
    """Members removed by each closing and those before it."""
    tested: tuple[Settled, ...]
    """What reports settle about each answer of the slate."""


def audit(raw: bytes) -> Audited | tuple[Finding, ...]:
    """Read a certificate and check everything that needs no ranking. Never raises on any bytes."""
    certificate = codec.decode(Certificate, raw, bytes_max=CERTIFICATE_BYTES_MAX)
    if isinstance(certificate, Fault):
        return (Finding(certificate.rule, str(certificate)),)
    papers = read_papers(certificate)
    if not isinstance(papers, ParsedCertificate):
        return papers
    findings = tuple(finding for check in _CHECKS for finding in check(papers))
    return findings or _conclude(papers)


# -- checks: each yields its findings ----------------------------------------------------------------------------


def _order(papers: ParsedCertificate) -> Iterator[Finding]:
    """C2, R2: lists ascend, so that a set has one encoding. R1: so does the roster, one seat for each member."""
    members = [seat.member for seat in papers.query[1].roster]
    if members != sorted(set(members)):
        yield Finding("R1", "the roster does not ascend")
    committed = [entry.member for entry in papers.commits[1].commitments]
    if committed != sorted(set(committed)):
        yield Finding("R2", "commitments do not ascend by member")
    for name, envelopes in (
        ("answers", papers.certificate.answers),
        ("reports", papers.certificate.reports),
        ("ballots", papers.certificate.ballots),
        ("declines", papers.certificate.declines),
        ("evidence", papers.certificate.evidence),
        ("co-signatures", papers.certificate.cosigns),
    ):
        ids = [hash_of(b"strand/message/3", papers.network, each[:1], each[65:]) for each in envelopes]
        if ids != sorted(set(ids)):
            yield Finding("C2", f"{name} do not ascend by id")
    for named in (papers.answers, *papers.reports, *papers.ballots, *papers.declines, *papers.accusations):
        ids = [id for id, _ in named]
        if ids != sorted(set(ids)):
            yield Finding("R2", "what a closing names does not ascend by id")


def _text(papers: ParsedCertificate) -> Iterator[Finding]:
    """P7, C4: the conversation is valid, has its digest, and stands beside the query only if that lacks it."""
    query, beside = papers.query[1], papers.certificate.turns
    if query.turns and beside:
        yield Finding("C4", "the conversation of a public query stands here twice")
    for turns, rule in ((query.turns, "P7"), (beside, "C4")):
        if not turns:
            continue
        if hash_of(b"strand/content/3", codec.encode(Conversation(turns=turns))) != query.content_digest:
            yield Finding(rule, "a conversation that does not have the query's digest")
        if turns[-1].role != "user":
            yield Finding(rule, "a conversation whose last turn is not the user's")
        if sum(len(turn.text.encode()) for turn in turns) > papers.certificate.params.query_bytes_max:
            yield Finding(rule, "a conversation of more bytes than the network takes")


def _chain(papers: ParsedCertificate) -> Iterator[Finding]:
    """R2: each closing is the requester's, in this round, and names the message before it."""
    id, query = papers.query
    before = id
    for closing_id, closing in papers.closings:
        name = closing.KIND.name
        if closing.author != query.author:
            yield Finding("R2", f"{name} is not the requester's")
        if closing.query != id:
            yield Finding("R2", f"{name} is of another round")
        if closing.prev != before:
            yield Finding("R2", f"{name} does not name the message before it")
        before = closing_id
    for wave, (_, closing) in enumerate(papers.judging):
        if wave >= len(query.waves):
            yield Finding("R2", f"wave {wave} is not in the plan")
        if isinstance(closing, CloseWave) and closing.wave != wave:
            yield Finding("R2", f"the closing of wave {closing.wave} in the place of wave {wave}")


def _contributions(papers: ParsedCertificate) -> Iterator[Finding]:
    """R2, R3: a contribution is a member's, acts upon the closing before, occurs once, and not after evidence."""
    accused = papers.accused
    places: list[tuple[Digest, Role, frozenset[Key], Sequence[_Contributed]]] = [
        (papers.commits[0], Role.ANSWER, accused[1], papers.answers)
    ]
    for at, reports in reporting(papers):
        places.append((papers.closings[at - 1][0], Role(0), accused[at], reports))
    for wave, ballots in enumerate(papers.ballots):
        at = papers.place(wave)
        places.append((papers.closings[at - 1][0], Role.JUDGE, accused[at], ballots))
    places.append((papers.tally[0], Role(0), accused[-1], papers.cosigns))
    for on, role, removed, contributions in places:
        authors: set[Key] = set()
        for _, body in contributions:
            name = f"{body.KIND.name} of {body.author.hex()[:8]}"
            seat = papers.seats.get(body.author)
            if seat is None or role not in seat.roles:
                yield Finding("R2", f"{name}: no such seat in the roster")
            if body.query != papers.query[0]:
                yield Finding("R2", f"{name} is of another round")
            if body.on != on:
                yield Finding("R2", f"{name} acts upon another message")
            if body.author in authors:
                yield Finding("R3", f"{name}: a second one")
            if body.author in removed:
                yield Finding("R3", f"{name} counts in spite of evidence")
            authors.add(body.author)


def _declines(papers: ParsedCertificate) -> Iterator[Finding]:
    """R15, R6: check declines.

    R15: each is a member's, concerns work of this phase, acts on the closing before, and stands beside no contribution.
    R6: a member that declines a wave has no pairs in later ones.
    """
    committed = {entry.member for entry in papers.commits[1].commitments}
    places = [("answering", 0, papers.query[0], _with(papers, Role.ANSWER), committed, 0)]
    for stage, (expected, (at, reports)) in enumerate(zip(stages_of(papers), reporting(papers), strict=False)):
        gave = {report.author for _, report in reports}
        places.append(("testing", stage, papers.closings[at - 1][0], set(expected.assigned), gave, at))
    for wave, ballots in enumerate(papers.ballots):
        gave, at = {ballot.author for _, ballot in ballots}, papers.place(wave)
        places.append(("judging", wave, papers.closings[at - 1][0], _with(papers, Role.JUDGE), gave, at))
    gone: set[Key] = set()
    for phase, wave, on, able, gave, at in places:
        declines, removed = papers.declines[at], papers.accused[at]
        authors: set[Key] = set()
        if phase == "judging" and gone & gave:
            yield Finding("R6", f"a ballot in wave {wave} after a decline in an earlier one")
        for _, decline in declines:
            name = f"decline of {decline.author.hex()[:8]}"
            if phase == "judging" and decline.author in gone:
                yield Finding("R6", f"{name}: after one in an earlier wave")
            if decline.author not in able:
                yield Finding("R15", f"{name}: no such seat in the roster, or nothing to do for it")
            if (decline.query, decline.on) != (papers.query[0], on):
                yield Finding("R2", f"{name} acts upon another message")
            if (decline.phase, decline.wave) != (phase, wave):
                yield Finding("R15", f"{name} is of {decline.phase}, wave {decline.wave}")
            if decline.author in gave or decline.author in authors:
                yield Finding("R15", f"{name} stands beside a contribution, or twice")
            if decline.author in removed:
                yield Finding("R3", f"{name} counts in spite of evidence")
            authors.add(decline.author)
        gone |= authors if phase == "judging" else set()


def _with(papers: ParsedCertificate, role: Role) -> set[Key]:
    return {key for key, seat in papers.seats.items() if role in seat.roles}


def _openings(papers: ParsedCertificate) -> Iterator[Finding]:
    """R4: an answer opens the commitment that the commits closing lists for its author."""
    listed = {entry.member: entry.commitment for entry in papers.commits[1].commitments}
    for member in listed:
        if member not in papers.seats or Role.ANSWER not in papers.seats[member].roles:
            yield Finding("R4", f"a commitment of {member.hex()[:8]}, who has no answering seat")
    for _, answer in papers.answers:
        content = hash_of(b"strand/answer/3", codec.encode(answer.content))
        opened = hash_of(b"strand/commit/3", papers.network, papers.query[0], answer.author, answer.salt, content)
        if listed.get(answer.author) != opened:
            yield Finding("R4", f"answer of {answer.author.hex()[:8]} opens no listed commitment")


def _evidence(papers: ParsedCertificate) -> Iterator[Finding]:
    """R3: two different contributions of one member for one slot of this round, the lower id first, listed once."""
    convicted: set[Key] = set()
    for accusations in papers.accusations:
        for _, evidence in accusations:
            first, second = open_paper(evidence.first, papers.network), open_paper(evidence.second, papers.network)
            if isinstance(first, Finding) or isinstance(second, Finding):
                yield Finding("R3", "evidence that holds what is not signed")
                continue
            (one_id, one), (other_id, other) = first, second
            if not isinstance(one, Contribution) or not isinstance(other, Contribution):
                yield Finding("R3", "evidence about what is no contribution")
                continue
            if _slot(one) != _slot(other) or one_id >= other_id:
                yield Finding("R3", "evidence that does not show two different messages of one slot, lower id first")
            if one.query != papers.query[0] or one.author not in papers.seats:
                yield Finding("R3", "evidence that is not about a member of this round")
            if one.author in convicted:
                yield Finding("R3", "evidence against one member is listed twice")
            convicted.add(one.author)


def _ballots(papers: ParsedCertificate) -> Iterator[Finding]:
    """R6: check ballots as far as possible without the assignment of pairs."""
    authors = [answer.author for _, answer in papers.answers]
    for wave, (plan, ballots) in enumerate(zip(papers.query[1].waves, papers.ballots, strict=False)):
        for _, ballot in ballots:
            name = f"ballot of {ballot.author.hex()[:8]}"
            if ballot.wave != wave:
                yield Finding("R2", f"{name} is of wave {ballot.wave}, not {wave}")
            if len(ballot.judgements) > plan:
                yield Finding("R6", f"{name} has {len(ballot.judgements)} pairs, the plan {plan}")
            abstentions = sum(each.preference == ABSTAIN for each in ballot.judgements)
            if abstentions > len(ballot.judgements) - abstentions:
                yield Finding("R6", f"{name} is void and counted")
            pairs: set[frozenset[int]] = set()
            for each in ballot.judgements:
                pair = frozenset((each.first, each.second))
                if len(pair) < 2 or max(pair) >= len(authors):
                    yield Finding("R6", f"{name} compares what are not two answers of the slate")
                elif ballot.author in (authors[each.first], authors[each.second]):
                    yield Finding("R6", f"{name} judges its author's own answer")
                if pair in pairs:
                    yield Finding("R6", f"{name} judges one pair twice")
                pairs.add(pair)


def _tally(papers: ParsedCertificate) -> Iterator[Finding]:
    """R8: check the tally as far as possible without the fit."""
    tally = papers.tally[1]
    standing = {id for id, answer in papers.answers if answer.author not in papers.accused[-1]}
    if tally.winner not in standing:
        yield Finding("R8", "the winner is not among the counted answers")
    if tally.stop is StopReason.CERTAIN:
        if tally.p_best < papers.query[1].threshold:
            yield Finding("R8", "certain, but P(best) is below the threshold")
        if tally.reason in (OutcomeReason.TOO_FEW_JUDGES, OutcomeReason.LOW_CONFIDENCE):
            yield Finding("R8", f"certain in spite of {tally.reason}")
        if all(ballot.author in papers.accused[-1] for _, ballot in itertools.chain(*papers.ballots)):
            yield Finding("R8", "certain without a ballot that counts")


def _is_confident(papers: ParsedCertificate) -> bool:
    """R9: P(correct) = σ(a + b · logit P(best)), with P(best) at least half of one of 256 draws away from 0 and 1.

    Holds where findings have no worth in the query: what they add to the winner's strength is part of the fit.
    """
    query, p_best = papers.query[1], papers.tally[1].p_best / 65536
    p_best = min(max(p_best, 1 / 512), 511 / 512)
    log_odds = query.calibration_intercept / 65536 + query.calibration_slope / 65536 * math.log(p_best / (1 - p_best))
    return round(65536 / (1 + math.exp(-log_odds))) >= query.confidence_min


def _outcome(papers: ParsedCertificate) -> Iterator[Finding]:
    """R9: check outcome and reason as far as they need no ranking."""
    tally, params, removed = papers.tally[1], papers.certificate.params, papers.accused[-1]
    standing = [answer for _, answer in papers.answers if answer.author not in removed]
    if not any(seat.vote_weight for seat in papers.seats.values()):
        possible = {OutcomeReason.NO_WEIGHT}
    elif len(standing) < params.answers_min:
        possible = {OutcomeReason.TOO_FEW_ANSWERS}
    else:
        possible = {OutcomeReason.NONE, OutcomeReason.LOW_CONFIDENCE, OutcomeReason.TOO_FEW_JUDGES}
        if not papers.reports or not papers.query[1].calibration_findings:
            possible.remove(OutcomeReason.LOW_CONFIDENCE if _is_confident(papers) else OutcomeReason.NONE)
    if tally.reason not in possible:
        yield Finding("R9", f"the reason {tally.reason} is not so")
    if tally.outcome is not (Outcome.DECIDED if tally.reason is OutcomeReason.NONE else Outcome.DEGRADED):
        yield Finding("R9", f"{tally.outcome} for the reason {tally.reason}")
    judges: set[Key] = set()
    for _, ballot in itertools.chain(*papers.ballots):
        seat = papers.seats.get(ballot.author)
        if seat is None or not seat.judge_weight or ballot.author in removed:
            continue
        for each in ballot.judgements:
            seen = [papers.answers[at][0] for at in (each.first, each.second) if at < len(papers.answers)]
            if tally.winner in seen and each.preference != ABSTAIN:
                judges.add(ballot.author)
    needs_judges = tally.stop not in (StopReason.UNANIMOUS, StopReason.AGREED)
    if tally.outcome is Outcome.DECIDED and needs_judges and len(judges) < params.judges_min:
        yield Finding("R9", f"decided, and {len(judges)} judges with weight have seen the winner")


def _cosigns(papers: ParsedCertificate) -> Iterator[Finding]:
    """C5: no co-signer objects. `_contributions` checks that they are members, of this tally, one each."""
    for _, cosign in papers.cosigns:
        if cosign.objection is not Objection.NONE:
            yield Finding("C5", f"{cosign.author.hex()[:8]} objects: {cosign.objection}")


_CHECKS: tuple[Callable[[ParsedCertificate], Iterator[Finding]], ...] = (
    _order,
    _text,
    _chain,
    _contributions,
    _declines,
    _openings,
    _evidence,
    check_testing,
    _ballots,
    check_standing,
    _tally,
    _outcome,
    _cosigns,
)


def _slot(body: Contribution) -> tuple[Digest, Key, Kind, str, int]:
    phase = body.phase if isinstance(body, Decline) else ""
    repetition = body.wave if isinstance(body, Ballot | Decline) else body.stage if isinstance(body, Report) else 0
    return body.query, body.author, body.KIND, phase, repetition


def _conclude(papers: ParsedCertificate) -> Audited:
    """R4, R5, R9: return the statements of a certificate without findings."""
    query_id, query = papers.query
    answers = dict(papers.answers)
    winner = answers[Digest(papers.tally[1].winner)]
    opened = {answer.author for answer in answers.values()}
    weighty = tuple(seat.member for seat in query.roster if seat.vote_weight)
    cosigners = tuple(sorted(cosign.author for _, cosign in papers.cosigns))
    signed = sum(member in cosigners for member in weighty)
    return Audited(
        query=query_id,
        requester=query.author,
        winner=Digest(papers.tally[1].winner),
        author=winner.author,
        text=winner.content.text,
        counted=tuple(answer.author for answer in answers.values()),
        removed=papers.accused[-1],
        unopened=tuple(entry.member for entry in papers.commits[1].commitments if entry.member not in opened),
        cosigners=cosigners,
        weighty=weighty,
        full=signed * 3 > len(weighty) * 2 if len(weighty) > 3 else 0 < signed == len(weighty),
        beacon=beacon_of(papers),
        closings=papers.closings,
        accused=papers.accused,
        tested=settled_of(papers),
    )
