"""Foreign text made safe for a line that people read: nothing in it moves a cursor or reorders the line."""

from typing import Final

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def printable(text: str, *, keeps: str = "") -> str:
    """Return `text` with a space for each white space, and U+FFFD for every other character that cannot be printed.

    Those are control characters (with them a terminal's escape sequences), marks that reorder a line, invisible
    letters, and lone surrogates, which no encoding carries. `keeps`: characters that stay unchanged.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in keeps else " " if letter.isspace() else _REPLACEMENT
        for letter in text
    )


def escaped(text: str, *, keeps: str = "") -> str:
    r"""Return `text` with what `printable` would replace written as Python's escapes (\x1b): nothing is lost."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in keeps else ascii(letter)[1:-1] for letter in text)


def one_line(text: str, characters_max: int, *, keeps_end: bool = False) -> str:
    """Return the first characters of `text`, at most `characters_max`, printable and with single spaces between words.

    `keeps_end`: the last ones instead, for paths and names whose end is more informative. The text is cut first, so
    that a long one costs no more than a short one.
    """
    cut = text[-characters_max:] if keeps_end else text[:characters_max]
    return " ".join(printable(cut).split())
