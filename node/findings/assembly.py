"""Puts an answer, the calls of it, examples and the asker's tests together into one crate.

The answer's text comes first and is the root of the crate, so that its `crate::` paths mean what they say. All that is
ours stands behind it in modules of our own. An answer that closes a module, defines `main`, our names or our symbols
makes its own crate fail to build, which says nothing about any other answer.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from node.findings.checks.asker_tests import AskerTest, AskerTests
from node.findings.reading.std_names import BUILT_IN_CRATES, STD_MODULES

_SHADOWED: Final = (
    "assert", "assert_eq", "assert_ne", "debug_assert", "debug_assert_eq", "debug_assert_ne", "matches", "panic",
    "unreachable", "vec", "format",
)  # fmt: skip
"""Macros of std that tests use. A macro of the answer's reaches to the end of its file: `macro_rules! assert_eq` would
turn each test into nothing."""

_CRATES_MAX: Final = 4
"""Names of the answer's crate. Tests have one; two files of tests may have two."""

_NOT_CRATES: Final = (
    STD_MODULES
    | BUILT_IN_CRATES
    | {"crate", "self", "super", "rustfmt", "clippy", "bool", "char", "str", "f32", "f64"}
    | {f"{sign}{size}" for sign in "iu" for size in ("8", "16", "32", "64", "128", "size")}
)
_WORD: Final = re.compile(r"[a-z_][a-z0-9_]*")
_HEAD: Final = re.compile(r"(?<![\w:])(?<!::\s)([a-z_][a-z0-9_]*)::(?!<)")
_NAMED: Final = re.compile(r"\b(?:mod|struct|enum|trait|type|crate)\s+([a-z_][a-z0-9_]*)")
_USE: Final = re.compile(r"\buse\s")

_IMPORT_CHARACTERS_MAX: Final = 2000
"""Length of one import that is looked at, up to its semicolon: those of people have some hundred."""

_CALLS: Final = """
#[doc(hidden)]
#[allow(warnings, clippy::all)]
mod __strand_calls {{
    use super::*;
{allocator}{call}
    static EXAMPLES: &[fn() -> ::std::string::String] = &[{examples}
    ];
    ::strand_harness::export!({callee}, EXAMPLES, &[{tests}]);
}}
"""

_EXAMPLES: Final = "// Examples."

_ALLOCATOR: Final = """    #[global_allocator]
    static ALLOCATOR: ::strand_harness::CountingAllocator = ::strand_harness::CountingAllocator;
"""


@dataclass(frozen=True, slots=True)
class Example:
    """An example in the query, fitted to one answer."""

    shown: str
    """The Rust expression whose value is shown."""
    comparison: str
    """A Rust expression that must have a type, or the example does not fit the answer; it is never evaluated."""
    expected: str
    """The `Debug` text that the value must have. It is compared outside of the sandbox."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A crate to build, and what is in it to run."""

    text: str
    has_call: bool
    examples: tuple[Example, ...]
    test_count: int

    @property
    def runs_something(self) -> bool:
        """Whether there is a reason to build it."""
        return self.has_call or bool(self.examples) or self.test_count > 0

    def examples_at(self, lines: Collection[int]) -> frozenset[Example]:
        """Return the examples that stand in these lines, from 1."""
        first = self.text[: self.text.index(_EXAMPLES)].count("\n") + 2
        return frozenset(example for at, example in enumerate(self.examples, first) if at in lines)


def assemble(
    source: str, *, call: str = "", examples: Sequence[Example] = (), tests: AskerTests | None = None
) -> Assembled:
    """Return the crate of an answer.

    Args:
        source: The answer's program.
        call: Rust text that defines `pub fn __call(g: &mut ::strand_harness::G) -> String`; empty: no inputs are drawn.
        examples: Of the query, fitted to the answer.
        tests: The asker's.
    """
    # An answer or a test that measures allocation has an allocator of its own, and there can only be one.
    own_allocator = "global_allocator" in source or (tests is not None and "global_allocator" in tests.text)
    ours = _CALLS.format(
        allocator="" if own_allocator else _ALLOCATOR,
        call=call,
        # A line each: `examples_at` finds those that the compiler objects to.
        examples=_EXAMPLES + "".join(f"\n{_one_line(_shown(example))}," for example in examples),
        callee="::std::option::Option::Some(__call)" if call else "::std::option::Option::None",
        tests="" if tests is None else ", ".join(_entry(test) for test in tests.tests),
    )
    return Assembled(
        text=f"{source}\n{_tests_module(source, tests)}{ours}",
        has_call=bool(call),
        examples=tuple(examples),
        test_count=0 if tests is None else len(tests.tests),
    )


def _shown(example: Example) -> str:
    return f"|| {{ if false {{ let _ = {example.comparison}; }} ::strand_harness::show!({example.shown}) }}"


def _one_line(code: str) -> str:
    # A line break within a text literal becomes part of an escape that skips it: `examples_of` lets none through.
    return " ".join(code.splitlines())


def _entry(test: AskerTest) -> str:
    panics = "None" if test.panics_with is None else f"Some({test.panics_with})"
    run = f"|| ::strand_harness::passed(super::__strand_tests::{test.path}())"
    return f"::strand_harness::Test {{ run: {run}, panics_with: ::std::option::Option::{panics} }}"


def _tests_module(source: str, tests: AskerTests | None) -> str:
    if tests is None:
        return ""
    macros = "".join(
        f"    macro_rules! {name} {{ ($($all:tt)*) => {{ ::std::{name}!($($all)*) }} }}\n" for name in _SHADOWED
    )
    aliases = "".join(f"extern crate self as {name};\n" for name in _crates(source, tests))
    module = f"mod __strand_tests {{\n{macros}    use super::*;\n{tests.text}\n}}\n"
    return f"{aliases}#[doc(hidden)]\n#[allow(warnings)]\n{module}"


def _crates(source: str, tests: AskerTests) -> list[str]:
    """Names by which the tests mean the answer's crate, as in `anagram::anagrams_for(...)`.

    A name that the answer or the tests give to something is none: an alias would collide with it.
    """
    taken = {*_NAMED.findall(source), *_NOT_CRATES}
    for imports in _imports(source):
        taken.update(_WORD.findall(imports))
    own = {*_NAMED.findall(tests.text)}
    uses = _imports(tests.text)
    imported = [imports.partition("::")[0].strip() for imports in uses]
    bound = {name for imports in uses for name in _WORD.findall(imports.partition("::")[2])}
    named = [head for head in _HEAD.findall(tests.text) if head not in bound]
    heads = dict.fromkeys((*tests.crates, *imported, *named))
    return [head for head in heads if _WORD.fullmatch(head) and head not in taken and head not in own][:_CRATES_MAX]


def _imports(text: str) -> list[str]:
    """Return the text of each `use` declaration up to its semicolon. Linear in the text, which is hostile."""
    imports: list[str] = []
    for statement in text.split(";")[:-1]:
        found = _USE.search(statement, max(0, len(statement) - _IMPORT_CHARACTERS_MAX))
        if found is not None:
            imports.append(statement[found.end() :])
    return imports
