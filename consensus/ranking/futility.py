"""Whether another wave of judgements is worth its cost (rule R19), in integers from draws that the tally made already.

A wave narrows the difference between the leading cluster and a rival. Before it is held, the mean that it will leave is
a random variable: around today's mean, with the part of today's variance that the wave explains (Raiffa and Schlaifer
1961, preposterior analysis). The expected gain is the mean strength by which a rival would then be ahead: the most that
changing the answer can bring. Judges whose preferences are near one half explain little, whatever their number.
"""

from collections import Counter
from collections.abc import Sequence
from math import isqrt

from consensus.ranking.bradley_terry import STRENGTH_ONE, Fit
from consensus.ranking.exact_math import DRAWS
from protocol.types import ONE


def information_of(weights: Sequence[int], pairs: int) -> int:
    """Return the Fisher information of a wave about one difference of strengths, 2^-16 per squared log-odds.

    `weights`: what each judge's comparison counts, 2^-16; `pairs`: comparisons of each. An even comparison of weight 1
    brings a quarter.
    """
    return pairs * sum(weights) // 4


def decisiveness_of(preferences: Sequence[tuple[int, int]]) -> int:
    """Return how decisive judgements were, 2^-16: 0 if all said one half, ONE if none was in doubt.

    `preferences`: pairs of weight and preference, both 2^-16. No judgement at all is 0.
    """
    total = sum(weight for weight, _ in preferences)
    squares = sum(weight * (2 * preference - ONE) ** 2 for weight, preference in preferences)
    return squares // (total * ONE) if total else 0


def expected_gain(fitted: Fit, leader: int, information: int, decisiveness: int) -> int:
    """Return the strength that one more wave is expected to gain by changing the answer, log-odds in 2^-16.

    Args:
        fitted: the strengths of the clusters now, their draws, and the duels that the next wave holds.
        leader: the cluster that would win now.
        information: what the wave brings, if all its comparisons were of one pair of clusters (`information_of`).
        decisiveness: see `decisiveness_of`.
    """
    shares = Counter(frozenset(duel) for duel in fitted.duels)
    gains = [0]
    for rival in range(len(fitted.sampled)):
        share = shares[frozenset((leader, rival))]
        # Without a duel nothing changes between the two, and the leader stays ahead.
        if rival == leader or not share:
            continue
        ahead = [int(value) for value in fitted.sampled[leader] - fitted.sampled[rival]]
        # The draws give the spread alone: their own mean is off by chance, and the fit knows it exactly.
        off = sum(ahead) // DRAWS - (fitted.cluster_strengths[leader] - fitted.cluster_strengths[rival])
        ahead = [value - off for value in ahead]
        mean = fitted.cluster_strengths[leader] - fitted.cluster_strengths[rival]
        variance = sum((value - mean) ** 2 for value in ahead) // DRAWS
        narrowed = information * share // DRAWS * variance // STRENGTH_ONE**2
        explained = narrowed * ONE // (ONE + narrowed) * decisiveness // ONE
        scale = isqrt(explained * ONE)
        behind = sum(max(0, -(mean * ONE + scale * (value - mean))) for value in ahead)
        gains.append(behind // (DRAWS * STRENGTH_ONE))
    return max(gains)
