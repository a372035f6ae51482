"""Finished rounds of named nodes, and what is true of their answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from consensus.certificates.certificate import build_certificate
from consensus.certificates.record import Phase, RoundRecord, bodies, is_void
from consensus.certificates.tally import Ranking, rank
from consensus.learning.experience import RoundUpdate, round_update
from protocol import codec
from protocol.messages import Ballot, Findings, Seat
from protocol.signing import VerifiedMessage
from protocol.types import ONE, Digest, Key
from tests.support.findings import plan
from tests.support.hand import Hand
from tests.support.swarm import Swarm, answer_text, keypair

Says = Callable[[str, str, str], int]
"""A judge's preference, by its name and what the first and the second answer say."""


def honest(_judge: str, first: str, second: str) -> int:
    """Everybody sees that the letter that comes first is better."""
    return ONE if first < second else 0


Finds = Callable[[str, str], Findings]
"""What a tester finds out about an answer, by its name and what the answer says."""


def undecided(_judge: str, _first: str, _second: str) -> int:
    """Nobody sees anything."""
    return ONE // 2


@dataclass(frozen=True, slots=True)
class Told:
    """A round that has its tally."""

    record: RoundRecord
    ranking: Ranking
    letters: Mapping[Digest, str]
    """What each answer says."""

    @property
    def certificate(self) -> bytes:
        """As the requester makes it before anybody co-signed."""
        return codec.encode(build_certificate(self.record, ()))

    def update(self, right: str | None = None) -> RoundUpdate:
        """What it teaches; `right`: the letters that are, if it was gold."""
        truth = None if right is None else {id: letter in right for id, letter in self.letters.items()}
        return round_update(self.record, self.ranking, truth)


def told(
    answers: Mapping[str, str],
    says: Says = honest,
    *,
    unopened: str = "",
    removed: str = "",
    finds: Finds | None = None,
    seats: Mapping[str, Mapping[str, Any]] | None = None,
    **query: Any,
) -> Told:
    """A round of these nodes and what they answer, a letter each; one with "" only judges.

    `unopened` committed only; `removed` contradicted themselves. `finds`: if given, every node can test. `seats`: what
    the roster says of some.
    """
    if finds is not None:
        seats = {name: {"tool_versions": "g1"} | dict((seats or {}).get(name, {})) for name in answers}
        query = {"findings": plan()} | query
    hand = Hand("".join(answers), roster=_roster(answers, seats or {}), **query)
    hand.content = lambda name: replace(Hand.content(hand, name), text=answer_text(answers[name]))  # type: ignore[method-assign]
    committed = [name for name in answers if answers[name]]
    hand.to_opening("".join(committed))
    opened = hand.extend(hand.close_slate([hand.answer(name) for name in committed if name not in unopened]))
    assert isinstance(opened, RoundRecord), opened
    letters = {
        message.id: answers[name] for message in opened.answers for name in answers if message.author == key(name)
    }
    while finds is not None and hand.record.phase is Phase.TESTING:
        closing = hand.close_reports([_report(hand, name, finds, letters) for name in answers if _tests(hand, name)])
        assert isinstance(hand.extend(closing), RoundRecord)
    ballots = [_ballot(hand, name, says, letters) for name in answers if key(name) in hand.record.assignment]
    closed = hand.extend(hand.close_tally([ballot for ballot in ballots if ballot is not None]))
    assert isinstance(closed, RoundRecord), closed
    record = replace(closed, removed=frozenset(key(name) for name in removed))
    return Told(record, rank(record), letters)


def key(name: str) -> Key:
    """A node's key."""
    return keypair(name).public


def _roster(answers: Mapping[str, str], changes: Mapping[str, Mapping[str, Any]]) -> tuple[Seat, ...]:
    named = {key(name): name for name in answers}
    seats = Swarm("".join(answers)).query().roster
    return tuple(replace(seat, **changes.get(named[seat.member], {})) for seat in seats)


def _tests(hand: Hand, name: str) -> bool:
    return key(name) in hand.record.testers


def _report(hand: Hand, name: str, finds: Finds, letters: Mapping[Digest, str]) -> VerifiedMessage:
    positions = hand.record.testers[key(name)]
    said = {index: letters[hand.record.answers[index].id] for index in positions}
    return hand.report(name, *(replace(finds(name, said[index]), answer=index) for index in positions))


def _ballot(hand: Hand, name: str, says: Says, letters: Mapping[Digest, str]) -> Any:
    """None if it would say nothing."""
    said = [letters[message.id] for message in hand.record.answers]
    (ballot,) = bodies([hand.ballot(name)], Ballot)
    judgements = tuple(
        replace(each, preference=says(name, said[each.first], said[each.second])) for each in ballot.judgements
    )
    ballot = replace(ballot, judgements=judgements)
    return None if is_void(ballot) else hand.seal(name, ballot)
