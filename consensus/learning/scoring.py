"""Accuracy of a ranking beside the baselines that it must beat, with bootstrap intervals."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from consensus.learning.agreement import FloatArray
from consensus.learning.dataset import NO_AUTHOR, Dataset, JudgedQuestion
from consensus.learning.gold_fit import RankedQuestion
from consensus.ranking.bradley_terry import LOCAL, Comparison, Item, PriorParameters, maximum_a_posteriori
from protocol.types import ONE

RESAMPLES = 2000
"""Bootstrap samples: the ends of a 95 % interval are then accurate to about a twentieth of its width."""

BINS = 10
"""Number of bins of the expected calibration error."""

NAMES = ("swarm", "majority", "judge_majority", "win_rate", "plain_bradley_terry", "best_single", "oracle")

_PLAIN = PriorParameters(beta=0.0, tau_u=4.0, tau_v=1 / 16)
"""As close to no prior as the fit's limits allow; without any, the mode need not exist."""


@dataclass(frozen=True, slots=True, eq=False)
class AccuracyScores:
    """Accuracies over questions; Q of them."""

    right: Mapping[str, FloatArray | None]
    """Per name, shape (Q,): right answers or pairs; None if the data lack what the baseline needs."""
    asked: FloatArray
    """Shape (Q,): number of answers or pairs asked."""

    def accuracy(self) -> dict[str, float | None]:
        """Return the right share per name."""
        return {
            name: None if right is None else float(right.sum() / self.asked.sum()) for name, right in self.right.items()
        }

    def intervals(self, random_bytes: Callable[[int], bytes]) -> dict[str, dict[str, list[float] | None]]:
        """Return 95 % bootstrap intervals over questions: of each accuracy, and the swarm's paired lead over each."""
        known = {name: right for name, right in self.right.items() if right is not None}
        drawn = self._resampled(np.stack(list(known.values())), random_bytes)
        place = {name: index for index, name in enumerate(known)}

        def interval(name: str, *, less: str | None = None) -> list[float] | None:
            if name not in place or (less is not None and less not in place):
                return None
            values = drawn[:, place[name]] - (drawn[:, place[less]] if less else 0.0)
            return [float(end) for end in np.quantile(values, (0.025, 0.975))]

        return {
            "accuracy": {name: interval(name) for name in self.right},
            "swarm_less": {name: interval("swarm", less=name) for name in self.right if name != "swarm"},
        }

    def _resampled(self, right: FloatArray, random_bytes: Callable[[int], bytes]) -> FloatArray:
        """Shape (RESAMPLES, names): accuracies in bootstrap samples."""
        size = len(self.asked)
        drawn = np.empty((RESAMPLES, len(right)))
        for row in range(RESAMPLES):
            chosen = np.frombuffer(random_bytes(8 * size), dtype="<u8") % np.uint64(size)
            drawn[row] = right[:, chosen].sum(axis=1) / self.asked[chosen].sum()
        return drawn


def author_records(dataset: Dataset, gold: Collection[int]) -> FloatArray | None:
    """Return per author the share of right answers on gold, or of labelled pairs that it wins there.

    By the rule of succession. None without authors or gold.
    """
    if not dataset.authors or not gold:
        return None
    good, all_ = np.ones(len(dataset.authors) + 1), np.full(len(dataset.authors) + 1, 2.0)
    for question in (dataset.questions[index] for index in gold):
        for answer, true in question.truth.items():
            good[question.authors[answer]] += true
            all_[question.authors[answer]] += 1.0
        if not question.truth:
            for each in question.references():
                (better,), (worse,) = each.better, each.worse
                good[question.authors[better]] += 1.0
                all_[[question.authors[better], question.authors[worse]]] += 1.0
    return np.append((good / all_)[:-1], -1.0)


def score_picks(
    dataset: Dataset, ranked: Mapping[int, RankedQuestion], records: Mapping[int, FloatArray | None]
) -> AccuracyScores | None:
    """Count right picks of the questions with a truth row; None if there is no such question.

    An answer that the row does not name is wrong. A baseline that cannot decide between answers gets their right share.
    """
    rows = []
    for index, result in ranked.items():
        question = dataset.questions[index]
        if question.truth:
            true = np.array([question.truth.get(answer, False) for answer in range(len(question.answers))], dtype=float)
            merits = _merits(dataset, question, records[index])
            values = [
                None if seat_weights is None else float(true[seat_weights == seat_weights.max()].mean())
                for seat_weights in merits.values()
            ]
            rows.append([true[result.pick], *values, true.max()])
    return _scores(rows, [1.0] * len(rows))


