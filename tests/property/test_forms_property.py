"""Canonical forms: layout and comments do not matter, every token does, and no text is too much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.ranking.clusters import canonical_form
from consensus.ranking.rust_tokens import rust_tokens
from protocol.types import TaskType

identifiers = st.from_regex(r"[A-Za-z_\u00e9\u0416][A-Za-z0-9_]{0,6}", fullmatch=True)
numbers = st.from_regex(r"[0-9][0-9_]{0,3}(\.[0-9]{1,3}(e-?[0-9]{1,2})?)?(f64|u8)?|0x[0-9a-f]{1,4}", fullmatch=True)
strings = st.from_regex(r'[bc]?"([ -!#-\[\]-~]|\\[n"\\])*"', fullmatch=True)
raw_strings = st.builds(
    lambda prefix, hashes, body: f'{prefix}r{hashes}"{body}"{hashes}',
    st.sampled_from(["", "b", "c"]),
    st.integers(0, 4).map(lambda count: "#" * count),
    st.text(st.sampled_from("a /*'\\\n"), max_size=8),
)
quoted = st.sampled_from(["'a'", "'\\''", "b'\\\\'", "'\\u{41}'", "'a", "'static", "'_"])
# `<` and `>` stand alone by definition; the others are taken whole.
punctuation = st.sampled_from(
    [
        *("..", "...", "..=", "::", "&&", "||", "==", "!=", "->", "=>", "+=", "-=", "*=", "/=", "%=", "^=", "&=", "|="),
        *"+-*/%^!&|=<>@.,;:#$?~()[]{}",
    ]
)
tokens = st.one_of(identifiers, numbers, strings, raw_strings, quoted, punctuation)
comment_text = st.text(st.sampled_from("ab \"'r#\\{"), max_size=8)
gaps = st.one_of(
    st.text(st.sampled_from(" \t\n\r\x0b\x0c\u2028\u200e"), min_size=1, max_size=3),
    comment_text.map(lambda text: f" //{text}\n"),
    comment_text.map(lambda text: f" /*{text}/*{text}*/{text}*/ "),
)


def code(stream: list[str]) -> bytes:
    return canonical_form(TaskType.CODE, "\n".join(stream))


@given(st.lists(tokens), st.data())
def test_layout_and_comments_never_change_the_form(stream: list[str], data: st.DataObject) -> None:
    laid_out = "".join(data.draw(gaps) + token for token in stream) + data.draw(gaps)
    # A shebang is a matter of the first two bytes: keep them apart.
    assert rust_tokens(laid_out) == rust_tokens("\n" + "\n".join(stream)) == stream


@given(st.lists(tokens, min_size=1), tokens, st.data())
def test_changing_any_token_changes_the_form(stream: list[str], token: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(stream) - 1))
    changed = [*stream[:at], token, *stream[at + 1 :]]
    assert (code(stream) == code(changed)) == (stream == changed)
    assert code(stream) != code([*stream[:at], *stream[at + 1 :]])


openers = ["answer:", "\\boxed{", "```rust\n", 'r#"']
hostile = st.lists(st.sampled_from([*"/*\"'\\#`~\n ra1.e_{}(),:$\0\u200b\u00e9", *openers])).map("".join)


@given(st.sampled_from(TaskType), st.one_of(st.text(), hostile, st.text(st.characters(categories=["Cs", "Cc", "Zs"]))))
def test_any_text_has_a_form_of_bounded_size(task: TaskType, text: str) -> None:
    form = canonical_form(task, text)
    assert len(form) <= 2 * len(text.encode("utf-8", "surrogatepass")) + 8
    assert form == canonical_form(task, text)


@given(st.sampled_from([TaskType.FINAL, TaskType.OPEN]), st.one_of(st.text(), hostile))
def test_folding_ascii_case_and_blanks_never_changes_a_form(task: TaskType, text: str) -> None:
    shouted = text.encode().upper().replace(b" ", b" \t").decode()
    assert canonical_form(task, shouted) == canonical_form(task, text)


units = [
    *(
        "/*",
        "/*/",
        "*/",
        "/* */",
        "//",
        "//\n",
        'r#"',
        'r"',
        'r##""#',
        'b"',
        '"\\',
        "b'\\a",
        "'a",
        "'",
        "#",
        "r#",
        "1.",
        "1_",
        "1e",
    ),
    *(
        "0x",
        "_",
        ".",
        "<",
        " ",
        "\n",
        "`",
        "```\n",
        "````\n~~~\n",
        "answer",
        "answer:",
        "answer \t",
        "\\boxed{",
        "{",
        "}",
        "\\(",
    ),
    *("*", "$ ", "1,000", "1,111,", "0", "(a", "\u00e9", "\u200b"),
]


@pytest.mark.parametrize("unit", units)
@pytest.mark.parametrize("prefix", ["", "r" + "#" * 255 + '"', "answer:", "\\boxed{", "```rust\n"])
def test_hostile_repetition_of_64_kib(prefix: str, unit: str) -> None:
    """No scan is quadratic: one would take minutes here instead of milliseconds."""
    text = prefix + unit * ((1 << 16) // len(unit))
    for task in TaskType:
        assert len(canonical_form(task, text)) <= 2 * len(text.encode()) + 8
