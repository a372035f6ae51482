"""Puts an answer, the calls of it, examples and the asker's tests together into one crate.

The answer's text comes first and is the root of the crate, so that its `crate::` paths mean what they say. All that is
ours stands behind it in modules of our own. An answer that closes a module, defines `main`, our names or our symbols
makes its own crate fail to build, which says nothing about any other answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from node.findings.grammar import Node, SyntaxTree, descendants, parse

TESTS_MAX: Final = 255
"""Tests of an asker that are run: as many as a report can count."""

_SHADOWED: Final = (
    "assert", "assert_eq", "assert_ne", "debug_assert", "debug_assert_eq", "debug_assert_ne", "matches", "panic",
    "unreachable", "vec", "format",
)  # fmt: skip
"""Macros of std that tests use. A macro of the answer's reaches to the end of its file: `macro_rules! assert_eq` would
turn each test into nothing."""

_STD_ROOTS: Final = frozenset({"std", "core", "alloc", "crate", "self", "super", "proc_macro", "test"})

_CALLS: Final = """
#[doc(hidden)]
#[allow(warnings, clippy::all)]
mod __strand_calls {{
    use super::*;
{allocator}{call}
    static EXAMPLES: &[fn() -> ::std::string::String] = &[{examples}];
    #[no_mangle]
    pub unsafe extern "C" fn strand_run(item: *const ::strand_harness::Item) {{
        ::strand_harness::run_item(item, {callee}, EXAMPLES, {tests})
    }}
}}
"""

_EMPTY: Final = '""'

_ALLOCATOR: Final = """    #[global_allocator]
    static ALLOCATOR: ::strand_harness::CountingAllocator = ::strand_harness::CountingAllocator;
"""


class NoTestsError(Exception):
    """The asker's tests cannot be used. The message is a clause that says why."""


@dataclass(frozen=True, slots=True)
class AskerTests:
    """The asker's tests, made ready to stand in an answer's crate."""

    text: str
    names: tuple[str, ...]
    """Paths of the tests, in the order in which they are run."""
    entries: tuple[str, ...]
    """The same as Rust text: an element each of the harness's list."""
    crates: tuple[str, ...]
    """Names by which they call the answer's crate (`use anagram::*`)."""


NO_TESTS: Final = AskerTests("", (), (), ())


@dataclass(frozen=True, slots=True)
class Assembled:
    """A crate to build, and what is in it to run."""

    text: str
    has_call: bool
    example_count: int
    test_count: int


def assemble(source: str, *, call: str = "", examples: Sequence[str] = (), tests: AskerTests = NO_TESTS) -> Assembled:
    """Return the crate of an answer.

    Args:
        source: The answer's program.
        call: Rust text that defines `pub fn __call(g: &mut ::strand_harness::G) -> String`; empty: no inputs are drawn.
        examples: Expressions, each of whose value is shown.
        tests: The asker's.
    """
    shown = ", ".join(f"|| ::strand_harness::show!({expression})" for expression in examples)
    # An answer or a test that measures allocation has one of its own, and there can only be one.
    own_allocator = "global_allocator" in source or "global_allocator" in tests.text
    ours = _CALLS.format(
        allocator="" if own_allocator else _ALLOCATOR,
        call=call,
        examples=shown,
        callee="::std::option::Option::Some(__call)" if call else "::std::option::Option::None",
        tests=f"&[{', '.join(tests.entries)}]",
    )
    aliases = "".join(f"extern crate self as {name};\n" for name in tests.crates)
    return Assembled(
        text=f"{source}\n{aliases}{_tests_module(tests)}{ours}",
        has_call=bool(call),
        example_count=len(examples),
        test_count=len(tests.names),
    )


def _tests_module(tests: AskerTests) -> str:
    if not tests.names:
        return ""
    macros = "".join(
        f"    macro_rules! {name} {{ ($($all:tt)*) => {{ ::std::{name}!($($all)*) }} }}\n" for name in _SHADOWED
    )
    return f"#[doc(hidden)]\n#[allow(warnings)]\nmod __strand_tests {{\n{macros}    use super::*;\n{tests.text}\n}}\n"


