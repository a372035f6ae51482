"""Builds the query that a requester signs, from its subject, its roster and its budgets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from consensus.learning.experience import QueryPriors
from consensus.learning.finding_strengths import FindingStrengths
from consensus.learning.waves import FUTILITY
from protocol.conversation import digest_of
from protocol.hashing import digest_of_tests
from protocol.messages import FindingsPlan, Query, Seat, Turn
from protocol.params import NetworkParams
from protocol.types import ONE, FindingKind, Key, TaskType

NO_FINDINGS: Final = FindingKind(0)
"""A round without a testing phase."""


@dataclass(frozen=True, slots=True)
class QuerySubject:
    """Conversation and addressees of a query."""

    author: Key
    specialty: str
    shard: int
    task: TaskType
    turns: tuple[Turn, ...]
    private: bool = False
    """Whether only the seated members get the turns; the query then holds its digest alone."""
    findings: FindingKind = NO_FINDINGS
    """Findings that testers are asked for; none: the round has no testing phase."""
    tests: str = ""
    """Tests that the answers must pass; the query holds their digest alone."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """Limits of a round's duration and size, and its required certainty."""

    max_tokens: int
    """Greatest number of tokens of one answer."""
    answer_ms: int
    open_ms: int
    judge_ms: int
    """Milliseconds of one wave of judging."""
    cosign_ms: int
    patience_ms: int
    """Milliseconds to wait for stragglers after a quorum."""
    waves: tuple[int, ...]
    """Pairs for each judge, wave by wave."""
    test_ms: int
    """Milliseconds of one stage of testing."""
    threshold: float
    """P(best) at which no further wave follows."""
    confidence_min: float
    """P(correct) below which the outcome is degraded."""
    futility: float = FUTILITY
    """Expected gain of a wave, log-odds, below which it is not held; 0: every wave is."""

    def within(self, params: NetworkParams) -> "Budgets":
        """Return these budgets, cut to the limits of the network."""
        return replace(
            self,
            max_tokens=min(self.max_tokens, params.answer_tokens_max),
            answer_ms=min(self.answer_ms, params.phase_ms_max),
            open_ms=min(self.open_ms, params.phase_ms_max),
            judge_ms=min(self.judge_ms, params.phase_ms_max),
            cosign_ms=min(self.cosign_ms, params.phase_ms_max),
            test_ms=min(self.test_ms, params.phase_ms_max),
            patience_ms=min(self.patience_ms, params.patience_ms_max),
            waves=tuple(min(wave, params.pairs_per_wave_max) for wave in self.waves),
        )


def build_query(
    subject: QuerySubject, budgets: Budgets, priors: QueryPriors, roster: Sequence[Seat], sent_at_ms: int, nonce: bytes
) -> Query:
    """Return the query of a round that begins at `sent_at_ms`. `nonce`: 32 unpredictable bytes."""
    intercept, slope, worth = priors.calibration
    return Query(
        author=subject.author,
        specialty=subject.specialty,
        shard=subject.shard,
        task=subject.task,
        turns=() if subject.private else subject.turns,
        content_digest=digest_of(subject.turns),
        max_tokens=budgets.max_tokens,
        answer_ms=budgets.answer_ms,
        open_ms=budgets.open_ms,
        judge_ms=budgets.judge_ms,
        cosign_ms=budgets.cosign_ms,
        patience_ms=budgets.patience_ms,
        waves=budgets.waves,
        threshold=round(budgets.threshold * ONE),
        calibration_intercept=intercept,
        calibration_slope=slope,
        calibration_findings=worth,
        confidence_min=round(budgets.confidence_min * ONE),
        beta=round(priors.model.beta * ONE),
        tau_u=round(priors.model.tau_u * ONE),
        tau_v=round(priors.model.tau_v * ONE),
        futility=round(budgets.futility * ONE),
        findings=_plan(subject, budgets, priors.strengths),
        sent_at_ms=sent_at_ms,
        nonce=nonce,
        roster=tuple(roster),
    )


def _plan(subject: QuerySubject, budgets: Budgets, strengths: FindingStrengths) -> FindingsPlan:
    return FindingsPlan(
        kinds=subject.findings,
        budget_ms=budgets.test_ms,
        tests_digest=digest_of_tests(subject.tests) if subject.tests else b"",
        agreement=round(strengths.agreement * ONE),
        compiles=round(strengths.compiles * ONE),
        tests=round(strengths.tests * ONE),
        lint=round(strengths.lint * ONE),
        agreed_share=round(strengths.agreed_share * ONE),
    )
