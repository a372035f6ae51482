import random
from collections import Counter
from hashlib import blake2b, sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consensus.ranking.pairing import assign_pairs

BEACON = bytes(range(32))

Assignment = dict[bytes, tuple[tuple[int, int], ...]]


def keys(count: int, group: str = "member") -> list[bytes]:
    return [sha256(f"{group} {index}".encode()).digest() for index in range(count)]


def assign(judges: list[bytes], authors: list[bytes], clusters: list[int], pairs_per_judge: int, **other) -> Assignment:
    settled = {"beacon": BEACON, "wave": 0, "judged": {}} | other
    return assign_pairs(judges=judges, authors=authors, clusters=clusters, pairs_per_judge=pairs_per_judge, **settled)


def unordered(pairs: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    return [(min(pair), max(pair)) for pair in pairs]


def pair_uses(assignment: Assignment) -> Counter[tuple[int, int]]:
    return Counter(pair for pairs in assignment.values() for pair in unordered(pairs))


def answer_uses(assignment: Assignment) -> Counter[int]:
    return Counter(answer for pairs in assignment.values() for pair in pairs for answer in pair)


@st.composite
def rounds(draw: st.DrawFn) -> dict:
    """Members that answer, judge or both; any clusters; any history."""
    members = keys(draw(st.integers(0, 9)))
    judges = draw(st.lists(st.sampled_from(members), unique=True)) if members else []
    authors = draw(st.lists(st.sampled_from(members), unique=True)) if members else []
    clusters = [draw(st.integers(0, 3)) for _ in authors]
    pairs = [(i, j) for j in range(len(authors)) for i in range(j)]
    earlier = st.lists(st.sampled_from(pairs), unique=True, max_size=4) if pairs else st.just([])
    duels = st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(lambda duel: duel[0] != duel[1])
    return {
        "judges": judges,
        "authors": authors,
        "clusters": clusters,
        "pairs_per_judge": draw(st.integers(0, 6)),
        "judged": {judge: draw(earlier) for judge in judges[:4]},
        "duels": tuple(draw(st.lists(duels, max_size=3))),
        "removed": frozenset(draw(st.lists(st.sampled_from(members), max_size=2))) if members else frozenset(),
        "beacon": draw(st.binary(min_size=32, max_size=32)),
        "wave": draw(st.integers(0, 7)),
    }


def eligible(drawn: dict, judge: bytes) -> set[tuple[int, int]]:
    others = [index for index, author in enumerate(drawn["authors"]) if author not in {judge, *drawn["removed"]}]
    return {(i, j) for j in others for i in others if i < j} - set(drawn["judged"].get(judge, ()))


@given(rounds())
def test_each_judge_gets_its_number_of_eligible_pairs_without_repetition(drawn: dict):
    assignment = assign_pairs(**drawn)
    assert list(assignment) == sorted(set(drawn["judges"]) - drawn["removed"])
    for judge, pairs in assignment.items():
        allowed = eligible(drawn, judge)
        assert set(unordered(pairs)) <= allowed, "own answer, unknown index or a pair of an earlier wave"
        assert len(set(unordered(pairs))) == len(pairs) == min(drawn["pairs_per_judge"], len(allowed))


def plainly(drawn: dict) -> Assignment:
    """The module's text, word by word: what the arrays of `assign_pairs` must not change."""
    authors, clusters, removed = drawn["authors"], drawn["clusters"], drawn["removed"]
    judges = sorted(set(drawn["judges"]) - removed)
    seed = blake2b(b"strand/pairs/1" + drawn["beacon"] + drawn["wave"].to_bytes(4, "big"), digest_size=32).digest()
    pairs = [(i, j) for i in range(len(authors)) for j in range(i + 1, len(authors))]
    uses = Counter(pair for key, judged in drawn["judged"].items() for pair in judged if key not in removed)
    duels = drawn["duels"]

    def digest(person: bytes, judge: bytes, number: int) -> bytes:
        return blake2b(judge + number.to_bytes(4, "big"), key=seed, person=person).digest()

    def lot(judge: bytes, pair: tuple[int, int]) -> int:
        number = pairs.index(pair)
        return int.from_bytes(digest(b"lots", judge, number // 16)[4 * (number % 16) :][:4], "big")

    def seen(answer: int) -> int:
        return sum(count for pair, count in uses.items() if answer in pair)

    assigned: dict[bytes, list[tuple[int, int]]] = {judge: [] for judge in judges}
    for turn in range(drawn["pairs_per_judge"]):
        for judge in sorted(judges, key=lambda key: digest(b"order", key, turn)):
            lot_of_duel = int.from_bytes(digest(b"order", judge, turn)[:8], "big")
            duel = set(duels[lot_of_duel % len(duels)]) if duels else set()
            left = [
                pair
                for pair in pairs
                if not {judge, *removed} & {authors[pair[0]], authors[pair[1]]}
                and pair not in unordered(tuple(assigned[judge]))
                and pair not in drawn["judged"].get(judge, ())
            ]
            if left:
                one, other = chosen = min(
                    left,
                    key=lambda pair: (
                        {clusters[pair[0]], clusters[pair[1]]} != duel,
                        clusters[pair[0]] == clusters[pair[1]],
                        uses[pair],
                        seen(pair[0]) + seen(pair[1]),
                        lot(judge, pair),
                    ),
                )
                uses[chosen] += 1
                assigned[judge].append(chosen if lot(judge, chosen) & 1 else (other, one))
    return {judge: tuple(chosen) for judge, chosen in assigned.items()}


@given(rounds())
def test_the_choice_is_that_of_the_plain_text(drawn: dict):
    assert assign_pairs(**drawn) == plainly(drawn)


@given(rounds())
def test_within_a_cluster_only_when_nothing_across_is_left(drawn: dict):
    clusters = drawn["clusters"]
    for judge, pairs in assign_pairs(**drawn).items():
        across = {(i, j) for i, j in eligible(drawn, judge) if clusters[i] != clusters[j]}
        if any(clusters[i] == clusters[j] for i, j in pairs):
            assert across <= set(unordered(pairs))


@given(rounds(), st.randoms(use_true_random=False))
def test_order_and_orientation_of_the_inputs_are_irrelevant(drawn: dict, rng: random.Random):
    judged = {judge: [(j, i) for i, j in rng.sample(pairs, len(pairs))] for judge, pairs in drawn["judged"].items()}
    shuffled = drawn | {
        "judges": rng.sample(drawn["judges"], len(drawn["judges"])),
        "judged": dict(rng.sample(sorted(judged.items()), len(judged))),
        "duels": tuple((other, one) for one, other in drawn["duels"]),
    }
    assert list(assign_pairs(**shuffled).items()) == list(assign_pairs(**drawn).items())


@given(rounds())
def test_one_judge_takes_the_least_used_pairs(drawn: dict):
    judge = keys(1, "outsider")
    drawn |= {"judged": {key: pairs for key, pairs in drawn["judged"].items() if key not in drawn["removed"]}}
    clusters, used = drawn["clusters"], Counter(pair for pairs in drawn["judged"].values() for pair in pairs)
    chosen = set(unordered(assign_pairs(**(drawn | {"judges": judge, "duels": ()}))[judge[0]]))
    for within in (False, True):
        kind = {pair for pair in eligible(drawn, judge[0]) if (clusters[pair[0]] == clusters[pair[1]]) == within}
        most_used = max((used[pair] for pair in chosen & kind), default=0)
        assert all(used[pair] >= most_used for pair in kind - chosen)


@settings(max_examples=40)
@given(st.integers(4, 16), st.integers(1, 5), st.integers(1, 4), st.binary(min_size=32, max_size=32))
def test_judges_see_different_pairs(count: int, pairs_per_judge: int, waves: int, beacon: bytes):
    """Peers judging peers: over all waves, no pair is judged more than two times more than another."""
    members = keys(count)
    used: Counter[tuple[int, int]] = Counter()
    judged: dict[bytes, list[tuple[int, int]]] = {member: [] for member in members}
    for wave in range(waves):
        settled = {"wave": wave, "judged": judged, "beacon": beacon}
        assignment = assign(members, members, list(range(count)), pairs_per_judge, **settled)
        used.update(pair_uses(assignment))
        for member, pairs in assignment.items():
            judged[member] += pairs
    values = [used[i, j] for j in range(count) for i in range(j)]
    # Two and not one, because the last judges of a turn may be the authors of what is left.
    assert max(values) - min(values) <= 2


@pytest.mark.parametrize(("count", "pairs_per_judge"), [(7, 3), (12, 2), (35, 1), (35, 3), (64, 16)])
def test_every_answer_is_seen_as_often_as_any_other(count: int, pairs_per_judge: int):
    members = keys(count)
    for beacon in keys(5, "beacon"):
        uses = answer_uses(assign(members, members, list(range(count)), pairs_per_judge, beacon=beacon))
        assert sum(uses.values()) == 2 * count * pairs_per_judge
        assert set(uses) == set(range(count))
        assert max(uses.values()) - min(uses.values()) <= 2


def test_after_the_first_wave_judges_compare_what_is_in_doubt():
    members = keys(30)
    clusters = [index % 5 for index in range(30)]
    duels = ((1, 3),) * 9 + ((3, 0),)
    assignment = assign(members, members, clusters, 2, wave=1, duels=duels)
    met = Counter(frozenset((clusters[i], clusters[j])) for pairs in assignment.values() for i, j in pairs)
    assert set(met) == {frozenset((1, 3)), frozenset((3, 0))}
    assert met[frozenset((1, 3))] > met[frozenset((3, 0))] > 0


def test_another_beacon_or_wave_gives_another_assignment():
    members = keys(12)
    variants = [
        assign(members, members, list(range(12)), 3),
        assign(members, members, list(range(12)), 3, wave=1),
        assign(members, members, list(range(12)), 3, beacon=bytes(32)),
    ]
    assert len({repr(variant) for variant in variants}) == 3


def test_position_is_a_fair_coin():
    members = keys(40)
    assignment = assign(members, members, list(range(40)), 16)
    orders = [first < second for pairs in assignment.values() for first, second in pairs]
    # Four standard errors.
    assert abs(sum(orders) - len(orders) / 2) < 4 * 0.5 * len(orders) ** 0.5
    for pairs in assignment.values():
        assert len({first < second for first, second in pairs}) == 2, "each judge sees both orders"


def test_with_one_answer_or_none_nobody_judges():
    judges = keys(3)
    nothing: Assignment = dict.fromkeys(sorted(judges), ())
    assert assign(judges, judges[:1], [0], 3) == nothing
    assert assign(judges, [], [], 3) == nothing
    assert assign([], judges, [0, 1, 2], 3) == {}


def test_an_author_with_two_answers_judges_neither():
    one, other = keys(2)
    assert assign([one], [one, other, one, other], [0, 1, 2, 3], 5)[one] in (((1, 3),), ((3, 1),))


def test_each_answer_has_one_cluster():
    with pytest.raises(ValueError, match="2 authors but 1 clusters"):
        assign(keys(2), keys(2), [0], 1)
