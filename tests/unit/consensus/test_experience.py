"""What an asker learns from finished rounds, and what its next queries say of it."""

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consensus.certificates.record import RoundRecord, open_record
from consensus.certificates.tally import rank
from consensus.learning import experience
from consensus.learning.experience import (
    GOLD_KEPT,
    JUDGE_MAX,
    LEVEL,
    RENEWAL_ROUNDS,
    TRUE_APART,
    Experience,
    QueryPriors,
    RoundUpdate,
    model_choices,
    round_update,
)
from consensus.learning.finding_strengths import FindingStrengths
from consensus.learning.reputation import AGREEMENT, GOLD, VOTE_MIN, NodeStats, Score
from consensus.learning.roster import Draw, SeatWeights, Trust, choose_roster
from consensus.learning.waves import MODELS
from consensus.ranking import judges
from consensus.ranking.bradley_terry import Item, PriorParameters
from consensus.ranking.certainty import UNCALIBRATED
from consensus.ranking.finding_score import FindingFeatures, score_of
from consensus.ranking.judges import FRESH, HONEST, INVERSE, JudgedComparison, JudgePrior
from protocol.limits import BETA_MAX, TAU_MAX, TAU_MIN
from protocol.messages import Findings, Offer, Query
from protocol.signing import VerifiedMessage, open_envelope
from protocol.types import ABSTAIN, ONE, CompileStatus, Role, TaskType
from tests.support.effort import cases
from tests.support.findings import found, plan
from tests.support.hand import Hand
from tests.support.updates import honest, key, told, undecided

CODE = TaskType.CODE


def learned(*updates: RoundUpdate, times: int = 1) -> Experience:
    """After these, over and over."""
    known = Experience()
    for update in updates * times:
        known.learn(update)
    return known


def inverse_of(*liars: str) -> Callable[[str, str, str], int]:
    """These prefer the worse."""
    return lambda judge, first, second: honest(judge, *((second, first) if judge in liars else (first, second)))


# -- one round -------------------------------------------------------------------------------------------------------


def test_gold_tells_who_was_right() -> None:
    known = learned(told({"a": "A", "b": "B", "c": "A", "d": "C"}).update("A")).standings
    expected = {"a": Score(GOLD, 0.0), "b": Score(0.0, GOLD), "c": Score(GOLD, 0.0), "d": Score(0.0, GOLD)}
    assert {name: known[key(name)].answers for name in expected} == expected
    assert {each.agreed for each in known.values()} == {Score()}, "who has the truth needs no consensus"
    assert all(each.gold_rounds == each.rounds == 1 for each in known.values())


def test_several_forms_can_be_right_or_none() -> None:
    round_ = told({"a": "A", "b": "B", "c": "A", "d": "C"})
    both, none = learned(round_.update("AB")).standings, learned(round_.update("Z")).standings
    assert [both[key(name)].answers.good for name in "abcd"] == [GOLD, GOLD, GOLD, 0.0]
    assert [none[key(name)].answers.bad for name in "abcd"] == [GOLD] * 4


def test_without_gold_the_consensus_counts_by_how_sure_it_is() -> None:
    round_ = told({"a": "A", "b": "A", "c": "A", "d": "A", "e": "B"})
    sure = 2.0 * round_.ranking.p_best / ONE - 1.0
    assert sure > 0.5
    known = learned(round_.update()).standings
    assert [known[key(name)].agreed for name in "abcd"] == [Score(AGREEMENT * sure, 0.0)] * 4
    assert known[key("e")].agreed == Score(0.0, AGREEMENT * sure)
    assert not any(each.has_gold for each in known.values())


def test_a_consensus_that_is_not_sure_says_nothing_of_anybody() -> None:
    """At P(best) below ½ whoever gave another answer is not praised for it."""
    round_ = told({"a": "A", "b": "B", "c": "C", "d": "D", "e": "E"}, undecided)
    assert round_.ranking.p_best < ONE // 2
    assert {observation.agreed for observation in round_.update().observations.values()} == {None}


def test_nobody_agrees_with_itself_alone() -> None:
    """The answer wins by its author's own vote, which does not count when it is the author that is looked at."""
    round_ = told({"a": "A", "b": "B", "c": "B", "d": "B"}, undecided, seats={"a": {"vote_weight": 16 * ONE}})
    assert round_.ranking.ranked[0].author == key("a")
    observations = round_.update().observations
    assert all(observations[key(name)].agreed < 0.0 for name in "abcd")


