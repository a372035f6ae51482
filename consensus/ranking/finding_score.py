"""The weight of settled findings: an answer's features, and their score by the strengths of a query (rule R18)."""

from dataclasses import dataclass
from typing import Final

from consensus.ranking.settling import SettledFindings
from protocol.messages import FindingsPlan
from protocol.types import ONE, CompileStatus

WARNINGS_MAX: Final = 8
"""Warnings that cost an answer the whole strength of lint."""

SCORE_MAX: Final = 4 * ONE
"""Largest score of findings, in log-odds, that enters P(correct)."""


@dataclass(frozen=True, slots=True)
class FindingFeatures:
    """Features of one answer by its settled findings, before the strengths of a query weigh them."""

    agreeing: int
    """The `agreement` of its cluster, 2^-16."""
    compiles: bool
    checks: int
    """-1: a test or an example failed; 1: all that were run passed; 0: none was run."""
    warnings: int
    """Number of warnings, at most WARNINGS_MAX."""


def features_of(found: SettledFindings, agreeing: int) -> FindingFeatures:
    """Return what weighs of an answer's settled findings. `agreeing`: the `agreement` of its cluster."""
    passed, failed = (found.tests[place] + found.examples[place] for place in (0, 1))
    return FindingFeatures(
        agreeing=agreeing,
        compiles=found.status is CompileStatus.COMPILES,
        checks=-1 if failed else int(passed > 0),
        warnings=min(sum(found.lints), WARNINGS_MAX),
    )


def score_of(plan: FindingsPlan, given: FindingFeatures) -> int:
    """Return what findings add to the prior mean of an answer's strength, log-odds in 2^-16."""
    total = plan.agreement * given.agreeing // ONE + plan.tests * given.checks
    if given.compiles:
        total += plan.compiles
    return total - plan.lint * given.warnings // WARNINGS_MAX
