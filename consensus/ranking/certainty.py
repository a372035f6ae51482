"""How certain a round may be of its winner: P(correct), from P(best), findings and a calibration on gold.

P(best) compares answers with each other and may be certain of the best of bad ones. P(correct) = σ(a + b · logit
P(best) + c · score), after Platt 1999 ("Probabilistic outputs for support vector machines"); the score is what findings
add to the winner's strength, which says something about the answer by itself. The coefficients are fitted on gold
(`learning`) and stand in the query, so that every recount of a tally finds the same bits.
"""

import numpy as np

from consensus.ranking import exact_math
from consensus.ranking.finding_score import SCORE_MAX
from protocol.types import ONE

UNCALIBRATED = (0, ONE, 0)
"""Intercept, slope and worth of findings of a requester without gold: P(correct) then equals P(best) and must not be
called calibrated."""

_LEAST = ONE // (2 * exact_math.DRAWS)
"""Smallest probability, 2^-16: half a draw. P(best) is a share of draws; all of them, or none, prove no more than that.
"""


def log_odds(p_best: int) -> float:
    """Return log-odds of a probability in 1/ONE that was counted in draws; finite also for 0 and ONE."""
    share = np.array(min(max(p_best, _LEAST), ONE - _LEAST) / ONE)
    return float(exact_math.log(share) - exact_math.log(1.0 - share))


def p_correct(p_best: int, calibration: tuple[int, int, int], score: int = 0) -> int:
    """Return the calibrated probability that a winner is correct; all in 1/ONE. Grows with P(best).

    `calibration`: intercept, slope, worth of findings. `score`: what findings add to the winner's strength; at most
    SCORE_MAX either way counts.
    """
    intercept, slope, worth = calibration
    odds = (
        intercept / ONE + slope / ONE * log_odds(p_best) + worth / ONE * (max(-SCORE_MAX, min(score, SCORE_MAX)) / ONE)
    )
    return int(np.rint(exact_math.logistic(np.array(odds)) * ONE))