def test_a_judge_does_not_agree_with_its_own_judgements_alone() -> None:
    """It alone is heard, and speaks for what it says itself: without its judgements the votes decide otherwise."""
    voiceless = {"vote_weight": 0, "judge_weight": 0}
    heard = {"vote_weight": 0, "judge_weight": 16 * ONE, "honest": 16 * ONE, "partisan": 1}
    seats = {"a": heard, "b": voiceless, **{name: {"judge_weight": 0} for name in "cde"}}
    round_ = told({"a": "A", "b": "A", "c": "B", "d": "B", "e": "B"}, honest, seats=seats)
    assert round_.letters[round_.ranking.ranked[0].answer] == "A"
    assert round_.update().observations[key("a")].agreed < 0.0
    assert round_.update().observations[key("b")].agreed > 0.0


def test_a_commitment_that_was_not_opened_counts_against_its_author() -> None:
    """Whoever sees the others' openings first and keeps silent must not keep its record clean."""
    round_ = told({"a": "A", "b": "A", "c": "A", "d": "A", "e": "A"}, unopened="e")
    assert learned(round_.update("A")).standings[key("e")].answers == Score(0.0, GOLD)
    assert learned(round_.update()).standings[key("e")].agreed == Score(0.0, AGREEMENT)


def test_whoever_did_nothing_is_not_met() -> None:
    round_ = told({"a": "A", "b": "B", "c": "A", "d": "A", "e": ""}, lambda judge, *_: ABSTAIN if judge == "e" else ONE)
    assert key("e") in round_.record.seats
    for right in ("A", None):
        assert key("e") not in round_.update(right).observations


def test_whoever_only_judges_is_tested_as_a_judge() -> None:
    observation = told({"a": "A", "b": "B", "c": "A", "d": "B", "e": ""}).update("A").observations[key("e")]
    assert (observation.right, observation.agreed) == (None, None)
    assert observation.character is not None
    assert observation.character[HONEST] > FRESH[HONEST] / sum(FRESH)


def test_abstentions_say_nothing_of_a_judge() -> None:
    """`b` prefers the worse where it speaks, which is seldom: it is known by that, not by how often it was asked."""
    answers = {"a": "A", "b": "B", "c": "A", "d": "B", "e": "A", "f": "B"}
    heard: list[str] = []

    def says(judge: str, first: str, second: str) -> int:
        if judge == "b" and first != second:
            heard.append(judge)
            return ABSTAIN if len(heard) == 1 else honest(judge, second, first)
        return honest(judge, first, second)

    update = told(answers, says).update("A")
    assert update.gold is not None
    spoken = [each for each in update.gold.judgements if each[0] == key("b")]
    assert 0 < len(spoken) < len([each for each in update.gold.judgements if each[0] == key("a")])
    assert ABSTAIN not in [preference for *_, preference in update.gold.judgements]
    assert update.observations[key("b")].character[INVERSE] > 2 * FRESH[INVERSE] / sum(FRESH)


def test_whoever_contradicted_itself_has_no_part_in_the_round_but_that() -> None:
    round_ = told({"a": "A", "b": "A", "c": "A", "d": "A", "e": "A"}, removed="e")
    for right in ("A", None):
        observation = round_.update(right).observations[key("e")]
        assert observation.equivocated
        assert observation.character is None
        assert not observation.right
    gold = round_.update("A").gold
    assert gold is not None
    assert key("e") not in gold.authors
    assert key("e") not in [judge for judge, *_ in gold.judgements]
    assert learned(round_.update("A")).standings[key("e")].equivocations == 1


def test_a_round_without_answers_teaches_nothing() -> None:
    record = Hand().to_opening().record
    known = learned(round_update(record, rank(record)), round_update(record, rank(record), {}))
    assert (known.rounds, dict(known.standings), known.gold) == (0, {}, ())


