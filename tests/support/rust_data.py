"""Public Rust tasks (`../shared/data/rust`, or under `STRAND_DATA`), each as a program with its tests."""

import gzip
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[3] / "shared" / "data"
FOLDER = Path(os.environ.get("STRAND_DATA", SHARED)) / "rust"
"""Where the data lie; nothing of them is in the repository."""

SKIPPED = 77
"""Exit code of a program that cannot run without them, and has said so."""


@dataclass(frozen=True)
class Task:
    """A program and whether it passes its tests."""

    name: str
    source: str
    tests: str
    edition: str
    right: bool
    files: Mapping[str, bytes] = field(default_factory=dict)
    """What its tests read."""


def missing() -> str:
    """Why there are no data; empty: they are there."""
    return "" if FOLDER.is_dir() else f"no data in {FOLDER}: set STRAND_DATA"


def rows(name: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of one file."""
    with gzip.open(FOLDER / f"{name}.jsonl.gz", "rt") as file:
        for line in file:
            yield json.loads(line)


def humanevalpack() -> Iterator[Task]:
    """Yield 158 right programs, each followed by its buggy form."""
    for row in rows("humanevalpack_rust"):
        for kind in ("canonical", "buggy"):
            source = row["declaration"] + row[kind]
            yield Task(f"{row['task']} {kind}", source, row["test"], "2021", kind == "canonical")


def exercism() -> Iterator[Task]:
    """Yield 93 right programs; their tests are files beside the crate."""
    for row in rows("exercism_rust"):
        files = {name.removesuffix(".rs").replace("/", "_"): text for name, text in row["tests"].items()}
        # A file is a crate of its own: several become modules.
        tests = (
            next(iter(files.values()))
            if len(files) == 1
            else "\n".join(f"mod file_{name} {{\n{text}\n}}" for name, text in files.items())
        )
        # The tests of `paasio` read the manifest, whatever is in it.
        yield Task(
            row["task"], row["example"], tests, row["edition"], True, {"Cargo.toml": b'[package]\nname = "it"\n'}
        )


def rustevo2() -> Iterator[Task]:
    """Yield 340 right programs."""
    for row in rows("rustevo2_std"):
        yield Task(row["task"], row["code"], row["test_program"], "2021", True)


SETS = {"humanevalpack_rust": humanevalpack, "exercism_rust": exercism, "rustevo2_std": rustevo2}
