"""An asker with a little gold learns whom to believe, and what judging is worth.

All of it is deterministic: a failure means that something changed, and prints the command that repeats the world.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from consensus.learning.experience import RENEWAL_ROUNDS, Experience
from protocol.types import ONE
from simnet.aggregate import decide, run_aggregate
from simnet.baselines import Verdicts, verdicts_of
from simnet.plan import Plan
from simnet.sim_learning import take_in, trust_of
from simnet.study import repeat_command
from tests.support.simulated import plan_of

COLLUDERS = {"nodes": 15, "rounds": 80, "seed": 2, "byzantine": {"collude-same-answer": 0.4}}
LEARNED = 40
"""questions after which an asker must have learned: two renewals."""


@dataclass(frozen=True, slots=True)
class Life:
    """What an asker lived through, question by question."""

    plan: Plan
    verdicts: list[Verdicts]
    votes: list[dict[int, int]]
    """By node, as the roster of each question said."""

    @property
    def repeat(self) -> str:
        return f"repeat: {repeat_command(self.plan.scenario)}"


def live(**settings: Any) -> Life:
    """A world of one shard, in which one honest node asks everything."""
    plan, experience = plan_of(**settings), Experience()
    life = Life(plan, [], [])
    for number in range(plan.scenario.rounds):
        asking = plan.asking(number)
        trust = trust_of(plan, experience, asking)
        life.votes.append({node: trust.weight(plan.key(node)) for node in range(plan.scenario.nodes)})
        record, ranking = decide(plan, asking, experience)
        life.verdicts.append(verdicts_of(plan, asking, record, ranking))
        take_in(plan, experience, asking, record, ranking)
    return life


def share(verdicts: Sequence[Verdicts], name: str = "swarm") -> float:
    return sum(getattr(each, name) for each in verdicts) / len(verdicts)


def test_with_gold_persistent_colluders_lose_their_votes_and_the_swarm_wins() -> None:
    with_gold, without = live(**COLLUDERS, reputation={"gold": 0.2}), live(**COLLUDERS)
    honest = set(with_gold.plan.honest)
    last = with_gold.votes[-1]
    assert {last[node] for node in last if node not in honest} == {0}, with_gold.repeat
    assert sum(last[node] for node in honest) > 0.6 * ONE * len(honest), with_gold.repeat
    learned, never = (share(life.verdicts[LEARNED:]) for life in (with_gold, without))
    # Over three seeds it is .3 to .35.
    assert learned >= never + 0.2, f"{never:.3f} -> {learned:.3f}; {with_gold.repeat}"


def test_votes_change_at_renewals_only() -> None:
    votes = live(**{**COLLUDERS, "rounds": 41}, reputation={"gold": 0.5}).votes
    changes = [number for number in range(1, len(votes)) if votes[number] != votes[number - 1]]
    assert changes == [RENEWAL_ROUNDS, 2 * RENEWAL_ROUNDS]


def test_where_judging_is_no_easier_than_answering_gold_tells_so() -> None:
    """Without gold the swarm loses to the majority there (test_accuracy_adversaries.py)."""
    life = live(preset="hard-to-judge", nodes=15, rounds=160, seed=4, reputation={"gold": 0.2})
    learned = life.verdicts[60:]
    # Standard error .05; over five seeds it is above the majority by .007 to .15.
    assert share(learned) >= share(learned, "majority"), life.repeat


def test_a_sleepers_vote_falls_when_it_wakes() -> None:
    """It is honest for the first ten questions, so that the first renewal still takes it for honest."""
    life = live(nodes=15, rounds=81, seed=1, byzantine={"sleeper": 0.27}, reputation={"gold": 0.4})
    honest = set(life.plan.honest)
    sleepers = set(life.votes[0]) - honest
    assert len(sleepers) == 4
    asleep, awake = (sum(life.votes[number][node] for node in sleepers) for number in (RENEWAL_ROUNDS, -1))
    assert asleep > 0, life.repeat
    assert awake == 0, life.repeat
    assert sum(life.votes[-1][node] for node in honest) > 0.6 * ONE * len(honest), life.repeat


def test_the_aggregate_layer_learns_as_this_test_does() -> None:
    """So that what is tested here is what `strand sim` reports."""
    settings = {**COLLUDERS, "rounds": 45, "reputation": {"gold": 0.2}}
    assert [each.verdicts for each in run_aggregate(plan_of(**settings)).rounds] == live(**settings).verdicts