def test_a_judge_that_our_query_turned_round_is_known_as_it_spoke() -> None:
    """Else the turned preferences of a liar would soon make an honest judge of it, and it would not be turned again."""
    unknown = dict.fromkeys(("honest", "inverse", "coin", "partisan"), ONE)
    for weight in (ONE, -ONE):
        round_ = told(ANSWERS, inverse_of("f"), seats={"f": {"judge_weight": weight, **unknown}})
        character = round_.update("A").observations[key("f")].character
        assert character[INVERSE] > 2 * character[HONEST]


def test_a_gold_round_is_kept_as_it_was() -> None:
    round_ = told({"a": "A", "b": "B", "c": "A", "d": "C"}, seats={"b": {"vote_weight": 3}})
    gold = round_.update("A").gold
    assert gold is not None
    authors = [message.author for message in round_.record.answers]
    assert gold.authors == tuple(authors)
    assert gold.votes == tuple(3 if author == key("b") else ONE for author in authors)
    assert gold.right == tuple(author in (key("a"), key("c")) for author in authors)
    assert gold.clusters[authors.index(key("a"))] == gold.clusters[authors.index(key("c"))]
    assert len(set(gold.clusters)) == 3
    assert {judge for judge, *_ in gold.judgements} == set(map(key, "abcd"))
    assert (gold.query, gold.task, gold.p_best) == (round_.record.id, CODE, round_.ranking.p_best)
    assert gold.correct == (round_.ranking.ranked[0].author in (key("a"), key("c")))
    assert len(gold.scores) == len(model_choices(CODE))


# -- findings --------------------------------------------------------------------------------------------------------

TESTED = {"a": "A", "b": "B", "c": "A", "d": "C", "e": "A", "f": "D", "g": "A"}
"""D does not compile."""


def finds(_tester: str, letter: str) -> Findings:
    """Everybody's machine says so; each letter behaves in its own way, and C is warned about."""
    if letter == "D":
        return found(status=CompileStatus.FAILS, error=308)
    return found(behaviour=letter, lints=bytes((2 * (letter == "C"), 0, 0, 0, 0, 0)), tests=(1, 0, 0))


def test_a_gold_round_keeps_what_findings_said_of_each_answer_that_can_win() -> None:
    round_ = told(TESTED, finds=finds)
    gold = round_.update("A").gold
    assert gold is not None
    assert key("f") not in gold.authors and len(gold.authors) == len(gold.right) == len(gold.features) == 6
    said = dict(zip(gold.authors, gold.features, strict=True))
    assert said[key("d")] == FindingFeatures(agreeing=0, compiles=True, checks=1, warnings=2)
    assert said[key("a")] == FindingFeatures(agreeing=0, compiles=True, checks=1, warnings=0)
    assert gold.score == score_of(plan(), said[key("a")]) == 3 * ONE
    assert gold.correct


def test_an_untested_round_has_no_features() -> None:
    gold = told(TESTED).update("A").gold
    assert gold is not None
    assert (gold.features, gold.score) == ((), 0)


def test_whose_answer_is_set_aside_is_known_by_it() -> None:
    """With gold by the truth, which may differ; without it as one that gave nothing that could win."""
    round_ = told(TESTED, finds=finds)
    assert round_.update("A").observations[key("f")].right is False
    assert round_.update("AD").observations[key("f")].right is True
    assert round_.update().observations[key("f")].agreed == -1.0
    assert round_.update().observations[key("a")].agreed > 0.0


def test_refuted_reports_count_against_their_author_only() -> None:
    """Here `g` says of what it tests that it does not compile; nobody else's record changes, and nobody equivocated."""

    def lies(tester: str, letter: str) -> Findings:
        return found(status=CompileStatus.FAILS) if tester == "g" and letter != "D" else finds(tester, letter)

    honest_, false = (told(TESTED, finds=each).update("A").observations for each in (finds, lies))
    assert false[key("g")].refuted > 0
    assert not any(each.refuted or each.equivocated for name, each in false.items() if name != key("g"))
    assert all(each.confirmed for name, each in honest_.items())
    assert not any(each.refuted for each in honest_.values())
    known = learned(told(TESTED, finds=lies).update("A"), times=4)
    assert known.standings[key("g")].is_refuted
    assert known.renewed()[CODE].refuted == {key("g")}


def test_a_machine_that_found_nothing_out_is_not_refuted() -> None:
    def unable(tester: str, letter: str) -> Findings:
        return found(status=CompileStatus.UNKNOWN) if tester == "g" else finds(tester, letter)

    observation = told(TESTED, finds=unable).update().observations[key("g")]
    assert (observation.confirmed, observation.refuted) == (0, 0)


