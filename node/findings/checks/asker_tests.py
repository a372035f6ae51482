"""The asker's tests: a file of Rust read into the text of one module, with the names of its tests.

Three forms are understood: `#[cfg(test)] mod tests { use super::*; ... }`, a file of tests as it lies beside a crate
(`use anagram::*;`), and bare assertions, one a line.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from node.findings.reading.grammar import BYTES_MAX, Node, SyntaxTree, descendants, parse
from node.findings.reading.imports import imported_crates
from node.findings.reading.prompt_code import is_bare

TESTS_MAX: Final = 255
"""Tests that are run: as many as a report can count."""

_HOLDS: Final = frozenset(
    {
        "test", "unix", "not(windows)", 'target_os="linux"', 'target_family="unix"', "debug_assertions", "not(miri)",
        'panic="unwind"',
    }
)  # fmt: skip
"""Conditions that hold wherever tests are run."""

_COMMENTS: Final = frozenset({"line_comment", "block_comment"})
_HINT: Final = "add one, as in: #[test] fn adds() { assert_eq!(add(1, 2), 3); }"


@dataclass(frozen=True, slots=True)
class AskerTest:
    """One test of the asker's."""

    path: str
    """Path within the module, as `tests::adds`."""
    panics_with: str | None = None
    """It passes by a panic whose message holds this text, given as a Rust literal; None: it must not panic."""


@dataclass(frozen=True, slots=True)
class AskerTests:
    """The tests of an asker's file, ready to be assembled with an answer."""

    text: str
    """Items of a module that stands beside the answer's and begins with `use super::*`. Test functions are visible in
    the crate, and compiled without `--test`."""
    tests: tuple[AskerTest, ...]
    """Tests in the order in which they are counted."""
    crates: tuple[str, ...]
    """Names from which they import: they mean the crate of the answer, unless it has a module of that name."""


@dataclass(frozen=True, slots=True)
class UnusableTests:
    """Reason why a file holds no tests that can be run."""

    reason: str
    """One line for the user, with what to do."""


@dataclass(slots=True)
class _Reading:
    """Changes to the text, by byte offsets in ascending order, and what was found on the way."""

    changes: list[tuple[int, int, str]] = field(default_factory=list)
    tests: list[AskerTest] = field(default_factory=list)
    problem: str = ""
    """The first reason against the file."""

    def object(self, problem: str) -> None:
        """Note a reason against the file."""
        self.problem = self.problem or problem