@dataclass(slots=True)
class _Edits:
    """Changes to a text, by byte offsets in ascending order, and the tests found on the way."""

    changes: list[tuple[int, int, str]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    entries: list[str] = field(default_factory=list)


def read_tests(text: str) -> AskerTests:
    """Return an asker's tests as a module: each `#[test]` becomes an entry of a list that the harness runs.

    Both usual forms are understood: `#[cfg(test)] mod tests { use super::*; ... }`, and a file of tests beside the
    crate, which names it (`use anagram::*`). Raises NoTestsError: the text is too long or too deep, is no Rust, or
    holds no test.
    """
    tree = parse(text)
    if tree is None:
        raise NoTestsError("they are too long or too deeply nested")
    if tree.faulty:
        raise NoTestsError("they are not Rust")
    edits = _Edits()
    _collect(tree, tree.root, "", edits)
    if not edits.names:
        raise NoTestsError("they hold no function with #[test]")
    if len(edits.names) > TESTS_MAX:
        raise NoTestsError(f"they hold more than {TESTS_MAX} tests")
    return AskerTests(_changed(tree.content, edits.changes), tuple(edits.names), tuple(edits.entries), _crates(tree))


def _collect(tree: SyntaxTree, body: Node, path: str, edits: _Edits) -> None:
    """Note the changes within one module, whose path ends in `::` unless it is the outermost."""
    attributes: list[Node] = []
    for node in body.named_children:
        if node.type in ("line_comment", "block_comment"):
            continue
        if node.type == "attribute_item":
            attributes.append(node)
            continue
        named = node.child_by_field_name("name")
        name = "" if named is None else tree.text(named)
        texts = ["".join(tree.text(attribute).split()) for attribute in attributes]
        # The compiler would drop what is for `--test` only, and does not know the others without it.
        for attribute, text in zip(attributes, texts, strict=True):
            if text == "#[cfg(test)]" or text.startswith(("#[test]", "#[should_panic", "#[ignore")):
                edits.changes.append((attribute.start_byte, attribute.end_byte, ""))
        is_test = node.type == "function_item" and "#[test]" in texts
        private = all(child.type != "visibility_modifier" for child in node.children)
        if private and (is_test or node.type == "mod_item"):
            edits.changes.append((node.start_byte, node.start_byte, "pub(crate) "))
        inner = node.child_by_field_name("body")
        if is_test:
            edits.names.append(path + name)
            panics = _panics_with(tree, attributes, texts)
            run = f"|| ::strand_harness::passed(super::__strand_tests::{path}{name}())"
            edits.entries.append(f"::strand_harness::Test {{ run: {run}, panics_with: {panics} }}")
        elif node.type == "mod_item" and inner is not None:
            _collect(tree, inner, f"{path}{name}::", edits)
        attributes = []


def _panics_with(tree: SyntaxTree, attributes: Sequence[Node], texts: Sequence[str]) -> str:
    """What a test's panic must hold, as Rust: nothing for a test that must not panic."""
    for attribute, text in zip(attributes, texts, strict=True):
        if text.startswith("#[should_panic"):
            literals = ("string_literal", "raw_string_literal")
            expected = [tree.text(node) for node in descendants(attribute) if node.type in literals]
            return f"::std::option::Option::Some({expected[0] if expected else _EMPTY})"
    return "::std::option::Option::None"


def _crates(tree: SyntaxTree) -> tuple[str, ...]:
    """Names of crates from which the tests use something: they mean the answer's."""
    nodes = list(descendants(tree.root))
    modules = {tree.text(node) for node in _names_of(nodes, "mod_item")}
    names: dict[str, None] = {}
    for node in nodes:
        argument = node.child_by_field_name("argument") if node.type == "use_declaration" else None
        if argument is not None:
            root = tree.text(argument).removeprefix("::").split("::")[0].split(" ")[0]
            # A name in capitals is a type's, whose variants they use.
            if root.isidentifier() and root.islower() and root not in _STD_ROOTS and root not in modules:
                names[root] = None
    return tuple(names)


def _names_of(nodes: Sequence[Node], kind: str) -> list[Node]:
    return [name for node in nodes if node.type == kind for name in node.children_by_field_name("name")]


def _changed(content: bytes, changes: Sequence[tuple[int, int, str]]) -> str:
    parts = []
    at = 0
    for start, end, new in changes:
        parts += [content[at:start], new.encode()]
        at = end
    parts.append(content[at:])
    return b"".join(parts).decode(errors="replace")