def test_whoever_only_tests_is_met() -> None:
    answers = {**TESTED, "h": ""}
    round_ = told(answers, lambda judge, *_: ABSTAIN if judge == "h" else ONE, finds=finds)
    observation = round_.update("A").observations[key("h")]
    assert observation.confirmed and (observation.right, observation.character) == (None, None)


def test_findings_that_gold_contradicts_are_worth_less() -> None:
    """What fails the examples is right, as the votes say; what is no part of this keeps its strength."""
    answers = {"a": "A", "b": "B", "c": "A", "d": "A", "e": "A"}

    def fails(_tester: str, letter: str) -> Findings:
        return found(tests=(1, 0, 0)) if letter == "B" else found(examples=(0, 1, 0))

    update = told(answers, undecided, finds=fails).update("A")
    default = FindingStrengths()
    learned = in_force(update, times=20).strengths
    assert learned.tests < default.tests and replace(learned, tests=default.tests) == default
    assert in_force(told(ANSWERS).update("A")).strengths == default


# -- leaving out -----------------------------------------------------------------------------------------------------


def random_contest(rng: random.Random) -> tuple[list[Item], list[JudgePrior], list[JudgedComparison]]:
    """Seven who answer and judge, most of them honest, and one whose judgements weigh as much as theirs together."""
    items = [Item(rng.choice((0, 1, 2)) if index > 2 else index, ONE) for index in range(7)]
    judge_priors = [JudgePrior(5 * ONE if index == 0 else ONE, index) for index in range(7)]
    told = [
        JudgedComparison(
            judge, *pair, ONE if (items[pair[0]].cluster < items[pair[1]].cluster) == (rng.random() < 0.8) else 0
        )
        for judge in range(7)
        for pair in [rng.sample(range(7), 2) for _ in range(4)]
        if items[pair[0]].cluster != items[pair[1]].cluster
    ]
    return items, judge_priors, told


def test_leaving_out_finds_who_wins_without_the_judge() -> None:
    """Against a fit of its own without the judgements and the vote, wherever that one is clear."""
    rng, clear, other, rounds = random.Random(7), 0, 0, cases(40, soak=120)
    for _ in range(rounds):
        items, judge_priors, told = random_contest(rng)
        fitted = judges.posterior(items, judge_priors, told, PriorParameters())
        without = judges.leaving_out(items, judge_priors, told, PriorParameters(), fitted)
        for number, strengths in enumerate(without):
            silent = [replace(item, vote_weight=0) if index == number else item for index, item in enumerate(items)]
            rest = [each for each in told if each.judge != number]
            expected = judges.posterior(silent, judge_priors, rest, PriorParameters()).cluster_strengths()
            first, second = np.sort(expected)[:-3:-1]
            if first - second > 0.5:
                clear += 1
                assert np.argmax(strengths) == np.argmax(expected)
                other += int(np.argmax(expected) != np.argmax(fitted.cluster_strengths()))
    assert clear > 2.5 * rounds
    assert other > rounds / 24, "that leaving out changes who wins is what this is about"


# -- characters ------------------------------------------------------------------------------------------------------

ITEMS = [Item(0), Item(0), Item(1), Item(2)]
RIGHT = [True, True, False, False]
PAIRS = [(first, second) for first in range(4) for second in range(4) if first != second]


@pytest.mark.parametrize(
    ("character", "says"),
    [
        ("honest", lambda first, second, _: RIGHT[first] > RIGHT[second]),
        ("inverse", lambda first, second, _: RIGHT[first] < RIGHT[second]),
        ("coin", lambda _first, _second, number: number % 2 == 0),
        ("partisan", lambda first, second, _: first == 3 or (second != 3 and RIGHT[first] > RIGHT[second])),
    ],
)
def test_gold_tells_a_judges_character(character: str, says: Callable[[int, int, int], bool]) -> None:
    """Of a judge whose own answer, the last, is wrong."""
    told = [
        JudgedComparison(0, first, second, ONE if says(first, second, number) else 0)
        for number, (first, second) in enumerate(PAIRS * 2)
        if RIGHT[first] != RIGHT[second] or 3 in (first, second)
    ]
    theta = TRUE_APART * np.array(RIGHT, dtype=np.float64)
    (shares,) = judges.characters(ITEMS, [JudgePrior(answer=3)], told, theta)
    names = ("honest", "inverse", "coin", "partisan")
    assert names[int(np.argmax(shares))] == character
    assert sum(shares) == pytest.approx(ONE, abs=4)


