"""`strand gold`."""

import secrets
from pathlib import Path
from random import Random
from typing import Annotated

from cyclopts import Parameter

from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import JsonFlag, print_json, print_line
from node.files import write_whole
from node.hardening import keep_private

QUESTIONS = 75
"""Questions that are made unless more are asked for: each task of the corpus once."""


def make(
    file: Annotated[Path, Parameter(help="The file to write. Keep it to yourself.")],
    *,
    count: Annotated[int, Parameter(help="Number of questions, at most 2,000.")] = QUESTIONS,
    force: Annotated[bool, Parameter(negative="", help="Replace the file if there is one.")] = False,
    seed: Annotated[int | None, Parameter(help="Makes the same questions again; default: new ones each time.")] = None,
    json: JsonFlag = False,
) -> int:
    """Make a file of gold questions from this program's own Rust tasks, with names and texts of their own."""
    try:
        from node.gold.questions import QUESTIONS_MAX, gold_lines
    except ModuleNotFoundError as error:
        raise CliError("the grammar of Rust is missing: pip install 'strand-swarm[rust]'", Exit.USAGE) from error
    if not 0 < count <= QUESTIONS_MAX:
        raise CliError(f"--count takes 1 to {QUESTIONS_MAX:,}", Exit.USAGE)
    if file.exists() and not force:
        why = f"{file} exists already: name another file, or replace it with --force, and its questions are gone"
        raise CliError(why, Exit.USAGE)
    used = secrets.randbits(63) if seed is None else seed
    lines = list(gold_lines(count, Random(used)))
    keep_private()
    write_whole(file, b"\n".join(lines) + b"\n")
    if json:
        print_json({"file": str(file), "questions": len(lines), "seed": used})
    else:
        print_line(f"{len(lines)} questions: {file}; name it in the configuration: [gold] file = ...")
    return 0
