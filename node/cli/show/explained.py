"""Why an answer won, read from a certificate: ranking with intervals, pairs, judges with their weights."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from msgspec import to_builtins
from rich.console import Console

from consensus.certificates.certificate import VerifiedCertificate
from consensus.certificates.explanation import Explanation, explain
from consensus.ranking.bradley_terry import INTERVAL
from node.api.rounds import CertificateDetail, CertifiedAnswer, CertifiedSeat
from node.cli.parts.options import KEY_DIGITS, outside
from node.cli.parts.pairs import PairCount, print_matrix
from node.cli.parts.tables import print_rows, shown_key
from node.facade.certificates import certificate_detail
from protocol.types import Digest, Key


@dataclass(frozen=True, slots=True)
class ExplainedRound:
    """What a certificate of today's version tells beyond its description."""

    query_id: str
    certificate: CertificateDetail
    explanation: Explanation

    @property
    def ranked(self) -> list[CertifiedAnswer]:
        """Return the answers that have a place, best first."""
        return [each for each in self.certificate.answers if each.place is not None]

    @property
    def names(self) -> list[str]:
        """Return the places as they name rows and columns of the matrix."""
        return [str(each.place) for each in self.ranked]

    def interval(self, answer: CertifiedAnswer) -> tuple[float, float]:
        """Return the interval of an answer's strength."""
        return self.explanation.intervals[Digest(bytes.fromhex(answer.answer_id))]

    def pairs(self) -> list[PairCount]:
        """Return the comparisons among the ranked answers, by their position in the ranking."""
        position = {each.number: index for index, each in enumerate(self.ranked)}
        return [
            PairCount(
                position[each.one],
                position[each.other],
                each.judgements,
                each.preferred / each.judgements if each.judgements else 0.5,
                each.abstentions,
            )
            for each in self.certificate.pairs
            if each.one in position and each.other in position
        ]

    def agreement(self, judge: str) -> tuple[int, int, int]:
        """Return how many preferences of a judge agree with the ranking, how many it gave, and how often it abstained.

        A preference of one half agrees with neither order; it is given and does not agree.
        """
        place = {each.number: each.place for each in self.ranked}
        agrees = given = abstained = 0
        for ballot in self.certificate.ballots:
            for pair in ballot.pairs if ballot.judge == judge else ():
                first, second = place.get(pair.first), place.get(pair.second)
                if pair.preference is None:
                    abstained += 1
                elif first is not None and second is not None:
                    given += 1
                    agrees += pair.preference > 0.5 if first < second else pair.preference < 0.5
        return agrees, given, abstained


def explained(verified: VerifiedCertificate) -> ExplainedRound:
    """Explain a certificate of today's version."""
    return ExplainedRound(verified.record.id.hex(), certificate_detail(verified), explain(verified.record))


def as_json(told: ExplainedRound) -> dict[str, Any]:
    """Return the explanation as plain values."""
    return {
        "interval_share": INTERVAL,
        "intervals": {each.answer_id: list(told.interval(each)) for each in told.ranked},
        "judges": {key.hex(): asdict(character) for key, character in told.explanation.characters.items()},
        "certificate": to_builtins(told.certificate),
    }


def print_intervals(told: ExplainedRound, console: Console) -> None:
    """Print the ranking, each strength (log-odds) with its interval."""
    interval = f"{INTERVAL:.0%} interval"
    rows = [_answer_row(told, each, console) for each in told.ranked]
    print_rows(("place", "author", "strength", interval, "P(best)", "equal", "finish"), rows, console)


def print_judging(told: ExplainedRound, console: Console) -> None:
    """Print the pairs and the judges with their weights."""
    console.print()
    if any(each.judgements for each in told.certificate.pairs):
        console.print("preference for the row's answer / comparisons, by place", soft_wrap=True, highlight=False)
        print_matrix(told.names, told.pairs(), console)
    else:
        console.print("no pair was compared", soft_wrap=True)
    console.print()
    names = ("member", "place", "vote", "judge", "character", "abstains", "agrees")
    print_rows(names, [_member_row(told, each, console) for each in told.certificate.seats], console)
    for line in _notes(told):
        console.print(outside(line), soft_wrap=True, highlight=False)


def _answer_row(told: ExplainedRound, answer: CertifiedAnswer, console: Console) -> list[str]:
    low, high = told.interval(answer)
    return [
        str(answer.place),
        shown_key(answer.author, console),
        f"{answer.strength:+.2f}",
        f"{low:+.2f} {high:+.2f}",
        f"{answer.p_best:.2f}",
        str(answer.cluster_size),
        answer.finish,
    ]


def _member_row(told: ExplainedRound, seat: CertifiedSeat, console: Console) -> list[str]:
    own = next((each for each in told.certificate.answers if each.author == seat.member), None)
    agrees, given, abstained = told.agreement(seat.member)
    character, share = told.explanation.characters[Key(bytes.fromhex(seat.member))].likeliest
    return [
        shown_key(seat.member, console),
        "" if own is None or own.place is None else str(own.place),
        f"{seat.vote_weight:.2f}",
        f"{seat.judge_weight:.2f}",
        f"{character} {share:.2f}" if given else "",
        str(abstained) if given or abstained else "",
        f"{agrees} of {given}" if given else "",
    ]


def _notes(told: ExplainedRound) -> Iterator[str]:
    """Say in words what the tables leave open."""
    yield "vote: weight of the member's answer; judge: of its preferences; character: what this round shows of it"
    records = [
        f"{each.member[:KEY_DIGITS]} {each.author_weight:+.2f}" for each in told.certificate.seats if each.author_weight
    ]
    if records:
        yield f"earlier rounds moved the strength of answers by: {', '.join(records)}"