def test_a_judges_character_is_its_own_whatever_its_camp_does() -> None:
    """On gold nobody answers for those who gave the same answer."""
    liars = [JudgedComparison(judge, 0, 2, 0) for judge in (1, 2, 3) for _ in range(6)]
    told = [JudgedComparison(0, 0, 2, ONE)]
    theta = TRUE_APART * np.array(RIGHT, dtype=np.float64)
    judge_priors = [JudgePrior(answer=2)] * 4
    alone, among_liars = (judges.characters(ITEMS, judge_priors, said, theta)[0] for said in (told, [*told, *liars]))
    assert alone.tolist() == among_liars.tolist()


# -- what is in force ------------------------------------------------------------------------------------------------

ANSWERS = {"a": "A", "b": "B", "c": "A", "d": "C", "e": "A", "f": "B", "g": "A"}


def in_force(*updates: RoundUpdate, times: int = 10, task: TaskType = CODE) -> QueryPriors:
    """What these teach."""
    return learned(*updates, times=times).renewed()[task]


def test_nothing_is_in_force_until_weights_are_renewed() -> None:
    known, update = Experience(), told(ANSWERS).update("A")
    for number in range(1, 3 * RENEWAL_ROUNDS + 1):
        before = known.query_priors(CODE)
        known.learn(update)
        assert known.query_priors(CODE) == before, "learning alone changes nothing that a query says"
        assert known.is_due == (number in (20, 40, 60))
    assert known.query_priors(CODE) == QueryPriors({}, MODELS[CODE])
    assert not Experience().is_due
    known.renew(known.renewed())
    assert known.query_priors(CODE).gold == 60
    assert known.query_priors(CODE).merits.keys() == set(map(key, ANSWERS))


def test_weights_come_in_coarse_levels() -> None:
    merits = in_force(told(ANSWERS).update("A"), told(ANSWERS, inverse_of("b", "c")).update("AC"), times=3).merits
    weights = [
        weight
        for seat_weights in merits.values()
        for weight in (seat_weights.vote, seat_weights.judge, seat_weights.author)
    ]
    assert len(set(weights)) > 3
    assert all(weight % LEVEL == 0 for weight in weights)


def test_who_was_right_has_the_votes() -> None:
    merits = in_force(told(ANSWERS).update("A")).merits
    assert all(merits[key(name)].vote >= ONE for name in "aceg")
    assert all(merits[key(name)].vote == VOTE_MIN * ONE for name in "bdf"), "they judge honestly"


def test_who_was_right_where_nothing_else_told_has_an_authors_record() -> None:
    """Nobody saw a difference, and everybody said something else."""
    merits = in_force(told({"a": "A", "b": "B", "c": "C", "d": "D", "e": "E"}, undecided).update("A")).merits
    assert merits[key("a")].author > ONE
    assert all(merits[key(name)].author < 0 for name in "bcde")


@pytest.mark.parametrize("default", [0, ONE])
def test_without_gold_everybody_is_a_stranger(default: int) -> None:
    """However often one agrees: only gold lifts a weight, and in an open network a stranger has none."""
    query_priors = in_force(told(ANSWERS).update(), times=40)
    assert query_priors == QueryPriors({}, MODELS[CODE])
    trust = Trust(default, {}, query_priors.merits)
    assert trust.seat_weights(key("a")) == SeatWeights(default, default, 0, FRESH)


@pytest.mark.parametrize("right", ["A", None])
def test_whoever_contradicted_itself_has_no_weight(right: str | None) -> None:
    """Also where it was never tested and a stranger would have some."""
    trust = Trust(ONE, {}, in_force(told(ANSWERS, removed="a").update(right), times=1).merits)
    seat_weights = trust.seat_weights(key("a"))
    assert (seat_weights.vote, seat_weights.judge, seat_weights.author) == (0, 0, 0)
    assert trust.weight(key("c")) > 0


