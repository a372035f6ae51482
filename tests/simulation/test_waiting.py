"""R11 in whole worlds: what makes an asker wait, under the daemon's own budgets of 305 s in all."""

import tomllib
from importlib.resources import files
from typing import Any

import pytest

from consensus.certificates.record import bodies
from protocol.messages import Decline
from protocol.types import DeclineReason
from simnet.scenario import scenario_from
from tests.simulation.worlds import Watched, simulate

ANSWERED_MS_MAX = 30_000
"""ms: a tenth of the budgets, and twice what the slowest honest engine of these worlds takes."""


def world(nodes: int, **settings: Any) -> Watched:
    """A world of the shipped study with these settings instead of those that it varies."""
    study = tomllib.loads(files("configs").joinpath("scenarios/waiting.toml").read_text())
    del study["vary"]
    seen = simulate(scenario_from({**study, "nodes": nodes, "rounds": 3, **settings}))
    assert not seen.findings, seen.complaint
    return seen


def answered_in_time(seen: Watched) -> bool:
    """Every round has an answer long before its budgets are over."""
    return all(each.answered_ms is not None and each.answered_ms <= ANSWERED_MS_MAX for each in seen.run.rounds)


@pytest.mark.parametrize("trust", ["equal", "known", "one-heavy", "nobody"])
@pytest.mark.parametrize(("kind", "nodes"), [("silent-seat", 6), ("dead-seat", 6), ("dead-seat", 5)])
def test_two_seats_that_never_answer_cost_seconds_not_budgets(kind: str, nodes: int, trust: str) -> None:
    seen = world(nodes, byzantine={kind: 2 / nodes}, trust=trust)
    assert answered_in_time(seen), seen.complaint
    expected = "degraded" if trust == "nobody" else "decided"
    assert {each.outcome for each in seen.run.rounds} == {expected}


def test_nobody_waits_for_seats_that_decline() -> None:
    """Two of six decline everything: rounds are as fast as without them, and as certain, but not fully co-signed."""
    honest, seen = world(6), world(6, byzantine={"decliner": 2 / 6})
    assert {each.outcome for each in seen.run.rounds} == {"decided"}
    slowest = max(each.answered_ms or 0 for each in honest.run.rounds)
    assert all(each.answered_ms is not None and each.answered_ms <= 2 * slowest for each in seen.run.rounds)
    for verified in seen.certificates:
        assert not verified.full, "the base of `full` does not shrink"
        assert {each.reason for each in bodies(verified.record.declines, Decline)} == {DeclineReason.CAPACITY}


@pytest.mark.parametrize("trust", ["one-heavy", "nobody"])
def test_seven_honest_seats_are_all_waited_for(trust: str) -> None:
    """One heavy seat of seven, and seven without any weight: nobody's answer is given up for how weight is spread."""
    seen = world(7, trust=trust)
    assert answered_in_time(seen)
    assert all(each.answers >= 5 for each in seen.run.rounds)


def test_a_partition_just_before_the_query_is_noticed() -> None:
    """Two of six never get the query, and it is soon known that they do not answer."""
    seen = world(6, faults={"partitions": [{"from_ms": -500, "until_ms": 60_000, "share": 0.34}]})
    assert answered_in_time(seen)
    assert {each.outcome for each in seen.run.rounds} == {"decided"}


def test_a_short_partition_before_the_query_costs_no_member() -> None:
    """The query is repeated on direct streams: gossip alone would not bring it to those that missed it."""
    partition = {"from_ms": -500, "until_ms": 1_500, "share": 0.34}
    seen = world(6, faults={"partitions": [partition]}, gossip={"lazy_peers": 0, "degree": 2})
    assert answered_in_time(seen)
    assert all(each.answers == 6 for each in seen.run.rounds)


def test_a_crowd_on_one_host_gets_no_more_than_strangers_may_have() -> None:
    """Thirty-two fresh keys beside sixteen known nodes: the known are seated, strangers have a third."""
    seen = world(48, byzantine={"sybil-host": 2 / 3}, trust="known", round={"answer_ms": 20_000}, rounds=1)
    (verified,) = seen.certificates
    weights = [seat.vote_weight for seat in verified.record.seats.values()]
    assert (len(weights), sum(map(bool, weights))) == (24, 16)
    assert verified.ranking.outcome == "decided"
