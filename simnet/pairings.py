"""Other ways to choose the pairs to compare, as references for the swarm's.

Nodes, answers and judgements are those of the swarm's own rounds: a judge that is shown the same two answers in the
same order has the same preference. Nothing is sent, so no rule of the network limits the pairs. The counted judgements
are ranked twice, by the swarm's fit and by plain Bradley-Terry (`baselines`), which separates the effects of pairs and
fit.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from random import Random

from consensus.certificates.record import RoundRecord, bodies
from protocol.limits import PAIRS_MAX
from protocol.messages import Answer, Ballot, BallotEntry
from protocol.signing import seal
from protocol.types import ONE, Key
from simnet.chance import chance
from simnet.decision_model import judge
from simnet.plan import Plan, PlannedQuery

Pair = tuple[int, int]
"""Positions of two answers on the slate; the first is shown first."""

Tournament = Generator[list[Pair], list[float], None]
"""Yields pairs, each for one judge, and receives the share of each that its first answer won, 0 to 1."""


def judged(plan: Plan, asking: PlannedQuery, slate: RoundRecord) -> RoundRecord:
    """Return the record of a slate with the ballots of the scenario's pairing instead of the swarm's."""
    if plan.scenario.pairing == "client":
        pairs = client_pairs(len(slate.answers))
        found = {key: list(_judge(plan, asking, slate, key, pairs)) for key in slate.assignment}
    else:
        found = _play(plan, asking, slate)
    ballots = []
    for key in sorted(found):
        for wave, start in enumerate(range(0, len(found[key]), PAIRS_MAX)):
            part = tuple(found[key][start : start + PAIRS_MAX])
            body = Ballot(author=key, query=slate.id, on=slate.head, wave=wave, judgements=part)
            ballots.append(seal(plan.keypairs[plan.number_of[key]], plan.params.digest, body))
    return replace(slate, ballots=tuple(ballots), assignment={})


def _play(plan: Plan, asking: PlannedQuery, slate: RoundRecord) -> dict[Key, list[BallotEntry]]:
    """Give each pair to the judge with the fewest judgements that wrote neither answer, by lot among equal ones."""
    random = chance(plan.scenario.seed, "pairing", asking.number)
    authors = [answer.author for answer in bodies(slate.answers, Answer)]
    found: dict[Key, list[BallotEntry]] = {key: [] for key in sorted(slate.assignment)}
    tournament = TOURNAMENTS[plan.scenario.pairing](len(authors), len(found) * sum(plan.waves), random)
    won: list[float] | None = None
    while True:
        try:
            pairs = next(tournament) if won is None else tournament.send(won)
        except StopIteration:
            return found
        won = []
        for first, second in pairs:
            able = [key for key in found if key not in (authors[first], authors[second])]
            key = min(able, key=lambda each: (len(found[each]), random.random()))
            (judgement,) = _judge(plan, asking, slate, key, [(first, second)])
            found[key].append(judgement)
            won.append(min(judgement.preference, ONE) / ONE)


def _judge(
    plan: Plan, asking: PlannedQuery, slate: RoundRecord, key: Key, pairs: Sequence[Pair]
) -> tuple[BallotEntry, ...]:
    texts = [content.text for content in slate.contents.values()]
    return judge(plan, asking.question, plan.number_of[key], texts, pairs)


def client_pairs(answers: int) -> list[Pair]:
    """Return the published client's list, the same for every judge: neighbours, and answers half of the list apart.

    Both in both orders; about 3 pairs for each answer.
    """
    pairs = [(place, place + 1) for place in range(answers - 1)]
    pairs += [(place, place + answers // 2) for place in range(answers // 2)]
    return [shown for one, other in pairs for shown in ((one, other), (other, one))]


def random_pairs(answers: int, judgements: int, random: Random) -> Tournament:
    """Yield pairs of any two different answers."""
    places = range(answers)
    yield [(one, other) for one, other in (random.sample(places, 2) for _ in range(judgements))]


def swiss(answers: int, judgements: int, random: Random) -> Tournament:
    """Yield rounds with one judgement per pair; answers with equal scores meet, if possible never twice.

    Neighbours in the order of scores are paired from the top, equal scores by lot; the last round may be cut short.
    """
    scores, met = [0.0] * answers, set[frozenset[int]]()
    while judgements > 0:
        order = sorted(range(answers), key=lambda answer: (-scores[answer], random.random()))
        pairs = []
        while len(order) > 1:
            one = order.pop(0)
            other = next((rival for rival in order if frozenset((one, rival)) not in met), order[0])
            order.remove(other)
            met.add(frozenset((one, other)))
            pairs.append(_shown(one, other, random))
        pairs = pairs[:judgements]
        judgements -= len(pairs)
        for (first, second), share in zip(pairs, (yield pairs), strict=True):
            scores[first] += share
            scores[second] += 1.0 - share


def knockout(answers: int, judgements: int, random: Random) -> Tournament:
    """Yield the matches of a knockout: the loser is out.

    All matches have the same number of judges, in both orders by turns. A lot decides a draw, and which answer idles if
    their number is odd.
    """
    judges = max(1, judgements // (answers - 1))
    left = random.sample(range(answers), answers)
    while len(left) > 1:
        matches = [_shown(one, other, random) for one, other in zip(left[::2], left[1::2], strict=False)]
        pairs = [pair[::-1] if turn % 2 else pair for pair in matches for turn in range(judges)]
        shares = yield pairs
        idle = left[-1:] if len(left) % 2 else []
        left = []
        for number, match in enumerate(matches):
            own = shares[number * judges : (number + 1) * judges]
            lead = sum(1.0 - 2.0 * share if turn % 2 else 2.0 * share - 1.0 for turn, share in enumerate(own))
            first_wins = lead > 0 if lead else random.random() < 0.5
            left.append(match[0] if first_wins else match[1])
        left = idle + left


def _shown(one: int, other: int, random: Random) -> Pair:
    """Order a pair by a coin, because judges favour a position."""
    return (one, other) if random.random() < 0.5 else (other, one)


TOURNAMENTS: dict[str, Callable[[int, int, Random], Tournament]] = {
    "random": random_pairs,
    "swiss": swiss,
    "knockout": knockout,
}
"""Tournaments by the scenario's `pairing`: each spends a number of judgements among a number of answers."""
