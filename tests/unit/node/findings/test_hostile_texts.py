"""Texts that are made to take the reader's stack or time."""

import re
import sys
from collections.abc import Callable
from itertools import product
from types import FrameType
from typing import Final

import pytest

from node.findings.assembly import assemble
from node.findings.calling.wrappers import Unsupported, Wrapper, call_wrapper
from node.findings.checks.asker_tests import AskerTest, AskerTests, read_tests
from node.findings.checks.examples import checks_of
from node.findings.checks.plain_values import DEPTH_MAX, plain_call, plain_value
from node.findings.expected import debug_text
from node.findings.outcomes import TEXT_BYTES_MAX, _tokens, canonical
from node.findings.reading.abstract_types import abstract_signature
from node.findings.reading.aliases import SIZE_MAX
from node.findings.reading.extraction import extract
from node.findings.reading.grammar import BYTES_MAX
from protocol.conversation import single

FRAMES_MAX: Final = 300
"""Of Python's 1000: a reader has what the node's own tasks leave."""

WRAPPERS = ("vec![{}]", "[{}]", "({},)", "Some({})", "&{}")


def nested(wrapper: str, depth: int) -> str:
    before, after = wrapper.split("{}")
    return before * depth + "1" + after * depth


def frames_of(work: Callable[[], object]) -> int:
    """Return the depth of Python's stack that `work` needs."""
    depth = deepest = 0

    def see(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal depth, deepest
        depth += {"call": 1, "return": -1}.get(event, 0)
        deepest = max(deepest, depth)

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(before)
    return deepest


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("depth", [60, 240, 20_000])
def test_that_deep_values_are_no_plain_ones(wrapper: str, depth: int) -> None:
    text = nested(wrapper, depth)

    assert plain_value(text) is None
    assert debug_text(text) is None
    assert plain_call(f"f({text})") is None


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_that_values_within_the_depth_are_read(wrapper: str) -> None:
    assert plain_value(nested(wrapper, DEPTH_MAX)) is not None
    assert plain_value(nested(wrapper, DEPTH_MAX + 1)) is None
    assert frames_of(lambda: plain_value(nested(wrapper, 5 * DEPTH_MAX))) < FRAMES_MAX


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("depth", [240, 20_000])
def test_that_a_prompt_with_deep_values_is_read(wrapper: str, depth: int) -> None:
    text = nested(wrapper, depth)
    prompt = f"Write `f`.\n```rust\nassert_eq!(f(1), {text});\nassert_eq!({text}, f(1));\n```\nf(1) is {text[:380]}\n"

    assert frames_of(lambda: checks_of(single(prompt))) < FRAMES_MAX


# What the scanner was before it became linear: the reference for equal results.
_REFERENCE: Final = re.compile(
    r"""
    "(?:\\.|[^"\\])*" | '(?:\\.[^'\\]*|[^'\\])'
    | [A-Za-z_]\w*(?:::\w+)*
    | -?\d+(?:\.\d+)?(?:e-?\d+)?
    | \s+ | .
    """,
    re.VERBOSE | re.DOTALL,
)
PIECES = (
    '"',
    '\\"',
    "\\\\",
    "'",
    "\\'",
    "a",
    "::",
    "1.50",
    "e",
    " ",
    "{",
    "}",
    ",",
    "'x'",
    "'\\u{41}'",
    '"b"',
    "\n",
    "-",
)


@pytest.mark.parametrize("first", PIECES)
def test_that_tokens_are_those_of_the_plain_rule(first: str) -> None:
    for second, third in product(PIECES, repeat=2):
        text = first + second + third
        for whole in (text, f'Some("{text}")', f'["{text}, {text}", \'"\']', text * 3):
            assert _tokens(whole) == _REFERENCE.findall(whole)


@pytest.mark.parametrize(
    "piece", ['\\"', "\\'", "'\\", "'", '"', "b'", 'r#"', "'a ", "::", "a::", "-1.", "1e", "\\", " ", "é"]
)
def test_that_text_that_is_cut_is_read_to_its_end(piece: str) -> None:
    """Quadratic rules take minutes here."""
    body = piece * (TEXT_BYTES_MAX // len(piece))

    for text in (body, f'"{body}', f"'{body}"):
        assert canonical(text)


def test_that_imports_are_found_in_linear_time() -> None:
    tests = AskerTests("use ;use super::*; use  anagram::{a, b}; reuse x;", (AskerTest("t"),), ("anagram",))
    hostile = AskerTests("use " * 8_000 + "".join(f"a{n}::b " for n in range(4_000)), (AskerTest("t"),), ())

    assert "extern crate self as anagram;" in assemble("", call="", examples=(), tests=tests).text
    assert assemble(("use" + " " * 20) * 2_800, call="", examples=(), tests=hostile).text


BOX = "Box<{}>"
ALIASES = {
    "generic": f"type A<T> = {nested(BOX, 22).replace('1', 'T')};"
    f"\nfn f(x: {nested('A<{}>', 22).replace('1', 'u8')}) {{ }}",
    "chain": "\n".join(f"type A{n}<T> = {nested(BOX, 22).replace('1', f'A{n + 1}<T>')};" for n in range(30))
    + f"\nfn f(x: {nested(BOX, 22).replace('1', 'A0<A0<u8>>')}) {{ }}",
}


@pytest.mark.parametrize("name", ALIASES)
def test_that_aliases_do_not_multiply_the_depth_of_types(name: str) -> None:
    def read() -> object:
        source = extract(f"```rust\n{ALIASES[name]}\n```\n")
        assert source is not None
        return call_wrapper(source.functions[-1], source), abstract_signature(source.functions[-1])

    assert frames_of(read) < FRAMES_MAX


def doubling(steps: int) -> str:
    return "".join(f"type A{n + 1}<T> = (A{n}<T>, A{n}<T>);\n" for n in range(steps)) + "type A0<T> = T;\n"


LARGE = {
    "a chain of 40 that each double": f"{doubling(40)}fn f(x: A40<u8>) {{ }}",
    "a chain of 40 without parameters": "type A0 = u8;\n"
    + "".join(f"type A{n + 1} = (A{n}, A{n});\n" for n in range(40))
    + "fn f(x: A40) { }",
    "one that doubles within itself": f"type P<T> = (T, T);\nfn f(x: {nested('P<{}>', 22).replace('1', 'u8')}) {{ }}",
    "its result": f"type P<T> = (T, T);\nfn f() -> {nested('P<{}>', 22).replace('1', 'u8')} {{ }}",
    "sixty times itself": f"type W<T> = ({'T, ' * 60});\nfn f(x: W<W<W<W<W<u8>>>>>) {{ }}",
    "a long name": f"type A = {'a' * 3_000};\nfn f(x: (A, A)) {{ }}",
    "a long length": f"type A = [u8; {'1' * 3_000}];\nfn f(x: (A, A)) {{ }}",
}


def calls_of(work: Callable[[], object]) -> int:
    """Return how many calls of Python's functions `work` makes, which no machine's speed changes."""
    calls = 0

    def see(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("name", LARGE)
def test_that_types_of_aliases_that_double_are_small_and_unsupported(name: str) -> None:
    def read() -> None:
        source = extract(f"```rust\n{LARGE[name]}\n```\n")
        assert source is not None
        (function,) = source.functions
        assert len(abstract_signature(function)) < 2 * SIZE_MAX
        assert isinstance(call_wrapper(function, source), Unsupported)

    assert calls_of(read) < 100_000


def test_that_a_large_field_leaves_its_type_undrawn_and_the_others_as_they_are() -> None:
    large = nested("P<{}>", 22).replace("1", "u8")
    source = extract(f"type P<T> = (T, T);\nstruct S({large});\nfn f(s: S) {{}}\nfn g(p: P<u8>) -> u8 {{ p.0 }}")
    assert source is not None
    first, second = (call_wrapper(function, source) for function in source.functions)
    assert isinstance(first, Unsupported) and isinstance(second, Wrapper)


def test_that_a_program_of_many_large_types_is_read_in_bounded_work() -> None:
    large = nested("P<{}>", 7).replace("1", "u8")
    functions = "".join(f"fn f{n}(x: {large}) {{}}\n" for n in range(500))
    assert calls_of(lambda: extract(f"type P<T> = (T, T);\n{functions}")) < 1_000_000


@pytest.mark.parametrize("levels", [60, 127, 20_000])
def test_that_modules_and_imports_within_each_other_are_read(levels: int) -> None:
    modules = "mod a {" * levels + "#[test] fn t() {}" + "}" * levels
    imports = "use " + "a::{" * levels + "b" + "}" * levels + ";\nfn f() {}"

    assert frames_of(lambda: read_tests(modules[:BYTES_MAX])) < FRAMES_MAX
    assert frames_of(lambda: extract(f"```rust\n{imports}\n```\n")) < FRAMES_MAX
