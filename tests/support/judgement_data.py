"""PRD and LLMBar (`../shared/data/judgements`, or under `STRAND_DATA`) as files for `strand aggregate`.

    python -m tests.support.judgement_data FOLDER      writes prd.jsonl and llmbar.jsonl

Nothing of them belongs into this tree. PRD's answers have their models for authors, and each human judgement becomes a
label. An LLMBar item becomes a question with the answers "1" and "2"; each of its votes names the winning output
whatever the order, so that the order only says which one was shown first; a vote without a winner is an abstention.
"""

import gzip
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[3] / "shared" / "data"
FOLDER = Path(os.environ.get("STRAND_DATA", SHARED)) / "judgements"

Row = dict[str, Any]


def prd_rows() -> Iterator[Row]:
    """Judgements, authors, labels."""
    judgements = list(_rows("prd_model_judgements"))
    yield from judgements
    for question, author in sorted({(row["question"], row["first"]) for row in judgements}):
        yield {"question": question, "answer": author, "author": author}
    for row in _rows("prd_human_labels"):
        yield {**{key: row[key] for key in ("question", "first", "second", "outcome")}, "label": True}


def llmbar_rows() -> Iterator[Row]:
    """Judgements, truth."""
    for row in _rows("llmbar_votes"):
        first, second = row["order"]
        outcome = "abstain" if row["winner"] is None else "first" if str(row["winner"]) == first else "second"
        yield {
            "question": row["item"], "judge": row["judge"], "first": first, "second": second, "outcome": outcome,
        }  # fmt: skip
    for row in _rows("llmbar_items"):
        yield {"question": row["item"], "truth": {"1": row["gold"] == 1, "2": row["gold"] == 2}}


def write(rows: Iterable[Row], path: Path) -> Path:
    """As JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _rows(name: str) -> Iterator[Row]:
    with gzip.open(FOLDER / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write(prd_rows(), folder / "prd.jsonl")
    write(llmbar_rows(), folder / "llmbar.jsonl")