def read_tests(text: str) -> AskerTests | UnusableTests:
    """Return the tests of a file of Rust, or what stands against it."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if len(text) > BYTES_MAX or len(text.encode(errors="replace")) > BYTES_MAX:
        return UnusableTests(f"The tests have more than {BYTES_MAX} bytes: leave some out.")
    tree = parse(text)
    if tree is None:
        return UnusableTests("The tests are too deeply nested, or hold a NUL: write them more simply.")
    if tree.faulty:
        return UnusableTests(f"The tests are not Rust: look at line {_first_fault(tree)}.")
    reading = _Reading()
    statements = _read_items(tree, tree.root, "", reading)
    appended = _wrap_statements(tree, statements, reading)
    if reading.problem:
        return UnusableTests(reading.problem)
    if not reading.tests:
        return UnusableTests(f"The tests hold no function with #[test] and no assertion: {_HINT}")
    if len(reading.tests) > TESTS_MAX:
        return UnusableTests(f"The tests are {len(reading.tests)}, more than {TESTS_MAX}: leave some out.")
    return AskerTests(_changed(tree.content, reading.changes) + appended, tuple(reading.tests), imported_crates(tree))


def _read_items(tree: SyntaxTree, body: Node, path: str, reading: _Reading) -> list[Node]:
    """Note the tests of one module, whose path ends in `::` unless it is the outermost; return its statements."""
    attributes: list[Node] = []
    statements: list[Node] = []
    for node in body.named_children:
        if node.type in _COMMENTS:
            if tree.text(node).startswith(("//!", "/*!")):
                # It would have to stand before everything else.
                reading.changes.append((node.start_byte + 2, node.start_byte + 3, " "))
            continue
        if node.type == "attribute_item":
            attributes.append(node)
            continue
        texts = ["".join(tree.text(attribute).split()) for attribute in attributes]
        if node.type in ("inner_attribute_item", "shebang"):
            reading.changes.append((node.start_byte, node.end_byte, ""))
        elif node.type in ("expression_statement", "let_declaration"):
            statements.append(node)
        elif node.type == "mod_item":
            _read_module(tree, node, path, attributes, reading)
        elif node.type == "function_item":
            _read_function(tree, node, path, list(zip(attributes, texts, strict=True)), reading)
        attributes = []
    return statements


def _read_module(tree: SyntaxTree, node: Node, path: str, attributes: Sequence[Node], reading: _Reading) -> None:
    name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    if name is None or body is None:
        label = "" if name is None else tree.text(name)
        reading.object(f"The tests need a file of their own for `mod {label};`: write the module into this file.")
        return
    texts = ["".join(tree.text(attribute).split()) for attribute in attributes]
    if any(_is_conditional(text) for text in texts):
        return
    for attribute, text in zip(attributes, texts, strict=True):
        # Without `--test` the compiler would drop what is for tests only.
        if text == "#[cfg(test)]":
            reading.changes.append((attribute.start_byte, attribute.end_byte, ""))
    _show(node, reading)
    _read_items(tree, body, f"{path}{tree.text(name)}::", reading)


def _read_function(
    tree: SyntaxTree, node: Node, path: str, attributes: Sequence[tuple[Node, str]], reading: _Reading
) -> None:
    name, parameters = node.child_by_field_name("name"), node.child_by_field_name("parameters")
    if name is None or parameters is None:
        return
    label = tree.text(name)
    texts = [text for _, text in attributes]
    foreign = next((text for text in texts if text.endswith("::test]") or "::test(" in text), "")
    if foreign:
        reading.object(f"The test {label} needs another crate ({foreign[:40]}): only #[test] can be run.")
        return
    if "#[test]" not in texts or any(_is_conditional(text) for text in texts):
        _read_other(tree, node, path, label, reading)
        return
    if parameters.named_child_count or any(child.type == "type_parameters" for child in node.children):
        reading.object(f"The test {label} has parameters: a test has none.")
        return
    for attribute, text in attributes:
        if text.startswith(("#[test]", "#[should_panic", "#[ignore", "#[cfg(test)]")):
            reading.changes.append((attribute.start_byte, attribute.end_byte, ""))
    _show(node, reading)
    reading.tests.append(AskerTest(path + label, _panics_with(tree, attributes)))


def _is_conditional(attribute: str) -> bool:
    """Whether an item may be left out by the compiler, so that its tests cannot be counted on."""
    # `#[should_panic(...)]` and `#[allow(...)]` are no conditions, though they end like one.
    conditional = attribute.startswith(("#[cfg(", "#[cfg_attr("))
    return conditional and attribute.removeprefix("#[cfg(").removesuffix(")]") not in _HOLDS


def _read_other(tree: SyntaxTree, node: Node, path: str, label: str, reading: _Reading) -> None:
    """A function that is no test: a helper, unless it only stands for what is asked for."""
    body = node.child_by_field_name("body")
    if not path and (label == "main" or is_bare(tree, body)):
        # It would hide the answer's.
        reading.changes.append((node.start_byte, node.end_byte, ""))


def _show(node: Node, reading: _Reading) -> None:
    """Make an item visible in the crate."""
    if all(child.type != "visibility_modifier" for child in node.children):
        reading.changes.append((node.start_byte, node.start_byte, "pub(crate) "))


def _panics_with(tree: SyntaxTree, attributes: Sequence[tuple[Node, str]]) -> str | None:
    for attribute, text in attributes:
        if text.startswith("#[should_panic"):
            literals = ("string_literal", "raw_string_literal")
            return next((tree.text(node) for node in descendants(attribute) if node.type in literals), '""')
    return None


def _wrap_statements(tree: SyntaxTree, statements: Sequence[Node], reading: _Reading) -> str:
    """Bare statements as tests: each assertion one of its own, all together where some bind variables."""
    if not statements:
        return ""
    for node in statements:
        reading.changes.append((node.start_byte, node.end_byte, ""))
    reading.changes.sort()
    bound = any(node.type == "let_declaration" for node in statements)
    groups = [statements] if bound else [[node] for node in statements]
    functions: list[str] = []
    for group in groups:
        name = f"line_{group[0].start_point.row + 1}_{group[0].start_point.column + 1}"
        body = " ".join(tree.text(node) for node in group)
        functions.append(f"\npub(crate) fn {name}() {{ {body} }}\n")
        reading.tests.append(AskerTest(name))
    return "".join(functions)


def _first_fault(tree: SyntaxTree) -> int:
    """The line of the first fault, from 1."""
    faults = (node for node in descendants(tree.root) if node.is_error or node.is_missing)
    first = next(faults, tree.root)
    return first.start_point.row + 1


def _changed(content: bytes, changes: Sequence[tuple[int, int, str]]) -> str:
    parts: list[bytes] = []
    position = 0
    for start, end, new in changes:
        parts += [content[position:start], new.encode()]
        position = end
    parts.append(content[position:])
    return b"".join(parts).decode(errors="replace")
