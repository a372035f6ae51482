"""Examples in a query turned into checks of an answer: assertions, documentation tests, and plain words.

Only what is beyond doubt: a wrong check would set right answers aside. A check that does not compile with an answer
says nothing about it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from node.findings.checks.example_prose import prose_examples
from node.findings.checks.plain_values import fitted_call, plain_call, plain_value
from node.findings.reading.fences import fenced_blocks, without_blocks
from node.findings.reading.grammar import Node, SyntaxTree, descendants, parse
from node.findings.reading.imports import foreign_crates, imports_of
from node.findings.reading.rust_types import Function, Implementation
from protocol.messages import Turn
from protocol.types import TurnRole

CHECKS_MAX: Final = 32
"""Checks of a query, the first ones: each is run for each answer."""

CHECK_BYTES_MAX: Final = 4096
"""Length of one check."""

_ASSERTIONS: Final = frozenset({"assert", "assert_eq", "assert_ne"})
_WORDS: Final = frozenset({"as", "else", "false", "if", "in", "let", "match", "move", "mut", "ref", "self", "true"})


@dataclass(frozen=True, slots=True)
class Check:
    """One example: two Rust expressions that must be equal in the answer's module."""

    expression: str
    expected: str
    """`true` where the example is an assertion."""
    plain: bool = False
    """Whether it comes from prose, so that its types are not Rust's: it holds only as `fitted` to a function."""

    @property
    def comparison(self) -> str:
        """A Rust expression of type `bool`."""
        return self.expression if self.expected == "true" else f"({self.expression}) == ({self.expected})"


def checks_of(turns: Sequence[Turn]) -> tuple[Check, ...]:
    """Return the examples of a query's last turn by its asker, in the order of the text, at most `CHECKS_MAX`.

    Earlier turns may have asked for something else.
    """
    asked = next((turn.text for turn in reversed(turns) if turn.role is TurnRole.USER), "")
    found = dict.fromkeys((*_code_checks(asked), *_prose_checks(asked)))
    expected: dict[str, set[str]] = {}
    for check in found:
        expected.setdefault(check.expression, set()).add(check.expected)
    # A call with two results is no example of either.
    sound = (check for check in found if len(expected[check.expression]) == 1)
    return tuple(check for check in sound if len(check.comparison.encode()) <= CHECK_BYTES_MAX)[:CHECKS_MAX]


def fitted(checks: Sequence[Check], found: Function | Implementation | None) -> tuple[Check, ...]:
    """Return the checks that can be run on an answer, each once, with the types of its function.

    A list becomes a vector or a slice, text a `String`, as the function has it. A check that is Rust already stays as
    it is where it does not fit; one from prose is left out.
    """
    function = found if isinstance(found, Function) else None
    kept: dict[Check, None] = {}
    for check in checks:
        pair = None if function is None else fitted_call(check.expression, check.expected, function)
        if pair is not None:
            kept.setdefault(Check(*pair))
        elif not check.plain:
            kept.setdefault(check)
    return tuple(kept)


def _code_checks(text: str) -> Iterator[Check]:
    for block in fenced_blocks(text):
        tree = parse(block.text) if block.says_rust or not block.label else None
        if tree is None or tree.faulty:
            continue
        yield from _block_checks(tree)
        yield from _documentation_checks(tree)


def _prose_checks(text: str) -> Iterator[Check]:
    """Examples in prose, in blocks that are no Rust, and in comments beside calls."""
    yield from (Check(call, expected, plain=True) for call, expected in prose_examples(without_blocks(text)))
    for block in fenced_blocks(text):
        tree = parse(block.text) if block.says_rust or not block.label else None
        if tree is None or tree.faulty or not any(node.type in _DECLARING for node in tree.root.named_children):
            yield from (Check(call, expected, plain=True) for call, expected in prose_examples(block.text))


_DECLARING: Final = frozenset({"function_item", "impl_item", "struct_item", "enum_item", "trait_item", "mod_item"})


def _block_checks(tree: SyntaxTree) -> Iterator[Check]:
    """The assertions at the top of a block, in its `main`, and in its tests."""
    yield from _statement_checks(tree, tree.root)
    is_test = False
    pending = [*tree.root.named_children]
    while pending:
        node = pending.pop(0)
        if node.type == "attribute_item":
            is_test |= "".join(tree.text(node).split()) == "#[test]"
            continue
        body = node.child_by_field_name("body")
        if node.type == "function_item" and body is not None:
            name = node.child_by_field_name("name")
            if is_test or (name is not None and tree.text(name) == "main"):
                yield from _statement_checks(tree, body)
        elif node.type == "mod_item" and body is not None:
            pending = [*body.named_children, *pending]
        is_test = False


