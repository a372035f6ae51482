"""Finds differences between the two readings of one certificate: the audit's own, and that of `consensus`."""

from collections.abc import Iterator, Mapping, Sequence

from consensus.certificates.certificate import VerifiedCertificate
from consensus.certificates.record import Pairs, Phase, RoundRecord, bodies
from consensus.certificates.tally import rank, uncertain_pairs
from consensus.ranking.clusters import canonical_form, cluster
from consensus.ranking.pairing import assign_pairs
from protocol.messages import Answer, Ballot
from protocol.types import DeclinedPhase, Role, StopReason
from simnet.audit import Audited
from simnet.audit_testing import Settled


def differences(audited: Audited, verified: VerifiedCertificate) -> Iterator[tuple[str, str]]:
    """Yield the differences between the two readings of one certificate."""
    record = verified.record
    best = verified.ranking.ranked[0]
    if (audited.winner, audited.author) != (best.answer, best.author):
        yield "R8", "winners"
    if audited.counted != tuple(answer.author for answer in record.answers):
        yield "R3", "counted answers"
    if audited.removed != record.removed:
        yield "R3", "removed members"
    if audited.unopened != verified.unopened:
        yield "R4", "unopened commitments"
    if audited.beacon != record.beacon:
        yield "R5", "beacons"
    for place, tested in enumerate(audited.tested):
        found = record.found(place)
        theirs = (found.status.value, found.tests[1], found.behaviour, found.open)
        if theirs != (tested.status, tested.failed, tested.behaviour, tested.disputed):
            yield "R17", f"findings about answer {place}"
    judging = record.before
    while judging is not None and judging.phase is Phase.JUDGING:
        assigned = _assign(judging, audited)
        ballots = [each for each in bodies(record.ballots, Ballot) if each.wave == judging.wave]
        if any(_pairs(each) != assigned.get(each.author) for each in ballots):
            yield "R6", f"pairs of wave {judging.wave}"
        gave = {each.author for each in ballots} | record.declined(DeclinedPhase.JUDGING, judging.wave) | record.removed
        is_last = judging.wave == record.wave
        if is_last and verified.ranking.stop in (StopReason.SPENT, StopReason.FUTILE) and assigned.keys() - gave:
            yield "R8", f"ballots, of which some are missing although the round is {verified.ranking.stop}"
        judging = judging.before
    if (frozenset(audited.cosigners), audited.full) != (verified.cosigners, verified.full):
        yield "R9", "co-signers"


def _pairs(ballot: Ballot) -> Pairs:
    return tuple((each.first, each.second) for each in ballot.judgements)


def _assign(judging: RoundRecord, audited: Audited) -> Mapping[bytes, Pairs]:
    """R6: return the assignment of pairs by the audit's beacon and findings; it has no second implementation itself."""
    answers, tested = bodies(judging.answers, Answer), audited.tested
    here = {place for place, answer in enumerate(answers) if answer.author not in judging.removed}
    least = min((tested[place].badness for place in here), default=0)
    able = {place for place in here if tested[place].badness == least}
    clusters = _clusters(judging, tested)
    if len({clusters[place] for place in able}) < 2 or (judging.findings and rank(judging).stop is StopReason.AGREED):
        return {}
    judged: dict[bytes, list[tuple[int, int]]] = {}
    for ballot in bodies(judging.ballots, Ballot):
        judged.setdefault(ballot.author, []).extend(_pairs(ballot))
    assigned = assign_pairs(
        beacon=audited.beacon,
        wave=judging.wave,
        judges=[key for key, seat in judging.seats.items() if Role.JUDGE in seat.roles and key not in judging.absent],
        authors=[answer.author for answer in answers],
        clusters=clusters,
        pairs_per_judge=judging.query.waves[judging.wave],
        judged=judged,
        duels=uncertain_pairs(judging),
        removed=judging.removed,
        set_aside=set(range(len(answers))) - able,
    )
    return {judge: pairs for judge, pairs in assigned.items() if pairs}


def _clusters(judging: RoundRecord, tested: Sequence[Settled]) -> tuple[int, ...]:
    """R7, R18: return the clusters of equal behaviour; without one an answer is where its text is, by most votes."""
    answers = bodies(judging.answers, Answer)
    forms = [canonical_form(judging.query.task, answer.content.text) for answer in answers]
    names = []
    for form, own in zip(forms, tested, strict=True):
        votes: dict[bytes, int] = {}
        for answer, theirs, other in zip(answers, forms, tested, strict=True):
            if theirs == form and other.behaviour:
                votes[other.behaviour] = votes.get(other.behaviour, 0) + judging.seats[answer.author].vote_weight
        behaviour = own.behaviour or max(votes, key=votes.__getitem__, default=b"")
        names.append(b"behaviour" + behaviour if behaviour else b"form" + form)
    return cluster(names)
