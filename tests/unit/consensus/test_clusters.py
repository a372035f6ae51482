import pytest

from consensus.ranking.clusters import canonical_form, cluster
from consensus.ranking.rust_tokens import rust_tokens
from protocol.types import TaskType


@pytest.mark.parametrize(
    ("source", "tokens"),
    [
        ("", []),
        ("fn f() -> u8 { 1 }", ["fn", "f", "(", ")", "->", "u8", "{", "1", "}"]),
        # numbers
        ("1..2", ["1", "..", "2"]),
        ("1..=2", ["1", "..=", "2"]),
        ("1.0e-3_f64", ["1.0e-3_f64"]),
        ("1e+1_0", ["1e+1_0"]),
        ("1. + 2.", ["1.", "+", "2."]),
        ("1.max(2)", ["1", ".", "max", "(", "2", ")"]),
        ("0xFF_u8 0b1_0 0o7 1_000usize", ["0xFF_u8", "0b1_0", "0o7", "1_000usize"]),
        ("0x1e+3", ["0x1e", "+", "3"]),
        ("2.5f32", ["2.5f32"]),
        # characters and lifetimes
        ("'a'", ["'a'"]),
        ("&'a str", ["&", "'a", "str"]),
        ("'\\'' '\\\\' '\\u{1F600}' b'\\n' '\"' 'é'", ["'\\''", "'\\\\'", "'\\u{1F600}'", "b'\\n'", "'\"'", "'é'"]),
        ("'_ 'static '\\x41'", ["'_", "'static", "'\\x41'"]),
        ("x::<'a,'b>", ["x", "::", "<", "'a", ",", "'b", ">"]),
        # strings
        (r'"a\"b" b"c" c"d"', [r'"a\"b"', 'b"c"', 'c"d"']),
        ('r"\\" r#"a"b"# br##"x"#y"## cr"z"', ['r"\\"', 'r#"a"b"#', 'br##"x"#y"##', 'cr"z"']),
        ('"// no comment" "/* nor this"', ['"// no comment"', '"/* nor this"']),
        ('"a\r\nb"', ['"a\nb"']),
        # identifiers
        ("r#match r # match", ["r#match", "r", "#", "match"]),
        ("größe naïve_1", ["größe", "naïve_1"]),
        ("_ _x", ["_", "_x"]),
        # punctuation
        ("a && b", ["a", "&&", "b"]),
        ("a & &b", ["a", "&", "&", "b"]),
        ("a<-1", ["a", "<", "-", "1"]),
        ("Vec<Vec<u8>>=", ["Vec", "<", "Vec", "<", "u8", ">", ">", "="]),
        ("a+=b||c", ["a", "+=", "b", "||", "c"]),
        ("...$x:expr?@~", ["...", "$", "x", ":", "expr", "?", "@", "~"]),
        # comments and layout
        ("a // x\n/// doc\n//! doc\nb", ["a", "b"]),
        ("a/* /* nested */ still */b", ["a", "b"]),
        ("/*/ */ a", ["a"]),
        ("a\u2028b\u200ec\x85d", ["a", "b", "c", "d"]),
        ("#!/usr/bin/env run\na", ["a"]),
        ("#![allow(x)]", ["#", "!", "[", "allow", "(", "x", ")", "]"]),
        ("#! [allow(x)]", ["#", "!", "[", "allow", "(", "x", ")", "]"]),
        ("\ufeffa", ["a"]),
        # a zero-width blank is a letter like any other
        ("a\u200bb", ["a\u200bb"]),
    ],
)
def test_tokens(source: str, tokens: list[str]) -> None:
    assert rust_tokens(source) == tokens


@pytest.mark.parametrize(
    "source",
    [
        *('"open', "/* open", "/* /* */", 'r#"open"', 'r##"open"#', 'r"'),
        *("'ab'", "''", "'\\", "`", "\\", "a\0b", '"\0"', "\x01"),
        "r" + "#" * 256 + '""' + "#" * 256,
    ],
)
def test_text_that_does_not_lex(source: str) -> None:
    assert rust_tokens(source) is None


