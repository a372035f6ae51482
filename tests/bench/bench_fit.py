"""Times of the aggregator beside two libraries: `python -m tests.bench.bench_fit`.

All contestants take turns within each repetition, so that a busy machine disturbs them alike; medians of CPU time are
printed, for what else the machine does should not count.
evalica gets its one draw per item against a virtual item, without which a zero-win item ruins its scores. Neither
library knows clusters, priors of votes or bit-determinism, and evalica's input is prepared outside the clock.
"""

import math
import random
import statistics
import time
from collections.abc import Callable

import choix
import evalica

from consensus.ranking import exact_math, judges
from consensus.ranking.bradley_terry import (
    LOCAL,
    Comparison,
    Item,
    PriorParameters,
    maximum_a_posteriori,
    probability_best,
)
from consensus.ranking.judges import JudgedComparison, JudgePrior
from protocol.types import ONE

REPETITIONS = 15
CONTESTANTS = ("fit", "judges", "P(best)", "choix", "evalica")
SIZES = (10, 35, 100)
CURVE = (125, 250, 500, 1_000)
"""Answers of the last table: how time grows where no round goes, with 3 comparisons each."""


def contest(items: int, comparisons: int) -> dict[str, Callable[[], object]]:
    """One random round with hard wins and about five answers to a cluster."""
    rng = random.Random(items * 100_003 + comparisons)
    quality = [rng.gauss(0.0, 1.0) for _ in range(items)]
    wins: list[tuple[int, int]] = []
    for _ in range(comparisons):
        i, j = rng.sample(range(items), 2)
        wins.append((i, j) if rng.random() < 1 / (1 + math.exp(quality[j] - quality[i])) else (j, i))
    listed = [Item(index % max(1, items // 5)) for index in range(items)]
    compared = [Comparison(winner, loser, ONE, ONE) for winner, loser in wins]
    bench = [JudgePrior(answer=index) for index in range(items)]
    told = [JudgedComparison(rng.randrange(items), winner, loser, ONE) for winner, loser in wins]
    posterior = maximum_a_posteriori(listed, compared, PriorParameters(), LOCAL)
    exact_math.normal_draws(items)  # the table is made once per size in a node's life
    xs = [*(winner for winner, _ in wins), *range(items)]
    ys = [*(loser for _, loser in wins), *[items] * items]
    outcomes = [evalica.Winner.X] * len(wins) + [evalica.Winner.Draw] * items
    return {
        "fit": lambda: maximum_a_posteriori(listed, compared, PriorParameters(), LOCAL),
        "judges": lambda: judges.posterior(listed, bench, told, PriorParameters(), LOCAL),
        "P(best)": lambda: probability_best(posterior),
        "choix": lambda: choix.ilsr_pairwise(items, wins, alpha=0.01),
        "evalica": lambda: evalica.bradley_terry(xs, ys, outcomes),
    }


def medians_ms(contestants: dict[str, Callable[[], object]]) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(REPETITIONS):
        for name, run in contestants.items():
            start = time.process_time()
            run()
            times[name].append(time.process_time() - start)
    return {name: 1000 * statistics.median(values) for name, values in times.items()}


def main() -> None:
    columns = "".join(f"{name + ' ms':>12}" for name in CONTESTANTS)
    print(f"{'items':>5} {'comparisons':>11}{columns}{'judges/choix':>14}{'judges/evalica':>16}")
    for items in SIZES:
        for comparisons in (3 * items, items * items // 2):
            ms = medians_ms(contest(items, comparisons))
            cells = "".join(f"{ms[name]:12.2f}" for name in CONTESTANTS)
            ratios = f"{ms['judges'] / ms['choix']:14.2f}{ms['judges'] / ms['evalica']:16.2f}"
            print(f"{items:5} {comparisons:11}{cells}{ratios}")
    print_growth()


def print_growth() -> None:
    """Time against answers beyond what a round may have, and the exponent of its growth over the whole range."""
    print(f"\n{'items':>5} {'comparisons':>11}{'judges ms':>12}")
    times = []
    for items in CURVE:
        judged = contest(items, 3 * items)["judges"]
        start = time.process_time()
        judged()
        times.append(1000 * (time.process_time() - start))
        print(f"{items:5} {3 * items:11}{times[-1]:12.1f}")
    exponent = statistics.linear_regression([math.log(n) for n in CURVE], [math.log(ms) for ms in times]).slope
    print(f"time grows as answers to the power {exponent:.2f}")


if __name__ == "__main__":
    main()
