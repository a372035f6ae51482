"""Times of the aggregator beside two libraries: `python -P -m tests.bench.bench_fit`.

All contestants take turns within each repetition, so that a busy machine disturbs them alike; medians of CPU time are
printed, for what else the machine does should not count.
evalica gets its one draw per item against a virtual item, without which a zero-win item ruins its scores. Neither
library knows clusters, priors of votes or bit-determinism, and evalica's input is prepared outside the clock.
"""

import math
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

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
from tests.bench.harness import Bench, Figure

CONTESTANTS = ("fit", "judges", "P(best)", "choix", "evalica")
AIMS_MS = {35: 5.0, 100: 20.0}
"""CPU time of what a closing fits, judges and P(best), by the number of answers, with 3 comparisons each."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is fitted, and how often."""

    repetitions: int = 15
    sizes: tuple[int, ...] = (10, 35, 100)
    curve: tuple[int, ...] = (125, 250, 500, 1_000)
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


def medians_ms(contestants: dict[str, Callable[[], object]], repetitions: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repetitions):
        for name, run in contestants.items():
            start = time.process_time()
            run()
            times[name].append(time.process_time() - start)
    return {name: 1000 * statistics.median(values) for name, values in times.items()}


def measure(settings: Settings) -> Iterator[Figure]:
    """Print the tables."""
    columns = "".join(f"{name + ' ms':>12}" for name in CONTESTANTS)
    print(f"{'items':>5} {'comparisons':>11}{columns}{'judges/choix':>14}{'judges/evalica':>16}")
    for items in settings.sizes:
        for comparisons in (3 * items, items * items // 2):
            ms = medians_ms(contest(items, comparisons), settings.repetitions)
            cells = "".join(f"{ms[name]:12.2f}" for name in CONTESTANTS)
            ratios = f"{ms['judges'] / ms['choix']:14.2f}{ms['judges'] / ms['evalica']:16.2f}"
            print(f"{items:5} {comparisons:11}{cells}{ratios}")
            if comparisons == 3 * items:
                yield Figure(
                    name=f"judges and P(best), {items} answers, {comparisons} comparisons, CPU",
                    value=ms["judges"] + ms["P(best)"],
                    unit=" ms",
                    anchor=f"choix {ms['choix']:.2f} ms, evalica {ms['evalica']:.2f} ms",
                    at_most=AIMS_MS.get(items),
                )
    yield Figure(
        name=f"growth with answers, {settings.curve[0]} to {settings.curve[-1]}: power",
        value=growth(settings.curve),
        anchor="3 for dense linear algebra",
    )


def growth(curve: Sequence[int]) -> float:
    """Print time against answers beyond what a round may have; the exponent of its growth over the whole range."""
    print(f"\n{'items':>5} {'comparisons':>11}{'judges ms':>12}")
    times = []
    for items in curve:
        judged = contest(items, 3 * items)["judges"]
        start = time.process_time()
        judged()
        times.append(1000 * (time.process_time() - start))
        print(f"{items:5} {3 * items:11}{times[-1]:12.1f}")
    return statistics.linear_regression([math.log(n) for n in curve], [math.log(ms) for ms in times]).slope


BENCH = Bench("fit", measure, Settings(), Settings(repetitions=1, sizes=(5,), curve=(5, 10)))

if __name__ == "__main__":
    BENCH.main()
