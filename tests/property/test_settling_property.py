"""What reports settle, who tests what, and which answers behave alike: against plain restatements of R17 and R18."""

from collections import Counter
from dataclasses import replace
from itertools import combinations
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from consensus.ranking.behaviour import AGREEING_MAX, agreement, behaviour_clusters
from consensus.ranking.finding_score import WARNINGS_MAX, FindingFeatures, features_of, score_of
from consensus.ranking.settling import (
    INFORMATIVE_MIN,
    SETTLING_MIN,
    UNTESTED,
    SettledFindings,
    contradicts,
    is_informative,
    outcomes_of,
    settle,
)
from consensus.ranking.testers import assign_testers
from protocol.limits import FURTHER_TESTERS, LINT_CLASSES, OUTCOME_BYTES, SOURCE_BYTES, TESTERS, WEIGHT_MAX
from protocol.messages import Findings, FindingsPlan
from protocol.types import CompileStatus, Key
from tests.support.findings import found, outcomes, plan

NOTHING = bytes(OUTCOME_BYTES)

statuses = st.sampled_from(list(CompileStatus))
digests = st.sampled_from([NOTHING, b"\1\1\1", b"\2\2\2"])
outcome_rows = st.sampled_from([0, 1, 3]).flatmap(
    lambda inputs: st.lists(digests, min_size=inputs, max_size=inputs).map(b"".join)
)
checks = st.sampled_from([(0, 0, 0), (2, 0, 0), (1, 1, 0), (0, 0, 2)])
reports = st.builds(
    found,
    source=st.sampled_from([b"", b"s" * SOURCE_BYTES, b"t" * SOURCE_BYTES]),
    status=statuses,
    error=st.sampled_from([0, 308]),
    lints=st.sampled_from([b"", bytes(LINT_CLASSES), bytes((1, 0, 0, 2, 0, 0))]),
    unsafe=st.integers(0, 1),
    panics=st.integers(0, 1),
    tests=checks,
    examples=checks,
    outcomes=outcome_rows,
)
report_lists = st.lists(reports, max_size=TESTERS + FURTHER_TESTERS)


# -- settling ------------------------------------------------------------------------------------------------------


def stated_by_enough(values: list[Any], nothing: Any) -> Any:
    """The value that at least three state, and more than two thirds of those that state any; else `nothing`."""
    stated = [value for value in values if value != nothing]
    for value in stated:
        if stated.count(value) >= SETTLING_MIN and stated.count(value) > 2 * len(stated) / 3:
            return value
    return nothing


