"""`strand aggregate`: the aggregator for pairwise judgements of any source."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Annotated, Any

from cyclopts import Parameter, validators

from consensus.learning.dataset import Dataset, JudgedQuestion
from consensus.learning.gold_fit import LearningContext, RankedQuestion, Weights, learn, p_correct
from consensus.learning.scoring import author_records, calibration_error, score_pairs, score_picks
from consensus.ranking.bradley_terry import FitDidNotConverge
from consensus.ranking.exact_math import DRAWS
from node.aggregate.file import AUTHORS_MAX, JUDGES_MAX, BadRow, Contents, read_file
from node.aggregate.records import STDIN
from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import JsonFlag, outside, print_json, stderr

BAD_ROWS_SHOWN = 20
"""Most rows named on the terminal; --json names all."""

NOISE = 2.0
"""Least lead of the likeliest best over the pick to be shown, in standard errors of the draws."""

COLUMNS_SHOWN = 10
"""Most ignored columns on the terminal; --json has the first hundred."""

RANKING_SHOWN = 5
"""Most answers of a question on the terminal; --json has all."""


def aggregate(
    file: Annotated[
        Path,
        Parameter(
            allow_leading_hyphen=True,
            help="Pairwise judgements, JSON lines or CSV, plain or gzip; a pipe, or - for standard input, will do.",
        ),
    ],
    *,
    gold: Annotated[
        int | None,
        Parameter(
            validator=validators.Number(gte=1), help="Learn from this many questions at random whose truth is known."
        ),
    ] = None,
    folds: Annotated[
        int | None,
        Parameter(validator=validators.Number(gte=2), help="Learn from all but one of so many parts, for each part."),
    ] = None,
    seed: Annotated[int, Parameter(help="Chooses gold questions, folds and bootstrap samples.")] = 0,
    score: Annotated[bool, Parameter(negative="", help="Score against truth and labels, beside baselines.")] = False,
    json: JsonFlag = False,
) -> int:
    """Rank the answers of every question by the judgements in a file.

    Truth and labels are read for gold questions and for scoring only; judgements of all questions are. Rows that break
    the format are named with their line, the others are used, and the exit code is 1.
    """
    if str(file).startswith("-") and file != STDIN:
        # The parser takes an unknown option for the file, because "-" must be allowed.
        raise CliError(f"unknown option {file}", Exit.USAGE)
    if gold is not None and folds is not None:
        raise CliError("--gold and --folds exclude each other", Exit.USAGE)
    try:
        contents = read_file(file)
        dataset = contents.dataset
        report = _report(dataset, _parts(dataset, gold, folds, seed), seed, score=score)
    except FitDidNotConverge as error:
        raise CliError(str(error)) from error
    report["bad_rows"] = [{"line": row.line, "reason": row.reason} for row in contents.bad]
    report["ignored_columns"] = contents.ignored
    report["pooled"] = {
        what: pool and {"count": pool.count, "rows_max": pool.rows_max}
        for what, pool in (("judges", contents.judges), ("authors", contents.authors))
    }
    if json:
        print_json(report)
    else:
        _print(report)
    _tell(contents)
    _complain(contents.bad)
    return Exit.REFUSED if contents.bad else Exit.OK


def _parts(dataset: Dataset, gold: int | None, folds: int | None, seed: int) -> list[tuple[frozenset[int], list[int]]]:
    """Split the questions into parts: (gold questions, questions ranked by what these teach); each is ranked once.

    Raises CliError.
    """
    marked = frozenset(index for index, question in enumerate(dataset.questions) if question.gold)
    known = [
        index
        for index, question in enumerate(dataset.questions)
        if index not in marked and any(True for _ in question.references())
    ]
    everyone = range(len(dataset.questions))
    if folds is None:
        if (gold or 0) > len(known):
            raise CliError(f"--gold {gold}: truth or labels of only {len(known)} questions tell answers apart")
        return [(marked | frozenset(Random(seed).sample(known, gold or 0)), list(everyone))]
    if folds > len(known):
        raise CliError(f"--folds {folds}: truth or labels of only {len(known)} questions tell answers apart")
    Random(seed).shuffle(known)
    parts = [frozenset(known[fold::folds]) for fold in range(folds)]
    # Questions without truth or labels that tell answers apart cannot teach; they join the first part.
    rest = [index for index in everyone if index not in known]
    return [(marked | frozenset(known) - part, sorted([*part, *(rest if part is parts[0] else [])])) for part in parts]


def _report(
    dataset: Dataset, parts: list[tuple[frozenset[int], list[int]]], seed: int, *, score: bool
) -> dict[str, Any]:
    evidence = LearningContext(dataset)
    ranked, records, weights_of = {}, {}, {}
    learned = []
    for gold, part in parts:
        weights = learn(evidence, gold) if gold else evidence.default()
        learned.append(_weights(dataset, weights, gold))
        record = author_records(dataset, gold)
        for index in part:
            ranked[index], records[index], weights_of[index] = evidence.rank(index, weights), record, weights
    never = frozenset.intersection(*(gold for gold, _ in parts))
    report: dict[str, Any] = {
        "questions": [
            _question(evidence, index, ranked[index], weights_of[index], gold=index in never)
            for index in sorted(ranked)
        ],
        "learned": learned,
    }
    if score:
        scored = {index: result for index, result in sorted(ranked.items()) if index not in never}
        report.update(_scores(dataset, scored, records, weights_of, seed))
    return report


def _question(
    evidence: LearningContext, index: int, result: RankedQuestion, weights: Weights, *, gold: bool
) -> dict[str, Any]:
    question = evidence.dataset.questions[index]
    p_best = float(result.p_best[result.pick])
    return {
        "question": question.name,
        "gold": gold,
        "pick": question.answers[result.pick],
        "p_best": p_best,
        "p_correct": p_correct(p_best, weights),
        "likeliest": _likeliest(question, result),
        "ranking": [
            {
                "answer": question.answers[answer],
                "strength": round(float(result.strengths[answer]), 6),
                "p_best": float(result.p_best[answer]),
            }
            for answer in result.order
        ],
    }


def _likeliest(question: JudgedQuestion, result: RankedQuestion) -> dict[str, Any] | None:
    """Return the likeliest best answer and why it is not the strongest; None if it is, or almost."""
    strongest = result.pick
    likeliest = max(result.order, key=lambda answer: float(result.p_best[answer]))
    high, low = float(result.p_best[likeliest]), float(result.p_best[strongest])
    if high - low <= NOISE * ((high + low) / DRAWS) ** 0.5:
        return None
    met = Counter(answer for each in question.judgements for answer in (each.first, each.second))
    spread = {answer: float(result.draws[answer].std()) for answer in (strongest, likeliest)}
    less_known = spread[likeliest] > spread[strongest]
    return {
        "answer": question.answers[likeliest],
        "p_best": high,
        "strength": round(float(result.strengths[likeliest]), 6),
        "spread": round(spread[likeliest], 2),
        "judgements": met[likeliest],
        "spread_of_pick": round(spread[strongest], 2),
        "judgements_of_pick": met[strongest],
        "why": "less is known of it, so it may be stronger still" if less_known else "its cluster varies more",
    }


def _weights(dataset: Dataset, weights: Weights, gold: frozenset[int]) -> dict[str, Any]:
    """Return the weights that a query would carry, in units of 2^-16."""
    return {
        "gold": len(gold),
        "judges": dict(zip(dataset.judges, weights.judges, strict=True)),
        "authors": dict(zip(dataset.authors, weights.authors, strict=True)),
        "history": weights.history,
        "beta": weights.beta,
        "calibration": list(weights.calibration),
    }


def _scores(
    dataset: Dataset,
    ranked: dict[int, RankedQuestion],
    records: dict[int, Any],
    weights_of: dict[int, Weights],
    seed: int,
) -> dict[str, Any]:
    report: dict[str, Any] = {"accuracy": None, "intervals": None, "pair_accuracy": None, "pair_intervals": None}
    for key, intervals, found in (
        ("accuracy", "intervals", score_picks(dataset, ranked, records)),
        ("pair_accuracy", "pair_intervals", score_pairs(dataset, ranked, records)),
    ):
        if found is not None:
            report[key], report[intervals] = found.accuracy(), found.intervals(Random(seed).randbytes)
    claims = [
        (
            p_correct(float(result.p_best[result.pick]), weights_of[index]),
            dataset.questions[index].truth.get(result.pick, False),
        )
        for index, result in ranked.items()
        if dataset.questions[index].truth
    ]
    report["calibration_error"] = calibration_error(claims)
    report["scored"] = {
        "questions": len(claims),
        "pairs": sum(balance != 0 for index in ranked for balance in dataset.questions[index].labels.values()),
    }
    return report


def _print(report: dict[str, Any]) -> None:
    for each in report["questions"]:
        shown = each["ranking"][:RANKING_SHOWN]
        ranking = "  ".join(f"{answer['answer']} {answer['strength']:+.2f}" for answer in shown)
        more = len(each["ranking"]) - len(shown)
        line = f"{each['question']}: {each['pick']}  P(best) {each['p_best']:.2f}  P(correct) {each['p_correct']:.2f}"
        _say(f"{line}  | {ranking}{f'  and {more} more' if more else ''}{'  (gold)' if each['gold'] else ''}")
        if other := each["likeliest"]:
            _say(
                f"  likeliest best: {other['answer']}  P(best) {other['p_best']:.2f}: {other['why']}"
                f" ({other['strength']:+.2f} ±{other['spread']:.2f}, judgements: {other['judgements']};"
                f" the pick ±{other['spread_of_pick']:.2f}, judgements: {other['judgements_of_pick']})"
            )
    for key, intervals, what in (
        ("accuracy", "intervals", "right picks"),
        ("pair_accuracy", "pair_intervals", "right pairs"),
    ):
        if report.get(key):
            _say("")
            _say(f"{what}, with 95 % bootstrap intervals over questions")
            for name, value in report[key].items():
                if value is None:
                    _say(f"  {name:20}    -")
                else:
                    low, high = report[intervals]["accuracy"][name]
                    _say(f"  {name:20} {value:.3f}  [{low:.3f}, {high:.3f}]")
    if report.get("calibration_error") is not None:
        _say(f"expected calibration error of P(correct): {report['calibration_error']:.3f}")


def _say(line: str) -> None:
    """Print a line; names come from the file, so they are escaped."""
    sys.stdout.write(outside(line).plain + "\n")


def _tell(contents: Contents) -> None:
    """Report judges and authors that were pooled, and ignored columns."""
    console = stderr()
    if contents.judges:
        few = f"{contents.judges.count} judges with at most {contents.judges.rows_max} rows each share one weight"
        console.print(f"{few}: a file has at most {JUDGES_MAX} weights of judges", soft_wrap=True)
    if contents.authors:
        few = f"{contents.authors.count} authors with at most {contents.authors.rows_max} answers each have no record"
        console.print(f"{few}: a file has at most {AUTHORS_MAX} records of authors", soft_wrap=True)
    if contents.ignored:
        shown = [f"{column!r} in {rows} rows" for column, rows in list(contents.ignored.items())[:COLUMNS_SHOWN]]
        more = f" and {len(contents.ignored) - COLUMNS_SHOWN} more" if len(contents.ignored) > COLUMNS_SHOWN else ""
        console.print(outside(f"ignored columns: {', '.join(shown)}{more}"), soft_wrap=True)


def _complain(bad: Sequence[BadRow]) -> None:
    console = stderr()
    for row in bad[:BAD_ROWS_SHOWN]:
        console.print(outside(f"line {row.line}: {row.reason}"), soft_wrap=True)
    if bad:
        console.print(f"{len(bad)} rows were left out", soft_wrap=True)