F = "fn f() {}"


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        (f"Here it is:\n```rust\n{F}\n```\nIt works.", F),
        (f"```rs\n{F}\n```", F),
        (f"```\n{F}\n```", F),
        (f"~~~ Rust,ignore\n{F}\n~~~", F),
        (f"1. First\n      ```rust\r\n      {F}\r\n      ```\r\n", F),
        ("```rust\nfn f()\n```\nand\n```rust\n{}\n```", F),
        (f"```python\nprint()\n```\n```rust\n{F}\n```", F),
        (f"```rust\n{F}", F),
        (f"````\n{F} // ```\n````", F),
        (f"```rust\n/*\n~~~\n*/ {F}\n```", F),
        ("/// Documented.\nfn f( )\n{\n}", F),
        ("``` a `b` ```\nx", "``` a `b` ```\nx\n"),
    ],
)
def test_code_is_compared_by_the_tokens_of_its_fences(text: str, same_as: str) -> None:
    assert canonical_form(TaskType.CODE, text) == canonical_form(TaskType.CODE, same_as) != b""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a b", "ab"),
        ("'a b'", "'ab'"),
        ('"a" "b"', '"a b"'),
        ('"a  b"', '"a b"'),
        ("a && b", "a & &b"),
        ("f(a,)", "f(a)"),
        ("a_\u200b", "a_"),
        ('"open', '"open x'),
        ("rust", "`rust"),
        ("text\0a", "text a"),
    ],
)
def test_different_code_has_different_forms(one: str, other: str) -> None:
    assert canonical_form(TaskType.CODE, one) != canonical_form(TaskType.CODE, other)


@pytest.mark.parametrize("text", ["", " \n", "// only a comment", "```rust\n```", "```rust\n/* nothing */\n```\nprose"])
def test_code_without_a_token_is_no_answer(text: str) -> None:
    assert canonical_form(TaskType.CODE, text) == b""


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Answer: 42", b"42"),
        ("The answer : **42**.", b"42"),
        ("**Final Answer:** $42$\nThank you", b"42"),
        ("__ANSWER__: 42.", b"42"),
        ("Answer:\n\n  42\n", b"42"),
        ("Answer: 1\nNo, wait.\nAnswer: 2", b"2"),
        ("Reanswer: 1\n2", b"2"),
        ("so $\\boxed{42}$", b"42"),
        ("Answer: $\\boxed{42}$", b"42"),
        ("\\boxed{7}, or rather\nAnswer: 42", b"42"),
        ("\\boxed{\\frac{1}{2}} follows", b"\\frac{1}{2}"),
        ("\\boxed{\\{1\\}}", b"\\{1\\}"),
        ("\\boxed{42", b"42"),
        ("Let me think.\nIt is 42.\n```\n", b"it is 42"),
        ("\\(42\\)", b"42"),
        ("Answer: (B)", b"b"),
        ("Answer: B)", b"b"),
        ("Answer: B", b"b"),
        ("Answer: (B) Paris", b"(b) paris"),
        ("1,234,567.00", b"1234567"),
        ("-1,234.50", b"-1234.50"),
        ("1,2,3", b"1,2,3"),
        ("12,34", b"12,34"),
        ("42.0", b"42"),
        ("1.70", b"1.70"),
        ("1.0.0", b"1.0.0"),
        (".5", b".5"),
        ("Stra\u00dfe \u00c4  X", "stra\u00dfe \u00c4 x".encode()),
        ("\u0664\u0662", "\u0664\u0662".encode()),
        ("42\u200b", "42\u200b".encode()),
        ("", b""),
        ("...", b""),
        ("**Answer:** \n", b""),
    ],
)
def test_final_values(text: str, form: bytes) -> None:
    assert canonical_form(TaskType.FINAL, text) == form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (" A\t b\r\n\nC ", b"a b c"),
        ("\u0130\u00a0\u2003x", "\u0130\u00a0\u2003x".encode()),
        ("\x1c\x85", "\x1c\x85".encode()),
        (" \n", b""),
    ],
)
def test_open_text_is_folded_in_ascii_only(text: str, form: bytes) -> None:
    assert canonical_form(TaskType.OPEN, text) == form


def test_clusters_are_numbered_by_first_appearance() -> None:
    assert cluster([b"y", b"x", b"y", b"z", b"x"]) == (0, 1, 0, 2, 1)
    assert cluster([]) == ()