_STATEMENTS: Final = frozenset({"expression_statement", "let_declaration"})


def _statement_checks(tree: SyntaxTree, body: Node) -> Iterator[Check]:
    """Each assertion that needs nothing around it; otherwise all statements together as one check."""
    statements = [node for node in body.named_children if node.type in _STATEMENTS]
    assertions = [(node, check) for node in statements if (check := _assertion(tree, node)) is not None]
    if not assertions:
        return
    if all(node.type == "expression_statement" for node in statements) and all(
        _is_closed(tree, node) for node, _ in assertions
    ):
        yield from (check for _, check in assertions)
        return
    crates = set(foreign_crates(tree))
    kept = [
        tree.text(node)
        for node in body.named_children
        if node.type in _STATEMENTS or (node.type == "use_declaration" and not _uses(tree, node, crates))
    ]
    yield Check(f"{{ {' '.join(kept)} true }}", "true")


def _uses(tree: SyntaxTree, declaration: Node, crates: set[str]) -> bool:
    """Whether an import is of the answer itself, under the name of some crate."""
    leaves = imports_of(tree, declaration)
    return any(leaf.path[:1] and (leaf.path[0] in crates or leaf.path[0] in ("super", "crate")) for leaf in leaves)


def _assertion(tree: SyntaxTree, statement: Node) -> Check | None:
    """The check that an assertion is; None for other statements."""
    call = statement.named_children[0] if statement.named_child_count else None
    if call is None or call.type != "macro_invocation":
        return None
    macro = call.child_by_field_name("macro")
    tokens = next((child for child in call.children if child.type == "token_tree"), None)
    if macro is None or tokens is None or tree.text(macro) not in _ASSERTIONS:
        return None
    parts = _arguments(tree, tokens)
    match tree.text(macro), parts:
        case "assert", [condition, *_]:
            return Check(condition, "true")
        case "assert_eq", [left, right, *_]:
            return _oriented(left, right)
        case "assert_ne", [left, right, *_]:
            return Check(f"({left}) != ({right})", "true")
        case _:
            return None


def _oriented(left: str, right: str) -> Check:
    """The call on the left, whichever way round the assertion has it."""
    if plain_call(left) is None and plain_call(right) is not None and plain_value(left) is not None:
        return Check(right, left)
    return Check(left, right)


def _arguments(tree: SyntaxTree, tokens: Node) -> list[str]:
    """The texts between the commas of a macro's tokens."""
    parts: list[str] = []
    start = tokens.start_byte + 1
    for child in tokens.children:
        if child.type == "," or child.end_byte == tokens.end_byte:
            parts.append(tree.content[start : child.start_byte].decode(errors="replace").strip())
            start = child.end_byte
    return [part for part in parts if part]


def _is_closed(tree: SyntaxTree, statement: Node) -> bool:
    """Whether an assertion names no variable: all lower-case names in it are called, or parts of a path."""
    for tokens in descendants(statement):
        if tokens.type != "token_tree":
            continue
        children = tokens.children
        for index, child in enumerate(children):
            if child.type != "identifier" or tree.text(child)[:1].isupper() or tree.text(child) in _WORDS:
                continue
            before = children[index - 1].type if index else ""
            after = children[index + 1].type if index + 1 < len(children) else ""
            if before not in (".", "::") and after not in ("token_tree", "::", "!"):
                return False
    return True


def _documentation_checks(tree: SyntaxTree) -> Iterator[Check]:
    """Documentation tests: the code blocks in `///` comments, of which rustdoc takes unlabelled ones for Rust."""
    lines: list[str] = []
    for node in descendants(tree.root, below=frozenset({"block", "token_tree"})):
        if node.type == "line_comment":
            text = tree.text(node).rstrip("\n")
            if text.startswith(("///", "//!")):
                lines.append(text[3:].removeprefix(" "))
    for block in fenced_blocks("\n".join(lines)):
        if block.label not in ("", "rust", "rs", "no_run", "should_panic"):
            continue
        if {block.label, *block.attributes} & {"no_run", "should_panic", "ignore", "compile_fail"}:
            continue
        # rustdoc hides such lines from the reader, and compiles them.
        code = "\n".join(line.removeprefix("# ") if line != "#" else "" for line in block.text.split("\n"))
        inner = parse(code)
        if inner is not None and not inner.faulty:
            yield from _block_checks(inner)
