"""Outcomes: what the runner reports about each input, in a form that machines can compare."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Final

from protocol.limits import OUTCOME_BYTES, OUTCOMES_MAX

TEXT_BYTES_MAX: Final = 16 * 1024
"""Bytes of an outcome's text, as the harness cuts it (show.rs)."""

FLOAT_DIGITS: Final = 9
"""Significant digits of a float that count: sums in another order differ in the last ones."""

DEPTH_MAX: Final = 64
"""Depth of brackets in an outcome's text up to which maps are sorted. Deeper, the text counts as it stands."""

_HEADER_BYTES: Final = 5
_DIGEST_TAG: Final = b"strand/outcome/1"


class OutcomeKind(StrEnum):
    """End of one run, by the letter that the harness reports."""

    RETURNED = "O"
    PANICKED = "P"
    CRASHED = "C"
    """Ended by a signal: abort, stack overflow."""
    EXITED = "X"
    DEADLOCKED = "D"
    """It waited without using the CPU. An outcome, since a forgotten `drop` of a sender is a mistake that shows so."""
    PASSED = "K"
    FAILED = "F"
    OUT_OF_TIME = "T"
    OUT_OF_MEMORY = "M"
    SPOILED = "S"
    """Something that is no report stood in the pipe."""
    NOT_RUN = "N"


_COMPARABLE: Final = frozenset(
    {
        OutcomeKind.RETURNED, OutcomeKind.PANICKED, OutcomeKind.CRASHED, OutcomeKind.EXITED, OutcomeKind.DEADLOCKED,
    }
)  # fmt: skip
"""Kinds that are the same on every machine. Where time and memory end is not."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one run on one input."""

    kind: OutcomeKind
    text: str = ""

    @property
    def comparable(self) -> str | None:
        """Text that two machines see alike; None: no information."""
        return self.kind.value + canonical(self.text) if self.kind in _COMPARABLE else None


NOT_RUN: Final = Outcome(OutcomeKind.NOT_RUN)


def read_outcomes(stdout: bytes, count: int) -> tuple[Outcome, ...]:
    """Return the `count` outcomes of a runner's output; none was run from the first malformed one on."""
    outcomes: list[Outcome] = []
    at = 0
    while len(outcomes) < count and at + _HEADER_BYTES <= len(stdout):
        letter = chr(stdout[at])
        start = at + _HEADER_BYTES
        at = start + int.from_bytes(stdout[at + 1 : start], "little")
        if letter not in _LETTERS or at > len(stdout) or at - start > TEXT_BYTES_MAX:
            break
        outcomes.append(Outcome(OutcomeKind(letter), stdout[start:at].decode(errors="replace")))
    return tuple(outcomes) + (NOT_RUN,) * (count - len(outcomes))


_LETTERS: Final = frozenset(kind.value for kind in OutcomeKind)


def stable(first: Sequence[Outcome], second: Sequence[Outcome]) -> tuple[str | None, ...]:
    """Return what two runs on the same inputs have in common, input by input; None: no information."""
    return tuple(
        one if one is not None and one == other else None
        for one, other in zip((o.comparable for o in first), (o.comparable for o in second), strict=True)
    )


def digests(outcomes: Sequence[str | None], *, seed: bytes, target: str) -> bytes:
    """Return the outcomes as a report states them: `OUTCOME_BYTES` each; zero bytes are no information.

    Args:
        outcomes: At most `OUTCOMES_MAX`.
        seed: The round's: nobody can prepare a program whose wrong outcome has the digest of the right one.
        target: The signature that was called: outcomes of different functions are never equal.
    """
    parts = []
    for outcome in outcomes[:OUTCOMES_MAX]:
        if outcome is None:
            parts.append(bytes(OUTCOME_BYTES))
            continue
        key = blake2b(_DIGEST_TAG + target.encode(), key=seed, digest_size=32).digest()
        digest = blake2b(outcome.encode(), key=key, digest_size=OUTCOME_BYTES).digest()
        parts.append(digest if any(digest) else bytes(OUTCOME_BYTES - 1) + b"\1")
    return b"".join(parts)


# -- canonical text ------------------------------------------------------------------------------------------------

_OUTSIDE: Final = r"""
    '(?:\\.[^'\\]*|[^'\\])'                       # characters
    | [A-Za-z_]\w*(?:::\w+)*                      # names and paths
    | -?\d+(?:\.\d+)?(?:e-?\d+)?                  # numbers
    | \s+ | .
    """
_TOKEN: Final = re.compile(rf""""(?:\\.|[^"\\])*(?:"|(?P<unclosed>\\?\Z)) | {_OUTSIDE}""", re.VERBOSE | re.DOTALL)
_TOKEN_OUTSIDE: Final = re.compile(_OUTSIDE, re.VERBOSE | re.DOTALL)
_FLOAT: Final = re.compile(r"-?\d+(?:\.\d+(?:e-?\d+)?|e-?\d+)")
_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}


def canonical(text: str) -> str:
    """Return a `Debug` text in a form that equal values share: maps and sets sorted, floats rounded, spaces gone.

    Any text is fine; what is not balanced, or too deep, is returned as it is. Linear in the text but for sorting.
    """
    tokens = [token for token in _tokens(text) if not token.isspace()]
    if len(tokens) < 2:
        return _number(tokens[0]) if tokens else text
    open_groups: list[_Group] = [_Group("", is_set=False)]
    for token in tokens:
        group = open_groups[-1]
        if token in _CLOSING:
            if len(open_groups) > DEPTH_MAX:
                return text
            # A struct's braces follow its name; those of a map or a set follow nothing that is one.
            named = bool(group.item) and (group.item[-1][0].isalpha() or group.item[-1][0] == "_")
            open_groups.append(_Group(token, is_set=token == "{" and not named))
        elif token == ",":
            group.end_item()
        elif token in _CLOSING.values():
            if _CLOSING.get(group.opening) != token:
                return text
            open_groups.pop()
            open_groups[-1].item.append(group.closed())
        else:
            group.item.append(_number(token))
    if len(open_groups) > 1:
        return text
    open_groups[0].end_item()
    return ",".join(open_groups[0].items)


def _tokens(text: str) -> list[str]:
    """The tokens of a text. A quote that nothing closes, as where the text was cut, is a token of its own."""
    tokens: list[str] = []
    for match in _TOKEN.finditer(text):
        if match["unclosed"] is not None:
            # All further quotes are escaped ones, seen from here, so nothing closes them either. To look for their
            # ends one by one would take quadratic time.
            return [*tokens, '"', *_TOKEN_OUTSIDE.findall(text, match.start() + 1)]
        tokens.append(match.group())
    return tokens


class _Group:
    """The items between two brackets."""

    def __init__(self, opening: str, *, is_set: bool) -> None:
        self.opening = opening
        self.is_set = is_set
        self.items: list[str] = []
        self.item: list[str] = []

    def end_item(self) -> None:
        self.items.append(" ".join(self.item))
        self.item = []

    def closed(self) -> str:
        if self.item:
            self.end_item()
        items = sorted(self.items) if self.is_set else self.items
        return self.opening + ",".join(items) + _CLOSING[self.opening]


def _number(token: str) -> str:
    """A float rounded and marked, so that 1.0 is not the integer 1; any other token as it is."""
    if not _FLOAT.fullmatch(token):
        return token
    rounded = f"{float(token):.{FLOAT_DIGITS}g}"
    return "f0" if rounded == "-0" else "f" + rounded
