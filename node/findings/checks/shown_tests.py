"""The asker's tests in the text of a question: how they are shown to authors, and how testers leave them out again."""

from collections.abc import Sequence
from typing import Final

from protocol.messages import Turn

_HEADING: Final = "The answer must pass these tests:"


def with_tests(text: str, tests: str) -> str:
    """Return a question that shows these tests to the answers' authors: they follow its text."""
    return text.rstrip() + _shown(tests)


def without_tests(turns: Sequence[Turn], tests: str) -> tuple[Turn, ...]:
    """Return the turns of a query without the tests that `with_tests` added to the last one.

    Testers run the tests as such. As part of the question their assertions would count as examples, too.
    """
    shown = _shown(tests)
    if not tests or not turns or not turns[-1].text.endswith(shown):
        return tuple(turns)
    *before, last = turns
    return (*before, Turn(role=last.role, text=last.text.removesuffix(shown)))


def _shown(tests: str) -> str:
    fence = "`" * max(3, 1 + _longest_run(tests))
    end = "" if tests.endswith("\n") else "\n"
    return f"\n\n{_HEADING}\n\n{fence}rust\n{tests}{end}{fence}\n"


def _longest_run(text: str) -> int:
    """Return the length of the longest run of backticks, which a fence around the text must exceed."""
    longest = run = 0
    for letter in text:
        run = run + 1 if letter == "`" else 0
        longest = max(longest, run)
    return longest
