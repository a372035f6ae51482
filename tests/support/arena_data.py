"""A made-up arena: many people compare models once or a few times each, a few people often.

    python -m tests.support.arena_data FOLDER [SEED]      writes arena.jsonl, arena.csv and judgements.jsonl

The three files say the same: the usual arena form as JSON lines and as CSV, and our own judgement rows.
"""

import csv
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

QUESTION = "arena"
_OUTCOMES = {"model_a": "first", "model_b": "second", "tie": "tie", "tie (bothbad)": "tie"}

Row = dict[str, str]


def arena_rows(seed: int, rows: int = 33_000, judges: int = 13_000, models: int = 250) -> Iterator[Row]:
    """Rows of the arena form; every judge and every model occurs if there are rows enough."""
    rng = Random(seed)
    strengths = [rng.gauss() for _ in range(models)]
    popularity = [1.0 / (1 + rank) ** 0.5 for rank in range(models)]
    busy = [1.0 / (1 + rank) for rank in range(judges)]
    people = [*range(judges), *rng.choices(range(judges), busy, k=max(0, rows - judges))][:rows]
    rng.shuffle(people)
    for number, person in enumerate(people):
        first = number if number < models else rng.choices(range(models), popularity)[0]
        second = first
        while second == first:
            second = rng.choices(range(models), popularity)[0]
        wins = 1.0 / (1.0 + math.exp(strengths[second] - strengths[first]))
        drawn = rng.random()
        winner = (
            rng.choice(["tie", "tie (bothbad)"]) if drawn < 0.2 else "model_a" if rng.random() < wins else "model_b"
        )
        yield {
            "question_id": f"{number:08x}",
            "model_a": f"model-{first}",
            "model_b": f"model-{second}",
            "winner": winner,
            "judge": f"arena_user_{person}",
            "language": "English",
        }


def judgement_rows(rows: Sequence[Row]) -> Iterator[Row]:
    """The same as rows of our own form, all of one question."""
    for row in rows:
        yield {
            "question": QUESTION,
            "judge": row["judge"],
            "first": row["model_a"],
            "second": row["model_b"],
            "outcome": _OUTCOMES[row["winner"]],
        }


def write_lines(rows: Sequence[Row], path: Path) -> Path:
    """As JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_csv(rows: Sequence[Row], path: Path) -> Path:
    """As CSV with a header, lines ending as RFC 4180 has it."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    arena = list(arena_rows(int(sys.argv[2]) if len(sys.argv) > 2 else 1))
    write_lines(arena, folder / "arena.jsonl")
    write_csv(arena, folder / "arena.csv")
    write_lines(list(judgement_rows(arena)), folder / "judgements.jsonl")
