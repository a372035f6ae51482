"""Gold questions of task `code`, made fresh from the corpus: lines for a gold file."""

from collections.abc import Iterator
from itertools import chain, repeat
from random import Random
from typing import Final

import msgspec

from node.gold.challenges import as_answer
from node.gold.corpus import corpus
from node.gold.variation import varied

QUESTIONS_MAX: Final = 2_000
"""Questions of one file: of some 4 KiB each they fill half of the largest gold file."""

ROUNDS_MAX: Final = 64
"""Passes over the corpus in which that many different questions are looked for; each pass finds almost as many as
there are tasks."""


def gold_lines(count: int, random: Random) -> Iterator[bytes]:
    """Yield `count` lines of a gold file, no question twice, each task once before any comes again.

    A question's right answer is a whole answer, which may stand in a conversation. At most `QUESTIONS_MAX`.
    """
    assert 0 < count <= QUESTIONS_MAX
    tasks = list(corpus())
    seen: set[str] = set()
    for task in chain.from_iterable(random.sample(each, len(each)) for each in repeat(tasks, ROUNDS_MAX)):
        exercise = varied(task, random)
        if exercise.prompt in seen:
            continue
        seen.add(exercise.prompt)
        yield msgspec.json.encode(
            {
                "query": exercise.prompt,
                "task": "code",
                "right": [as_answer(exercise.program)],
                "tests": exercise.tests,
            }
        )
        if len(seen) == count:
            return
