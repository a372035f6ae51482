"""The calibration of P(correct): how often claims of the asker's gold rounds were right."""

from collections.abc import Sequence
from itertools import product

import numpy as np

from consensus.learning.logistic import logistic_mode
from consensus.ranking import certainty
from consensus.ranking.finding_score import SCORE_MAX
from protocol.limits import WEIGHT_MAX
from protocol.types import ONE

WORTH_SPREAD = 0.5
"""Standard deviation of the prior of the worth of findings: P(best) knows them already, as they move its strengths, so
their score counts once more only if gold says so."""


def calibrate(claims: Sequence[tuple[float, bool]], scores: Sequence[int] = ()) -> tuple[int, int, int]:
    """Return Platt's (1999) intercept and slope with priors N(0, 1) and N(1, 1), and the worth of findings, in 1/ONE.

    More certainty, or better findings, must never mean less: slope and worth are at least 0.

    Args:
        claims: P(best) and whether it was true.
        scores: what findings added to the strength of each claim's answer, log-odds in 2^-16; empty: there were none.
    """
    if not claims:
        return certainty.UNCALIBRATED
    sign = np.array([1.0 if true else -1.0 for _, true in claims])
    odds = sign * np.array([certainty.log_odds(round(p * ONE)) for p, _ in claims])
    told = WORTH_SPREAD * sign * np.clip(np.array(scores or [0]) / ONE, -SCORE_MAX / ONE, SCORE_MAX / ONE)
    found = []
    # The maximum over slope >= 0 and worth >= 0 lies inside, or where one of them or both are 0.
    for sloped, worthy in product((True, False), (True, False) if told.any() else (False,)):
        columns = (sign, *((odds,) if sloped else ()), *((told,) if worthy else ()))
        offset = odds if sloped else np.zeros(len(claims))
        mode, _ = logistic_mode(np.stack(columns, axis=1), offset, np.ones(len(claims)))
        slope = 1.0 + float(mode[1]) if sloped else 0.0
        worth = float(mode[-1]) if worthy else 0.0
        if slope >= 0.0 and worth >= 0.0:
            miss = float(np.logaddexp(0.0, -(mode[0] * sign + slope * odds + worth * told)).sum())
            loss = miss + (float(mode[0]) ** 2 + (slope - 1.0) ** 2 + worth**2) / 2.0
            found.append((loss, (float(mode[0]), slope, worth * WORTH_SPREAD)))
    intercept, slope, worth = min(found)[1]
    return _bounded(intercept), _bounded(slope), _bounded(worth)


def _bounded(value: float) -> int:
    return max(-WEIGHT_MAX, min(WEIGHT_MAX, round(value * ONE)))