def test_an_inverse_judge_is_turned_round_or_not_heard() -> None:
    known = learned(told(ANSWERS, inverse_of("g"), waves=(4,), nonce=b"m" * 32).update("A"), times=20)
    seat_weights = known.renewed()[CODE].merits[key("g")]
    assert known.standings[key("g")].judged[INVERSE] > known.standings[key("g")].judged[HONEST]
    assert seat_weights.judge <= 0
    assert seat_weights.counts[INVERSE] > seat_weights.counts[HONEST], "as it speaks: the seat turns it"
    others = known.renewed()[CODE].merits
    assert all(others[key(name)].judge > 0 for name in "abcdef")


def test_where_judging_is_useless_votes_weigh_more_and_judgements_less() -> None:
    """The majority is right, and judges prefer what is wrong as often as not; and where it is the other way round."""
    answers = {"a": "B", "b": "B", "c": "B", "d": "A", "e": "B", "f": "C", "g": "D"}
    blind = told(answers, inverse_of(*"defg"))
    useless = in_force(blind.update("B"), times=20).model
    default = MODELS[CODE]
    assert useless.beta > default.beta or useless.tau_u < default.tau_u
    assert useless.beta >= default.beta and useless.tau_u <= default.tau_u
    good = in_force(told(answers).update("A"), times=20).model
    assert good.beta <= default.beta and good.tau_u >= default.tau_u
    assert (good.beta, good.tau_u) != (useless.beta, useless.tau_u)


def test_little_gold_changes_no_model() -> None:
    assert in_force(told(ANSWERS).update("A"), times=1).model == MODELS[CODE]


def test_gold_of_one_task_says_nothing_of_the_model_of_another() -> None:
    renewed = learned(told(ANSWERS, inverse_of(*"abcdefg")).update("A"), times=20).renewed()
    assert renewed[CODE].gold == 20
    assert renewed[CODE].calibration != UNCALIBRATED
    open_ended = renewed[TaskType.OPEN]
    assert (open_ended.gold, open_ended.model, open_ended.calibration) == (0, MODELS[TaskType.OPEN], UNCALIBRATED)
    assert open_ended.merits[key("a")].vote == renewed[CODE].merits[key("a")].vote, "a record is one for all tasks"


def test_certainty_is_calibrated_by_how_often_it_was_right() -> None:
    round_ = told({"a": "A", "b": "A", "c": "A", "d": "A", "e": "B"})
    assert round_.ranking.p_best > 0.9 * ONE
    odds = 3.0

    def told_of(query_priors: QueryPriors) -> float:
        intercept, slope, _ = query_priors.calibration
        return float(1.0 / (1.0 + np.exp(-(intercept + slope * odds) / ONE)))

    assert told_of(in_force(round_.update("A"), times=20)) > 0.9
    assert told_of(in_force(round_.update("B"), times=20)) < 0.15
    mixed = in_force(round_.update("A"), round_.update("B"), times=20)
    assert told_of(mixed) == pytest.approx(0.5, abs=0.1)


def test_a_persistent_minority_that_votes_alike_ends_up_with_next_to_no_vote() -> None:
    """Whatever pairs are drawn; with most draws one of the two has none."""
    answers = {"a": "A", "b": "A", "c": "B", "d": "C", "e": "A", "f": "Z", "g": "Z"}

    def says(judge: str, first: str, second: str) -> int:
        return ONE * (first == "Z") if judge in "fg" and "Z" in (first, second) else honest(judge, first, second)

    for nonce in (b"e" * 32, b"m" * 32, b"n" * 32):
        merits = in_force(told(answers, says, nonce=nonce).update("A"), times=6).merits
        assert all(merits[key(name)].vote <= VOTE_MIN * ONE for name in "fg")
        assert all(merits[key(name)].vote >= ONE for name in "abe")


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_no_judge_may_decide_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experience, "JUDGE_MAX", LEVEL)
    merits = in_force(told(ANSWERS, inverse_of("g")).update("A"), times=20).merits
    assert {abs(seat_weights.judge) for seat_weights in merits.values()} <= {LEVEL, 0}
    assert merits[key("a")].judge == LEVEL


