"""Statistics of other nodes: report, export, import, and gold questions on demand."""

import math
from typing import Literal, Protocol

from consensus.learning.challenge_weight import ChallengeRecord
from consensus.learning.experience import RENEWAL_ROUNDS, QueryPriors
from consensus.learning.reputation import PRIOR, NodeStats, Score, scale_of
from node.api import reputation as api
from node.facade.node_rounds import NodeRounds
from node.rounds.asking.gold_asker import GoldResult
from node.rounds.learning.reputation import Reputation
from protocol.types import ONE, Key, TaskType


class AsksGold(Protocol):
    """Port: asks gold questions."""

    async def ask_gold(self) -> GoldResult:
        """Ask one gold question and learn from the round. Raises AskError."""
        ...


class ReputationFacade:
    """Reports, exports and imports one node's statistics of others in its specialty, and asks gold questions."""

    def __init__(self, reputation: Reputation, gold: AsksGold, rounds: NodeRounds, specialty: str) -> None:
        """Build a facade. `rounds`: looks up what a node did in rounds."""
        self._reputation = reputation
        self._gold = gold
        self._rounds = rounds
        self.specialty = specialty
        """The specialty to which they apply."""

    def report(self) -> api.ReputationReport:
        """Report all nodes met or challenged, those with most gold rounds first, and the priors in force.

        Accuracies and shares are from 0 to 1; weights are those that a roster would give now, 1 is a full vote.
        """
        experience = self._reputation.experience
        fresh = self._reputation.challenges.records.keys() - experience.standings.keys()
        met = {**experience.standings, **dict.fromkeys(fresh, NodeStats())}
        typical = self._typical()
        nodes = [self._row(key, stats, typical) for key, stats in met.items()]
        nodes.sort(key=lambda row: (-row.gold_rounds, -row.rounds, row.key))
        return api.ReputationReport(
            specialty=self.specialty,
            rounds=experience.rounds,
            renewal_rounds=RENEWAL_ROUNDS,
            gold_questions=len(self._reputation.gold.questions),
            in_force={task: _priors(query_priors) for task, query_priors in experience.priors.items()},
            nodes=tuple(nodes),
        )

    async def detail(self, key: Key) -> api.NodeDetail:
        """Return what is known of one node, and its latest rounds: of most keys nothing. Raises StoreBlockedError.

        It verifies certificates for some seconds (`node.facade.node_rounds`).
        """
        experience = self._reputation.experience
        rounds, complete = await self._rounds.of(key, experience.gold)
        stats = experience.standings.get(key)
        if stats is None and key in self._reputation.challenges.records:
            stats = NodeStats()
        row = None if stats is None else self._row(key, stats, self._typical())
        return api.NodeDetail(key.hex(), self.specialty, row, rounds, complete)

    def export(self) -> api.Exported:
        """Export all statistics for other nodes, by key in hexadecimal; `take_over` reads them."""
        standings = self._reputation.experience.standings
        return api.Exported(
            api.FORMAT, self.specialty, {key.hex(): _exported(stats) for key, stats in standings.items()}
        )

    async def take_over(self, exported: api.Exported) -> api.TakenOver:
        """Import statistics of nodes that this one has not met; return how many were taken and left aside.

        The caller has checked that they are of `specialty`. Raises StoreBlockedError.
        """
        standings = [(Key(bytes.fromhex(key)), _stats(each)) for key, each in exported.standings.items()]
        taken = await self._reputation.take_over(standings)
        return api.TakenOver(len(taken), len(standings) - len(taken))

    async def ask_gold(self) -> api.GoldResult:
        """Ask one gold question, learn from the round, and return what became of it.

        It takes a whole round's time. Raises AskError, also where there is no gold.
        """
        done = await self._gold.ask_gold()
        return api.GoldResult(done.query_id.hex(), done.outcome, done.correct)

    def _typical(self) -> float:
        """Return the typical accuracy of nodes with gold."""
        return scale_of(each for each in self._reputation.experience.standings.values() if each.has_gold).typical

    def _row(self, key: Key, stats: NodeStats, typical: float) -> api.NodeReputation:
        answers, total = stats.answers, math.fsum(stats.judged)
        return api.NodeReputation(
            rounds=stats.rounds,
            gold_rounds=stats.gold_rounds,
            answering=api.Answering(
                right=round(answers.good, 2),
                wrong=round(answers.bad, 2),
                accuracy=round(answers.rate(typical), 3) if answers.total else None,
                prior=PRIOR,
            ),
            judging=api.Judging(*(round(share / total, 3) for share in stats.judged)) if any(stats.judged) else None,
            testing=_testing(stats) if stats.reports.total else None,
            equivocations=stats.equivocations,
            key=key.hex(),
            weights={task: self._weights(key, task) for task in TaskType},
            challenges=_challenges(self._reputation.challenges.records.get(key)),
        )

    def _weights(self, key: Key, task: TaskType) -> api.Weights:
        """Return the weights that a roster would give the node now."""
        seat_weights = self._reputation.trust(task).seat_weights(key)
        return api.Weights(seat_weights.vote / ONE, seat_weights.judge / ONE, seat_weights.author / ONE)


def _challenges(record: ChallengeRecord | None) -> api.ChallengeRecord | None:
    if record is None:
        return None
    passed: Literal["passed", "closed"] = "passed" if record.earned_at is not None else "closed"
    return api.ChallengeRecord(
        state="open" if record.is_open else passed,
        items=record.items,
        answers_passed=record.answers_passed,
        answers_failed=record.answers_failed,
        judgements_right=record.judgements_right,
        judgements_wrong=record.judgements_wrong,
        void=record.void,
    )


def _testing(stats: NodeStats) -> api.Testing:
    return api.Testing(
        confirmed=round(stats.reports.good, 2),
        refuted=round(stats.reports.bad, 2),
        share_refuted=round(stats.refuted, 3),
        tests=not stats.is_refuted,
    )


def _priors(query_priors: QueryPriors) -> api.TaskPriors:
    intercept, slope, worth = query_priors.calibration
    strengths = query_priors.strengths
    return api.TaskPriors(
        gold_rounds=query_priors.gold,
        nodes=len(query_priors.merits),
        beta=query_priors.model.beta,
        tau_u=query_priors.model.tau_u,
        calibration=api.Calibration(intercept / ONE, slope / ONE, worth / ONE),
        findings=api.FindingStrengths(strengths.agreement, strengths.compiles, strengths.tests, strengths.lint),
    )


def _exported(stats: NodeStats) -> api.ExportedStanding:
    return api.ExportedStanding(
        rounds=stats.rounds,
        gold_rounds=stats.gold_rounds,
        answers=api.ExportedScore(stats.answers.good, stats.answers.bad),
        agreed=api.ExportedScore(stats.agreed.good, stats.agreed.bad),
        judged=stats.judged,
        seemed=stats.seemed,
        equivocations=stats.equivocations,
        reports=api.ExportedScore(stats.reports.good, stats.reports.bad),
    )


def _stats(exported: api.ExportedStanding) -> NodeStats:
    return NodeStats(
        rounds=exported.rounds,
        gold_rounds=exported.gold_rounds,
        answers=Score(exported.answers.good, exported.answers.bad),
        agreed=Score(exported.agreed.good, exported.agreed.bad),
        judged=exported.judged,
        seemed=exported.seemed,
        equivocations=exported.equivocations,
        reports=Score(exported.reports.good, exported.reports.bad),
    )