@given(report_lists)
def test_each_value_is_settled_by_enough_testers_that_read_the_same_source(told: list[Findings]) -> None:
    settled = settle(told)
    source = stated_by_enough([each.source for each in told], b"")
    alike = [each for each in told if source and each.source == source]
    assert settled.reports == len(told)
    assert settled.status is stated_by_enough([each.status for each in alike], CompileStatus.UNKNOWN)
    assert settled.error == stated_by_enough([each.error for each in alike], 0)
    assert settled.lints == stated_by_enough([each.lints for each in alike], b"")
    assert settled.unsafe == stated_by_enough([each.unsafe for each in alike], None)
    assert settled.panics == stated_by_enough([each.panics for each in alike if each.outcomes], None)
    assert settled.tests == stated_by_enough([each.tests for each in alike], (0, 0, 0))
    assert settled.examples == stated_by_enough([each.examples for each in alike], (0, 0, 0))
    inputs = stated_by_enough([len(each.outcomes) // OUTCOME_BYTES for each in alike], 0)
    rows = [outcomes_of(each.outcomes) for each in alike if len(each.outcomes) == inputs * OUTCOME_BYTES]
    expected = [stated_by_enough([row[column] for row in rows], NOTHING) for column in range(inputs)]
    assert outcomes_of(settled.outcomes) == expected


@given(report_lists, st.randoms(use_true_random=False))
def test_the_order_of_reports_settles_nothing(told: list[Findings], rng: Any) -> None:
    mixed = list(told)
    rng.shuffle(mixed)
    assert settle(mixed) == settle(told)


FIELDS = ("status", "error", "lints", "tests", "examples")


@given(truth=reports, lies=st.lists(reports, max_size=4), more=st.integers(0, 3))
def test_a_third_of_liars_settles_nothing_false(truth: Findings, lies: list[Findings], more: int) -> None:
    """Honest testers found something out about each thing, all the same; liars are at most a third of all."""
    honest = replace(
        truth,
        source=b"s" * SOURCE_BYTES,
        status=CompileStatus.COMPILES,
        error=308,
        lints=bytes(LINT_CLASSES),
        tests=(2, 0, 0),
        examples=(1, 1, 0),
        outcomes=b"\1\1\1\2\2\2\1\1\1",
    )
    settled = settle([honest] * max(3 - len(lies), 2 * len(lies) + more) + lies)
    for name in FIELDS:
        assert getattr(settled, name) in (getattr(honest, name), getattr(UNTESTED, name))
    if settled.outcomes:
        pairs = zip(outcomes_of(settled.outcomes), outcomes_of(honest.outcomes), strict=True)
        assert all(one in (other, NOTHING) for one, other in pairs)
    assert not contradicts(honest, settled)


@given(report_lists)
def test_silence_contradicts_nothing_and_states_nothing(told: list[Findings]) -> None:
    silent = found(status=CompileStatus.UNKNOWN, source=b"", error=0, lints=b"")
    settled, with_silence = settle(told), settle([*told, silent])
    assert not contradicts(silent, settled)
    assert not contradicts(told[0] if told else silent, UNTESTED)
    assert replace(with_silence, reports=settled.reports, unsafe=None, open=settled.open) == replace(
        settled, unsafe=None
    )


@given(report_lists)
def test_nothing_that_is_unknown_is_a_behaviour(told: list[Findings]) -> None:
    behaviour = settle(told).behaviour
    assert not behaviour or NOTHING not in outcomes_of(behaviour)


@given(st.lists(st.integers(0, 3).map(lambda each: bytes([each]) * OUTCOME_BYTES), max_size=30))
def test_a_behaviour_tells_programs_apart(row: list[bytes]) -> None:
    """Eight inputs at least have another outcome than the most frequent one, and none is unknown."""
    most = max((row.count(each) for each in row), default=0)
    expected = bool(row) and NOTHING not in row and len(row) - most >= INFORMATIVE_MIN
    assert is_informative(b"".join(row)) == expected


# -- testers -------------------------------------------------------------------------------------------------------

keys = [Key(bytes([each]) * 32) for each in range(12)]


@st.composite
def assignments(draw: st.DrawFn) -> dict[str, Any]:
    testers = draw(st.lists(st.sampled_from(keys), unique=True, max_size=10))
    authors = draw(st.lists(st.sampled_from(keys), max_size=10))
    answers = sorted(draw(st.sets(st.integers(0, len(authors) - 1)))) if authors else []
    stage = draw(st.integers(0, 1))
    tested = {answer: frozenset(draw(st.sets(st.sampled_from(keys), max_size=3))) for answer in answers if stage}
    return {
        "beacon": draw(st.binary(min_size=32, max_size=32)),
        "stage": stage,
        "testers": testers,
        "authors": authors,
        "answers": answers,
        "tested": tested,
    }


@given(assignments(), st.randoms(use_true_random=False))
def test_testers_of_an_answer_are_others_with_the_least_work(given_: dict[str, Any], rng: Any) -> None:
    assigned = assign_testers(**given_)
    assert all(positions == tuple(sorted(set(positions))) != () for positions in assigned.values())
    assert assigned.keys() <= set(given_["testers"])
    work: Counter[Key] = Counter()
    for answer in given_["answers"]:
        chosen = {key for key, positions in assigned.items() if answer in positions}
        able = set(given_["testers"]) - {given_["authors"][answer]} - given_["tested"].get(answer, frozenset())
        assert chosen <= able
        assert len(chosen) == min(len(able), FURTHER_TESTERS if given_["stage"] else TESTERS)
        idle = able - chosen
        assert not idle or not chosen or max(work[key] for key in chosen) <= min(work[key] for key in idle)
        work.update(chosen)
    assert {answer for positions in assigned.values() for answer in positions} <= set(given_["answers"])
    mixed = list(given_["testers"])
    rng.shuffle(mixed)
    assert assign_testers(**{**given_, "testers": mixed}) == assigned


@given(st.integers(TESTERS + 1, len(keys)), st.binary(min_size=32, max_size=32))
def test_work_is_even_where_everybody_answers_and_tests(count: int, beacon: bytes) -> None:
    members = keys[:count]
    assigned = assign_testers(beacon=beacon, stage=0, testers=members, authors=members, answers=range(count), tested={})
    amounts = [len(assigned.get(key, ())) for key in members]
    assert sum(amounts) == TESTERS * count
    assert max(amounts) - min(amounts) <= 2


@given(assignments(), st.binary(min_size=32, max_size=32))
def test_another_beacon_changes_who_not_how_many(given_: dict[str, Any], beacon: bytes) -> None:
    counts = [
        Counter(answer for positions in assign_testers(**each).values() for answer in positions)
        for each in (given_, {**given_, "beacon": beacon})
    ]
    assert counts[0] == counts[1]


# -- behaviour -----------------------------------------------------------------------------------------------------

behaviours = st.sampled_from(["", "p", "q", "r"])


def settled(behaviour: str) -> SettledFindings:
    return SettledFindings(reports=3, status=CompileStatus.COMPILES, outcomes=outcomes(behaviour) if behaviour else b"")


slates = st.integers(1, 8).flatmap(
    lambda size: st.tuples(
        st.lists(st.integers(0, 3), min_size=size, max_size=size),
        st.lists(behaviours, min_size=size, max_size=size),
        st.lists(st.integers(0, 3), min_size=size, max_size=size),
    )
)
Slate = tuple[list[int], list[str], list[int]]


def clusters(slate: Slate) -> tuple[int, ...]:
    texts, behaving, votes = slate
    return behaviour_clusters(texts, [settled(each) for each in behaving], votes)


def same(slate: Slate, one: int, other: int) -> bool:
    names = clusters(slate)
    return names[one] == names[other]


@given(slates)
def test_clusters_are_a_partition_in_the_order_of_the_slate(slate: Slate) -> None:
    texts, behaving, votes = slate
    names = clusters(slate)
    assert len(names) == len(texts)
    assert list(dict.fromkeys(names)) == list(range(len(set(names)))), "numbered by first appearance"
    for one, other in combinations(range(len(texts)), 2):
        if behaving[one] and behaving[other]:
            assert (names[one] == names[other]) == (behaving[one] == behaving[other])
        elif texts[one] == texts[other]:
            weights = Counter[str]()
            for index, text in enumerate(texts):
                weights[behaving[index]] += votes[index] if text == texts[one] and behaving[index] else 0
            shown = [behaving[index] for index in (one, other) if behaving[index]]
            heaviest = max((weights[each] for each in weights if each), default=0)
            expected = not shown or weights[shown[0]] == heaviest
            assert names[one] != names[other] or expected, "it goes with the heaviest behaviour of its text"
            if not shown:
                assert names[one] == names[other]


@given(slates)
def test_without_behaviour_clusters_are_those_of_equal_text(slate: Slate) -> None:
    texts, _, votes = slate
    numbers: dict[int, int] = {}
    expected = tuple(numbers.setdefault(text, len(numbers)) for text in texts)
    assert clusters((texts, [""] * len(texts), votes)) == expected


@given(slates, st.data())
def test_nobody_separates_or_joins_others_by_what_it_writes(slate: Slate, data: st.DataObject) -> None:
    """Whatever one author writes, and however that behaves, two others that behave stay together, or apart."""
    texts, behaving, votes = slate
    author = data.draw(st.integers(0, len(texts) - 1))
    text, behaviour = data.draw(st.integers(0, 4)), data.draw(behaviours)
    changed = (
        [text if index == author else each for index, each in enumerate(texts)],
        [behaviour if index == author else each for index, each in enumerate(behaving)],
        votes,
    )
    for one, other in combinations(range(len(texts)), 2):
        alone = texts[one] not in (texts[author], text) and texts[other] not in (texts[author], text)
        if author not in (one, other) and ((behaving[one] and behaving[other]) or alone):
            assert same(slate, one, other) == same(changed, one, other)


# -- what they weigh -----------------------------------------------------------------------------------------------

members = st.lists(st.tuples(st.integers(0, 3), st.integers(0, WEIGHT_MAX), behaviours), max_size=8)
Members = list[tuple[int, int, str]]


def agreeing(of: Members) -> int:
    return agreement((text, weight, settled(behaviour)) for text, weight, behaviour in of)


@given(members, st.randoms(use_true_random=False))
def test_agreement_is_the_weight_of_independent_texts_beyond_the_first(of: Members, rng: Any) -> None:
    behaving = [each for each in of if each[2]]
    heaviest = [
        max(weight for other, weight, _ in behaving if other == text) for text in {each[0] for each in behaving}
    ]
    expected = sum(heaviest) - max(heaviest, default=0)
    assert agreeing(of) == min(expected, AGREEING_MAX)
    mixed = list(of)
    rng.shuffle(mixed)
    assert agreeing(mixed) == agreeing(of)


@given(members, st.integers(0, WEIGHT_MAX))
def test_copies_and_lighter_authors_add_no_agreement(of: Members, weight: int) -> None:
    behaving = [each for each in of if each[2]]
    assume(behaving)
    text, heaviest, behaviour = max(behaving, key=lambda each: each[1])
    assert agreeing([*of, (text, min(weight, heaviest), behaviour)]) == agreeing(of)
    assert agreeing([*of, (99, weight, behaviour)]) >= agreeing(of), "another text never lowers it"


strengths = st.integers(0, WEIGHT_MAX)
plans = st.builds(plan, agreement=strengths, compiles=strengths, tests=strengths, lint=strengths)
settled_findings = st.builds(
    SettledFindings,
    reports=st.just(3),
    status=statuses,
    lints=st.sampled_from([b"", bytes(LINT_CLASSES), b"\1\0\0\0\0\0", b"\xff" * LINT_CLASSES]),
    tests=checks,
    examples=checks,
)


@given(plans, settled_findings, st.integers(0, AGREEING_MAX))
def test_a_score_is_the_sum_of_what_the_plan_gives(weighs: FindingsPlan, said: SettledFindings, agrees: int) -> None:
    given_ = features_of(said, agrees)
    failed = said.tests[1] + said.examples[1] > 0
    passed = said.tests[0] + said.examples[0] > 0
    warned = min(sum(said.lints), WARNINGS_MAX)
    assert given_ == FindingFeatures(
        agrees, said.status is CompileStatus.COMPILES, passed * (not failed) - failed, warned
    )
    points = score_of(weighs, given_)
    exact = weighs.agreement * agrees / 2**16 + weighs.compiles * given_.compiles
    exact += weighs.tests * given_.checks - weighs.lint * warned / WARNINGS_MAX
    assert abs(points - exact) <= 2
    most = 2 * weighs.agreement + weighs.compiles + weighs.tests
    assert -weighs.tests - weighs.lint <= points <= most
    assert score_of(weighs, replace(given_, compiles=True)) >= points >= score_of(weighs, replace(given_, checks=-1))
    assert score_of(weighs, replace(given_, warnings=0)) >= points >= score_of(weighs, replace(given_, agreeing=0))
