"""What a verified certificate says of a round: the whole slate, the ballots and the weights behind the ranking."""

from collections.abc import Iterable

from msgspec import convert

from consensus.certificates.certificate import VerifiedCertificate
from consensus.certificates.reading import claimed_correct, describe, found_values
from consensus.certificates.record import RoundRecord, bodies
from consensus.certificates.tally import Ranking
from node.api.conversation import Audience, Turn
from node.api.findings import AnswerFindings, RoundTesting
from node.api.rounds import (
    HEAD_CHARS_MAX,
    CertificateDetail,
    CertifiedAnswer,
    CertifiedBallot,
    CertifiedDecline,
    CertifiedSeat,
    PairSum,
    RoundDetail,
    RoundSummary,
)
from node.rounds.following import telling
from protocol.messages import Ballot
from protocol.types import ABSTAIN, ONE


def certificate_detail(verified: VerifiedCertificate) -> CertificateDetail:
    """Describe a valid certificate in the types of `node.api`: slate, ballots, pairs, declines, and who co-signed.

    Keys and ids are hexadecimal; weights, probabilities and strengths are floats, not the certificate's integers.
    """
    record, ranking, report = verified.record, verified.ranking, describe(verified)
    ballots = bodies(record.ballots, Ballot)
    return CertificateDetail(
        requester=record.query.author.hex(),
        network=record.params.network,
        stop=ranking.stop,
        threshold=record.query.threshold / ONE,
        confidence_min=record.query.confidence_min / ONE,
        full=verified.full,
        cosigners=tuple(sorted(key.hex() for key in verified.cosigners)),
        seats=tuple(_seats(record)),
        answers=tuple(_answers(record, ranking)),
        ballots=tuple(
            CertifiedBallot(told.judge, told.wave, told.pairs) for told in map(telling.ballot, record.ballots)
        ),
        pairs=_pairs(ballots),
        declines=tuple(CertifiedDecline(**each) for each in report["declines"]),
        unopened=tuple(report["unopened"]),
        silent_judges=tuple(report["silent_judges"]),
        removed=tuple(report["removed"]),
        testing=convert(report["testing"], RoundTesting | None),
    )


def round_detail(verified: VerifiedCertificate) -> RoundDetail:
    """Describe a round of which the node has the certificate alone: it was a member.

    What a certificate does not tell, such as times of phases and refusals, is None or empty.
    """
    record, ranking = verified.record, verified.ranking
    query, best = record.query, ranking.ranked[0]
    answer = record.contents[best.answer].text
    turns = tuple(Turn(turn.role, turn.text) for turn in verified.turns)
    summary = RoundSummary(
        query_id=record.id.hex(),
        asked_ms=query.sent_at_ms,
        ended_ms=None,
        task=query.task,
        audience=Audience.PUBLIC if query.turns else None,
        gold=False,
        text=turns[-1].text[:HEAD_CHARS_MAX] if turns else "",
        turns=len(turns),
        ending="finished",
        outcome=ranking.outcome,
        reason=ranking.reason,
        why_not="",
        p_best=ranking.p_best / ONE,
        p_correct=claimed_correct(ranking),
        author=best.author.hex(),
        answer=answer[:HEAD_CHARS_MAX],
        certified=True,
    )
    return RoundDetail(
        round=summary,
        ours=False,
        conversation=turns,
        answer=answer,
        members=tuple(seat.member.hex() for seat in query.roster),
        received=None,
        refused={},
        declined={},
        own_engine="",
        timings_ms={},
        certificate_url=None,
        certificate=None,
    )


def _seats(record: RoundRecord) -> Iterable[CertifiedSeat]:
    for seat in record.query.roster:
        told = telling.seated(seat)
        yield CertifiedSeat(told.member, told.roles, told.vote_weight, told.judge_weight, seat.author_weight / ONE)


def _answers(record: RoundRecord, ranking: Ranking) -> list[CertifiedAnswer]:
    places = {each.answer: (place, each) for place, each in enumerate(ranking.ranked, 1)}
    answers: list[CertifiedAnswer] = []
    for number, message in enumerate(record.answers):
        content = record.contents[message.id]
        place, ranked = places.get(message.id, (None, None))
        answers.append(
            CertifiedAnswer(
                number=number,
                place=place,
                answer_id=message.id.hex(),
                author=message.author.hex(),
                text=content.text,
                strength=None if ranked is None else ranked.strength / telling.MICRO,
                p_best=None if ranked is None else ranked.p_best / ONE,
                cluster=record.clusters[number],
                cluster_size=0 if ranked is None else ranked.cluster_size,
                finish=content.finish,
                prompt_tokens=content.prompt_tokens,
                answer_tokens=content.answer_tokens,
                token_source=content.token_source,
                findings=convert(found_values(record, number), AnswerFindings | None),
            )
        )
    return sorted(answers, key=lambda each: (each.place is None, each.place or each.number))


def _pairs(ballots: Iterable[Ballot]) -> tuple[PairSum, ...]:
    """Sum the comparisons of each pair of answers."""
    preferences: dict[tuple[int, int], list[float | None]] = {}
    for ballot in ballots:
        for each in ballot.judgements:
            first = None if each.preference == ABSTAIN else each.preference / ONE
            one, other = sorted((each.first, each.second))
            turned = first if first is None or one == each.first else 1 - first
            preferences.setdefault((one, other), []).append(turned)
    sums = []
    for (one, other), found in sorted(preferences.items()):
        given = [preference for preference in found if preference is not None]
        sums.append(PairSum(one, other, len(given), sum(given), len(found) - len(given)))
    return tuple(sums)
