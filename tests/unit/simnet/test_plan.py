"""The cast and the programme of a world."""

from collections import Counter

import pytest

from protocol.types import ONE
from simnet.adversaries.behaviour import Behaviour
from simnet.plan import START_MS, Plan
from simnet.scenario import ScenarioError
from tests.support.simulated import plan_of


def cast(plan: Plan) -> dict[str, list[int]]:
    """The nodes of each kind."""
    kinds: dict[str, list[int]] = {}
    for each in plan.behaviours:
        kinds.setdefault(each.KIND, []).append(each.node)
    return kinds


def asked_by(plan: Plan, rounds: int) -> Counter[str]:
    """How many of the first queries each kind of node asks."""
    return Counter(plan.behaviours[plan.asking(number).requester].KIND for number in range(rounds))


def test_every_node_has_a_key_and_a_shard_of_its_own() -> None:
    plan = plan_of(nodes=23, shard_nodes=10)
    assert len({plan.key(node) for node in range(23)}) == 23
    assert [len(shard) for shard in plan.shards] == [8, 8, 7]
    assert sorted(node for shard in plan.shards for node in shard) == list(range(23))
    assert all(node in plan.shards[plan.shard_of(node)] for node in range(23))
    assert all(plan.number_of[plan.key(node)] == node for node in range(23))


def test_shards_take_turns_and_only_their_own_nodes_ask() -> None:
    plan = plan_of(nodes=30, shard_nodes=10, rounds=9)
    askings = [plan.asking(number) for number in range(9)]
    assert [asking.shard for asking in askings] == [0, 1, 2] * 3
    assert all(asking.requester in plan.shards[asking.shard] for asking in askings)
    at_ms = [asking.at_ms for asking in askings]
    interval_ms = plan.scenario.round.interval_ms
    assert at_ms == [at_ms[0]] * 3 + [at_ms[0] + interval_ms] * 3 + [at_ms[0] + 2 * interval_ms] * 3
    assert at_ms[0] > START_MS


def test_shares_are_of_nodes() -> None:
    plan = plan_of(nodes=20, byzantine={"lazy": 0.2, "inverse": 0.1})
    assert {kind: len(nodes) for kind, nodes in cast(plan).items()} == {"honest": 14, "lazy": 4, "inverse": 2}
    assert plan.honest == set(cast(plan)["honest"])
    lazy = plan.behaviours[cast(plan)["lazy"][0]]
    assert lazy.ring.members == tuple(cast(plan)["lazy"])
    assert lazy.ring.keys == tuple(plan.key(node) for node in cast(plan)["lazy"])


def test_a_larger_share_adds_to_the_nodes_of_a_smaller_one() -> None:
    few, many = (set(cast(plan_of(nodes=40, byzantine={"lazy": share}))["lazy"]) for share in (0.1, 0.3))
    assert few < many


def test_no_kind_has_the_name_of_a_typing_error() -> None:
    with pytest.raises(ScenarioError, match=r"'lasy'.*lazy"):
        plan_of(byzantine={"lasy": 0.1})


def test_only_honest_nodes_ask_where_nobody_misbehaves_as_a_requester() -> None:
    assert asked_by(plan_of(nodes=10, byzantine={"lazy": 0.8}), 50) == {"honest": 50}


def test_a_requesters_share_is_of_queries_with_one_such_node_in_each_shard() -> None:
    plan = plan_of(nodes=20, shard_nodes=10, byzantine={"censor": 0.4, "closing-equivocator": 0.2})
    assert {kind: len(nodes) for kind, nodes in cast(plan).items()} == {
        "honest": 16,
        "censor": 2,
        "closing-equivocator": 2,
    }
    asked = asked_by(plan, 1_000)
    assert 360 <= asked["censor"] <= 440
    assert 170 <= asked["closing-equivocator"] <= 230


def test_beacon_grinders_have_their_share_of_seats_and_of_queries() -> None:
    plan = plan_of(nodes=20, byzantine={"beacon-grinder": 0.3})
    assert len(cast(plan)["beacon-grinder"]) == 6
    assert 260 <= asked_by(plan, 1_000)["beacon-grinder"] <= 340


@pytest.mark.parametrize(("trust", "sybils", "others"), [("equal", ONE, ONE), ("known", 0, ONE)])
def test_newcomers_weigh_nothing_where_trust_is_known(trust: str, sybils: int, others: int) -> None:
    plan = plan_of(nodes=10, trust=trust, byzantine={"sybil": 0.3})
    weights = {node: plan.trust.weights.get(plan.key(node), plan.trust.default_weight) for node in range(10)}
    assert {weights[node] for node in cast(plan)["sybil"]} == {sybils}
    assert {weights[node] for node in cast(plan)[Behaviour.KIND]} == {others}


@pytest.mark.parametrize("other", [(1, 2, 0), (0, 3, 0), (0, 2, 1)])
def test_a_salt_is_of_one_round_of_one_node_in_one_life(other: tuple[int, int, int]) -> None:
    plan = plan_of()
    assert plan.salt(0, 2, 0) == plan_of().salt(0, 2) != plan.salt(*other)


def test_the_seed_alone_decides_who_is_who() -> None:
    plan, same, other = plan_of(nodes=10), plan_of(nodes=10, links={"loss": 0.5}), plan_of(nodes=10, seed=2)
    assert plan.key(0) == same.key(0) != other.key(0)
    assert plan.asking(0) == same.asking(0) != other.asking(0)
