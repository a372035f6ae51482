"""Learning of askers in both layers: which queries are gold, the truth of their answers, and when weights change."""

from collections.abc import Mapping
from dataclasses import replace

from consensus.certificates.record import RoundRecord, bodies
from consensus.certificates.tally import Ranking
from consensus.learning.experience import Experience, round_update
from consensus.learning.roster import Trust
from protocol.messages import Answer
from protocol.types import Digest
from simnet.baselines import right_answers
from simnet.chance import chance
from simnet.plan import Plan, PlannedQuery


def is_gold(plan: Plan, asking: PlannedQuery) -> bool:
    """Whether the asker, and nobody else, knows the truth of this query."""
    return chance(plan.scenario.seed, "gold", asking.number).random() < plan.scenario.reputation.gold


def trust_of(plan: Plan, experience: Experience, asking: PlannedQuery) -> Trust:
    """Return the asker's view when it draws this roster."""
    priors = experience.query_priors(asking.question.task)
    return replace(plan.trust, merits=priors.merits, refuted=priors.refuted)


def take_in(plan: Plan, experience: Experience, asking: PlannedQuery, record: RoundRecord, ranking: Ranking) -> None:
    """Learn from one finished round of the asker."""
    if not plan.scenario.reputation.gold:
        return
    truth = _truth(plan, asking, record) if is_gold(plan, asking) else None
    experience.learn(round_update(record, ranking, truth))
    if experience.is_due:
        experience.renew(experience.renewed())


def _truth(plan: Plan, asking: PlannedQuery, record: RoundRecord) -> Mapping[Digest, bool]:
    right = right_answers(plan, asking, [answer.content.text for answer in bodies(record.answers, Answer)])
    return {answer.id: true for answer, true in zip(record.answers, right, strict=True)}
