"""Who compares what under the pairings beside which the swarm is measured."""

from collections import Counter
from random import Random

import pytest

from consensus.certificates.record import RoundRecord, bodies
from consensus.learning.experience import Experience
from protocol.limits import PAIRS_MAX
from protocol.messages import Answer, Ballot
from simnet.aggregate import decide, run_aggregate
from simnet.pairings import TOURNAMENTS, Pair, Tournament, client_pairs, knockout, random_pairs, swiss
from tests.support.simulated import plan_of


def played(tournament: Tournament, strength: list[int]) -> list[list[Pair]]:
    """What it asks round by round, where the stronger answer always wins."""
    asked: list[list[Pair]] = []
    try:
        pairs = next(tournament)
        while True:
            asked.append(pairs)
            pairs = tournament.send([float(strength[first] > strength[second]) for first, second in pairs])
    except StopIteration:
        return asked


def record_of(pairing: str, **settings: object) -> RoundRecord:
    plan = plan_of(nodes=9, rounds=1, preset="open-ended", pairing=pairing, **settings)
    record, ranking = decide(plan, plan.asking(0), Experience())
    assert ranking.ranked
    return record


def test_the_clients_list_is_that_of_the_facts() -> None:
    assert client_pairs(5) == [
        (0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2), (3, 4), (4, 3), (0, 2), (2, 0), (1, 3), (3, 1),
    ]  # fmt: skip
    assert [len(client_pairs(size)) for size in (7, 35)] == [18, 102]
    assert client_pairs(1) == []


@pytest.mark.parametrize("answers", [2, 3, 7, 8, 35])
def test_the_best_answer_wins_a_knockout(answers: int) -> None:
    for seed in range(10):
        strength = Random(seed).sample(range(answers), answers)
        rounds = played(knockout(answers, 3 * answers, Random(seed)), strength)
        assert len(rounds) == (answers - 1).bit_length()
        final = {answer for pair in rounds[-1] for answer in pair}
        assert strength.index(answers - 1) in final
        matches = Counter(frozenset(pair) for asked in rounds for pair in asked)
        assert len(matches) == answers - 1
        assert set(matches.values()) == {3 * answers // (answers - 1)}
        lost = [min(match, key=strength.__getitem__) for match in matches]
        assert len(set(lost)) == answers - 1, "who loses is out"


def test_a_lot_decides_a_drawn_match() -> None:
    winners = set()
    for seed in range(20):
        tournament = knockout(3, 2, Random(seed))
        first = next(tournament)
        assert len(first) == 1
        (final,) = tournament.send([0.5])
        winners.add(first[0].index((set(first[0]) & set(final)).pop()))
    assert winners == {0, 1}


def test_in_swiss_rounds_equals_meet_once() -> None:
    strength = Random(1).sample(range(16), 16)
    rounds = played(swiss(16, 32, Random(2)), strength)
    assert [len(asked) for asked in rounds] == [8, 8, 8, 8]
    pairs = [frozenset(pair) for asked in rounds for pair in asked]
    assert len(set(pairs)) == 32
    scores = Counter[int]()
    for asked in rounds:
        assert sorted(answer for pair in asked for answer in pair) == list(range(16))
        assert all(abs(scores[first] - scores[second]) <= 1 for first, second in asked)
        scores.update(max(pair, key=strength.__getitem__) for pair in asked)
    assert scores[strength.index(15)] == 4


def test_swiss_rounds_and_random_pairs_spend_what_there_is() -> None:
    assert [len(asked) for asked in played(swiss(7, 8, Random(1)), list(range(7)))] == [3, 3, 2]
    (asked,) = played(random_pairs(5, 200, Random(1)), list(range(5)))
    assert len(asked) == 200
    assert set(asked) == {(one, other) for one in range(5) for other in range(5) if one != other}


@pytest.mark.parametrize("pairing", sorted(TOURNAMENTS))
def test_judges_share_the_work_and_judge_no_answer_of_their_own(pairing: str) -> None:
    record = record_of(pairing, round={"waves": [1, 2]})
    authors = [answer.author for answer in bodies(record.answers, Answer)]
    ballots = bodies(record.ballots, Ballot)
    counts = Counter({ballot.author: len(ballot.judgements) for ballot in ballots})
    assert counts.total() == {"random": 27, "swiss": 27, "knockout": 24}[pairing]
    # Nobody judges its own answer, so that the last of the pairs may fall to one that has its share already.
    assert max(counts.values()) - min(counts[key] for key in record.seats) <= 2
    for ballot in ballots:
        assert all(ballot.author not in (authors[each.first], authors[each.second]) for each in ballot.judgements)


def test_every_judge_has_the_clients_whole_list_in_ballots_that_the_wire_would_carry() -> None:
    plan = plan_of(nodes=30, rounds=1, preset="open-ended", pairing="client")
    record, _ = decide(plan, plan.asking(0), Experience())
    found: dict[bytes, list[Pair]] = {}
    for ballot in sorted(bodies(record.ballots, Ballot), key=lambda each: each.wave):
        assert len(ballot.judgements) <= PAIRS_MAX
        found.setdefault(ballot.author, []).extend((each.first, each.second) for each in ballot.judgements)
    assert len(found) == 30
    assert all(pairs == client_pairs(30) for pairs in found.values())


def test_judgements_are_those_of_the_same_nodes_on_the_same_answers() -> None:
    """Common random numbers: of two pairings with the same pair, shown to the same judge, both hear the same."""
    heard: dict[tuple[object, ...], int] = {}
    agreed = 0
    for pairing in ("client", "random"):
        record = record_of(pairing, round={"waves": [8]})
        texts = [content.text for content in record.contents.values()]
        for ballot in bodies(record.ballots, Ballot):
            for each in ballot.judgements:
                key = (ballot.author, texts[each.first], texts[each.second])
                agreed += key in heard
                assert heard.setdefault(key, each.preference) == each.preference
    assert agreed > 5


def test_judges_own_rankings_are_told_of_the_published_client_alone() -> None:
    settings = {"nodes": 9, "rounds": 6}
    client, swiss_run = (run_aggregate(plan_of(**settings, pairing=pairing)) for pairing in ("client", "swiss"))
    assert "rankings" in client.accuracy()
    assert "rankings" not in swiss_run.accuracy()
    # Nothing else differs: the same answers were there to choose from.
    assert [each.verdicts.oracle for each in client.rounds] == [each.verdicts.oracle for each in swiss_run.rounds]


def test_a_perfect_judges_ranking_is_found_again() -> None:
    """Where nobody can err, the rankings' best is the oracle's, wherever the sparse list lets a judge see it."""
    run = run_aggregate(plan_of(nodes=9, rounds=20, preset="easy-to-check", pairing="client"))
    found = run.accuracy()
    assert found["rankings"] > 0.8 * found["oracle"] > found["majority"]


def test_a_unanimous_round_needs_no_pairs() -> None:
    plan = plan_of(nodes=4, rounds=40, pairing="swiss")
    alone = [each for each in run_aggregate(plan).rounds if each.stop == "unanimous"]
    assert alone and all(each.comparisons == 0 for each in alone)
