"""Text from elsewhere on a line: whatever it holds, it moves no cursor, begins no line and reorders none."""

import pytest

from node.text import escaped, one_line, printable

HOSTILE = {
    "a terminal's escape sequence": "a\x1b[2J\x1b]0;title\x07b",
    "an 8-bit one": "a\x9b2Jb",
    "carriage return": "shown\rhidden",
    "lines": "a\nb\r\nc\x0bd\x0ce\x85f\u2028g\u2029h",
    "controls": "".join(map(chr, [*range(32), *range(127, 160)])),
    "overrides and isolates of direction": "a\u202edcb\u202c \u2066x\u2069",
    "marks of direction": "a\u200eb\u200fc\u061cd",
    "invisible letters": "a\u200bb\u2060c\ufeffd\u00ade",
    "tags": "a\U000e0041\U000e007fb",
    "lone surrogates": "\ud800a\udfff",
    "other white space": "a\u00a0b\u3000c\u2007d",
    "private use and unassigned": "\ue000\U0010ffff\u0378",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_comes_is_one_printable_line(text: str) -> None:
    for shown in (printable(text), escaped(text), one_line(text, 300)):
        assert shown.isprintable()
        assert shown.encode() and len(shown.splitlines()) == 1
    assert all(letter in one_line(text, 300) for letter in text if letter.isprintable() and letter != " ")


def test_what_can_be_printed_stays_as_it_is() -> None:
    text = 'Größe: 你好, "e\u0301" \\x1b \N{REPLACEMENT CHARACTER}'
    assert printable(text) == escaped(text) == one_line(text, 300) == text


def test_white_space_is_a_space_and_the_rest_is_shown_as_missing_or_escaped() -> None:
    assert printable("a\tb\x1bc") == "a b\N{REPLACEMENT CHARACTER}c"
    assert printable("a\tb\nc\x1b", keeps="\n\t") == "a\tb\nc\N{REPLACEMENT CHARACTER}"
    assert escaped("a\tb\x1b\u202e") == "a\\tb\\x1b\\u202e"
    assert escaped("a\tb\nc\x1b", keeps="\n\t") == "a\tb\nc\\x1b"


def test_one_line_is_short_and_may_keep_the_end() -> None:
    assert one_line("  two \n\n words  ", 300) == "two words"
    assert one_line("x" * 5_000, 10) == "x" * 10
    assert one_line("/models/strand-7b", 9, keeps_end=True) == "strand-7b"
    assert one_line("", 10) == one_line("\n" * 99, 10) == ""