def test_gold_kept_is_bounded_and_the_newest() -> None:
    old, new = told(ANSWERS).update("A"), told(ANSWERS, nonce=b"m" * 32).update("A")
    known = learned(old, times=GOLD_KEPT + 3)
    assert len(known.gold) == GOLD_KEPT
    known.learn(new)
    assert known.gold == (old.gold,) * (GOLD_KEPT - 1) + (new.gold,)
    assert known.rounds == GOLD_KEPT + 4


def test_who_was_not_met_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experience, "STANDINGS_MAX", 5)
    known = learned(told(dict.fromkeys("abcd", "A")).update("A"))
    known.learn(told(dict.fromkeys("ae", "A")).update("A"))
    known.learn(told(dict.fromkeys("af", "A")).update("A"))
    assert len(known.standings) == 5
    assert key("a") in known.standings and known.standings[key("a")].rounds == 3
    assert list(known.standings)[-2:] == [each for each in known.standings if each in (key("a"), key("f"))]
    assert {key("e"), key("f")} <= known.standings.keys()


def test_taking_over_does_not_overwrite_what_we_saw_ourselves() -> None:
    known = learned(told(dict.fromkeys("abc", "A")).update("A"))
    own, theirs = known.standings[key("a")], NodeStats(gold_rounds=9, answers=Score(0.0, 60.0))
    assert known.take_over([(key("a"), theirs), (key("z"), theirs)]) == [key("z")]
    assert (known.standings[key("a")], known.standings[key("z")]) == (own, theirs)
    assert known.renewed()[CODE].merits[key("z")].vote == 0
    assert known.rounds == 1


def test_taking_over_stops_where_it_would_push_out_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experience, "STANDINGS_MAX", 4)
    known = learned(told(dict.fromkeys("abc", "A")).update("A"))
    assert known.take_over([(key(name), NodeStats(rounds=1)) for name in "xyz"]) == [key("x")]
    assert len(known.standings) == 4
    known.learn(told(dict.fromkeys("abd", "A")).update("A"))
    assert key("x") not in known.standings, "hearsay goes first"
    assert known.standings.keys() == set(map(key, "abcd"))


def test_what_gold_may_choose_a_query_may_say() -> None:
    for task in TaskType:
        choices = model_choices(task)
        assert MODELS[task] in choices
        for model in choices:
            assert 0 <= round(model.beta * ONE) <= BETA_MAX
            assert TAU_MIN <= round(model.tau_u * ONE) <= TAU_MAX


evidence = st.floats(0.0, 1e6)
scores = st.builds(Score, evidence, evidence)
standings = st.builds(
    NodeStats,
    st.integers(0, 1 << 32),
    st.integers(0, 1 << 32),
    scores,
    scores,
    *[st.tuples(*[evidence] * 4)] * 2,
    st.integers(0, 1),
)


@given(imported=st.lists(standings, min_size=3, max_size=3), default=st.integers(0, ONE))
@settings(max_examples=cases(20, fast=10, soak=200))
def test_any_standing_makes_a_query_that_others_take(imported: list[NodeStats], default: int) -> None:
    """Within the protocol's limits to the last field, whatever a file of somebody else's says."""
    known = learned(told({"a": "A", "b": "B", "c": "A"}, inverse_of("c")).update("A"), times=3)
    known.take_over(zip(map(key, "xyz"), imported, strict=True))
    query_priors = known.renewed()[CODE]
    draw = Draw(key("a"), bytes(32), frozenset(map(key, "abcxyz")))
    roster = choose_roster(map(offer, "abcxyz"), "rust", Trust(default, {key("b"): ONE}, query_priors.merits), 8, draw)
    message = Hand("abc", roster=roster, beta=round(query_priors.model.beta * ONE)).query
    opened = open_envelope(message.envelope, Hand().params.digest)
    assert isinstance(opened, VerifiedMessage), opened
    assert isinstance(open_record(Hand().params, opened), RoundRecord)
    assert isinstance(opened.body, Query)
    for seat_weights in query_priors.merits.values():
        assert abs(seat_weights.judge) <= JUDGE_MAX


def offer(name: str) -> Offer:
    """A member's that would do everything."""
    return Offer(
        author=key(name),
        sequence=1,
        sent_at_ms=1,
        roles=Role.ANSWER | Role.JUDGE,
        specialties=("rust",),
        model="m",
        context_tokens=1,
        milli_tokens_per_second=1,
        queue=0,
        tool_versions="",
        addresses=(),
    )