def score_pairs(
    dataset: Dataset, ranked: Mapping[int, RankedQuestion], records: Mapping[int, FloatArray | None]
) -> AccuracyScores | None:
    """Count right orders of the labelled pairs whose labels do not balance; a tie is half right.

    None if there is none.
    """
    rows, asked = [], []
    for index, result in ranked.items():
        question = dataset.questions[index]
        pairs = [(low, high, balance > 0) for (low, high), balance in question.labels.items() if balance]
        if not pairs:
            continue
        merits = _merits(dataset, question, records[index])
        wins = _pair_majorities(question)

        def agreed(seat_weights: FloatArray, pairs: list[tuple[int, int, bool]] = pairs) -> float:
            return sum(_agrees(seat_weights[low] - seat_weights[high], above=above) for low, high, above in pairs)

        values = [None if seat_weights is None else agreed(seat_weights) for seat_weights in merits.values()]
        values[list(merits).index("judge_majority")] = sum(
            _agrees(wins.get((low, high), 0), above=above) for low, high, above in pairs
        )
        rows.append([agreed(result.strengths), *values, float(len(pairs))])
        asked.append(float(len(pairs)))
    return _scores(rows, asked)


def calibration_error(claims: Sequence[tuple[float, bool]]) -> float | None:
    """Return the expected calibration error in BINS equal bins: the mean of |true share − mean probability|."""
    if not claims:
        return None
    error = 0.0
    for bin_ in range(BINS):
        inside = [claim for claim in claims if min(BINS - 1, int(claim[0] * BINS)) == bin_]
        error += abs(sum(true - p for p, true in inside))
    return error / len(claims)


def _scores(rows: Sequence[Sequence[float | None]], asked: Sequence[float]) -> AccuracyScores | None:
    if not rows:
        return None
    columns = dict(zip(NAMES, zip(*rows, strict=True), strict=True))
    return AccuracyScores(
        {name: None if None in column else np.array(column, dtype=float) for name, column in columns.items()},
        np.array(asked),
    )


def _merits(dataset: Dataset, question: JudgedQuestion, record: FloatArray | None) -> dict[str, FloatArray | None]:
    """Return each baseline's value of each answer, except the oracle's; the best has most. In the order of NAMES."""
    size = len(question.answers)
    won, met = np.zeros(size), np.zeros(size)
    for each in question.judgements:
        won[each.first] += each.preference / ONE
        won[each.second] += 1.0 - each.preference / ONE
        met[[each.first, each.second]] += 1.0
    pairs_won = np.zeros(size)
    for (low, high), balance in _pair_majorities(question).items():
        pairs_won[low] += 0.5 + 0.5 * np.sign(balance)
        pairs_won[high] += 0.5 - 0.5 * np.sign(balance)
    clusters = np.array(question.clusters)
    named = any(author != NO_AUTHOR for author in question.authors)
    return {
        "majority": np.bincount(clusters)[clusters].astype(float) if dataset.clustered else None,
        "judge_majority": pairs_won,
        "win_rate": np.where(met > 0.0, won / np.maximum(met, 1.0), 0.5),
        "plain_bradley_terry": _plain_strengths(question),
        "best_single": record[list(question.authors)] if record is not None and named else None,
    }


def _plain_strengths(question: JudgedQuestion) -> FloatArray:
    """Return plain Bradley-Terry strengths, rounded so that ties are exact."""
    items = [Item(cluster) for cluster in range(len(question.answers))]
    comparisons = [Comparison(each.first, each.second, each.preference, ONE) for each in question.judgements]
    strengths: FloatArray = np.round(maximum_a_posteriori(items, comparisons, _PLAIN, LOCAL).theta, 6)
    return strengths


def _pair_majorities(question: JudgedQuestion) -> dict[tuple[int, int], int]:
    """Per compared pair (lower answer first), return judges for the lower answer minus judges against it.

    A judge is for the answer that most of its verdicts favour, in both orders together.
    """
    verdicts: dict[tuple[int, int], dict[int, int]] = {}
    for each in question.judgements:
        low, high = sorted((each.first, each.second))
        of_pair = verdicts.setdefault((low, high), {})
        margin = 2 * each.preference - ONE
        of_pair[each.judge] = of_pair.get(each.judge, 0) + (margin if each.first == low else -margin)
    return {pair: sum((margin > 0) - (margin < 0) for margin in of_pair.values()) for pair, of_pair in verdicts.items()}


def _agrees(difference: float, *, above: bool) -> float:
    if difference == 0:
        return 0.5
    return float((difference > 0) == above)
