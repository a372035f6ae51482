"""A small judgement file from a seed, with every kind of row, whose report is frozen in a test."""

from collections.abc import Iterator
from random import Random
from typing import Any

Row = dict[str, Any]

QUESTIONS, ANSWERS, JUDGES = 8, 5, 7


def frozen_rows(seed: int = 11) -> Iterator[Row]:
    """Judges of unequal skill, who see some pairs in both orders; authors, clusters, truth and labels of all."""
    rng = Random(seed)
    answers = [f"answer-{number}" for number in range(ANSWERS)]
    for question in range(QUESTIONS):
        quality = {answer: rng.gauss() for answer in answers}
        for judge in range(JUDGES):
            for first in answers:
                for second in answers:
                    if first == second or rng.random() < 0.5:
                        continue
                    seen = quality[first] - quality[second] + rng.gauss(0.3, 0.2 + 0.4 * judge)
                    outcome = "tie" if abs(seen) < 0.1 else "first" if seen > 0 else "second"
                    row = {"question": question, "judge": f"judge-{judge}", "first": first, "second": second}
                    yield {**row, "outcome": "abstain" if rng.random() < 0.05 else outcome}
        for number, answer in enumerate(answers):
            row = {"question": question, "answer": answer, "author": f"author-{number}"}
            yield {**row, "cluster": "same"} if number in (1, question % 5) else row
        best = max(answers, key=quality.__getitem__)
        yield {"question": question, "truth": {answer: answer == best for answer in answers}}
        worst = min(answers, key=quality.__getitem__)
        yield {"question": question, "first": best, "second": worst, "outcome": "first", "label": True}
