"""`strand aggregate`: our aggregator for anybody's pairwise judgements."""

import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Annotated, Any

from cyclopts import Parameter, validators

from consensus.dataset import Dataset
from consensus.learning import Evidence, Ranked, Weights, learn, p_correct
from consensus.scoring import author_records, calibration_error, score_pairs, score_picks
from node.aggregate_file import AggregateFileError, BadRow, read_dataset
from node.cli.errors import CliError, Exit
from node.cli.options import JsonFlag, outside, print_json, stderr

BAD_ROWS_SHOWN = 20
"""rows named on the terminal; --json names all."""

RANKING_SHOWN = 5
"""answers of a question on the terminal; --json has all."""


def aggregate(
    file: Annotated[Path, Parameter(help="Pairwise judgements as JSON lines, plain or .gz.")],
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
    if gold is not None and folds is not None:
        raise CliError("--gold and --folds exclude each other", Exit.USAGE)
    try:
        dataset, bad = read_dataset(file)
    except AggregateFileError as error:
        raise CliError(str(error)) from error
    report = _report(dataset, _parts(dataset, gold, folds, seed), seed, score=score)
    report["bad_rows"] = [{"line": row.line, "reason": row.reason} for row in bad]
    if json:
        print_json(report)
    else:
        _print(report)
    _complain(bad)
    return Exit.REFUSED if bad else Exit.OK


def _parts(dataset: Dataset, gold: int | None, folds: int | None, seed: int) -> list[tuple[frozenset[int], list[int]]]:
    """(gold questions, questions that are ranked with what they teach), so that each question is ranked once.

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
    # What no truth or label tells apart cannot teach; the first part takes it in.
    rest = [index for index in everyone if index not in known]
    return [(marked | frozenset(known) - part, sorted([*part, *(rest if part is parts[0] else [])])) for part in parts]


def _report(
    dataset: Dataset, parts: list[tuple[frozenset[int], list[int]]], seed: int, *, score: bool
) -> dict[str, Any]:
    evidence = Evidence(dataset)
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


def _question(evidence: Evidence, index: int, result: Ranked, weights: Weights, *, gold: bool) -> dict[str, Any]:
    question = evidence.dataset.questions[index]
    p_best = float(result.p_best[result.pick])
    return {
        "question": question.name,
        "gold": gold,
        "pick": question.answers[result.pick],
        "p_best": p_best,
        "p_correct": p_correct(p_best, weights),
        "ranking": [
            {
                "answer": question.answers[answer],
                "strength": round(float(result.strengths[answer]), 6),
                "p_best": float(result.p_best[answer]),
            }
            for answer in result.order
        ],
    }


def _weights(dataset: Dataset, weights: Weights, gold: frozenset[int]) -> dict[str, Any]:
    """What a query would carry, in units of 2^-16."""
    return {
        "gold": len(gold),
        "judges": dict(zip(dataset.judges, weights.judges, strict=True)),
        "authors": dict(zip(dataset.authors, weights.authors, strict=True)),
        "history": weights.history,
        "beta": weights.beta,
        "calibration": list(weights.calibration),
    }


def _scores(
    dataset: Dataset, ranked: dict[int, Ranked], records: dict[int, Any], weights_of: dict[int, Weights], seed: int
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
    """Names come from the file."""
    sys.stdout.write(outside(line).plain + "\n")


def _complain(bad: Sequence[BadRow]) -> None:
    console = stderr()
    for row in bad[:BAD_ROWS_SHOWN]:
        console.print(outside(f"line {row.line}: {row.reason}"), soft_wrap=True)
    if bad:
        console.print(f"{len(bad)} rows were left out", soft_wrap=True)
