"""Turns a right program into wrong ones: each differs from it in one place, as mistakes of people and models do.

A mutant is only a candidate: `node.gold.selection` keeps those that compile, fail a test and behave otherwise.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from random import Random
from typing import Final

from consensus.ranking.rust_tokens import rust_tokens
from node.findings.reading.grammar import Node, SyntaxTree, descendants, parse
from node.gold.edits import Edit, applied, replacing

MUTANTS_MAX: Final = 512
"""Mutants of one program: the largest of the corpus has some hundred. More places are not looked at."""


class Operator(StrEnum):
    """Kind of change by which a mutant differs from the right program."""

    BOUNDARY = "boundary"
    """`<` and `<=`, `>` and `>=`, `..` and `..=`: differs at the edge alone."""
    COMPARISON = "comparison"
    """The direction of a comparison, or equal and unequal."""
    ARITHMETIC = "arithmetic"
    LOGIC = "logic"
    """`&&` and `||`."""
    OFF_BY_ONE = "off_by_one"
    """A number that is one too large or too small."""
    INITIAL_VALUE = "initial_value"
    """A variable that begins with another value."""
    CONDITION = "condition"
    """A condition that is negated."""
    DROPPED_STATEMENT = "dropped_statement"
    DROPPED_BRANCH = "dropped_branch"
    """A special case that is not looked at: an `if` without `else`, or a guarded arm."""
    ARMS = "arms"
    """Two arms of a match whose bodies are swapped."""
    ARGUMENTS = "arguments"
    """Two neighbouring arguments that are swapped."""
    METHOD = "method"
    """A method whose name is near the right one: `min` and `max`, `any` and `all`, `saturating_` and `wrapping_`."""
    DROPPED_CALL = "dropped_call"
    """A step that is missing in a chain of calls."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A program that differs from a right one in one place."""

    operator: Operator
    program: str


_BINARY: Final = {
    "<": (Operator.BOUNDARY, "<="), "<=": (Operator.BOUNDARY, "<"),
    ">": (Operator.BOUNDARY, ">="), ">=": (Operator.BOUNDARY, ">"),
    "==": (Operator.COMPARISON, "!="), "!=": (Operator.COMPARISON, "=="),
    "+": (Operator.ARITHMETIC, "-"), "-": (Operator.ARITHMETIC, "+"),
    "*": (Operator.ARITHMETIC, "+"), "/": (Operator.ARITHMETIC, "%"), "%": (Operator.ARITHMETIC, "/"),
    "<<": (Operator.ARITHMETIC, ">>"), ">>": (Operator.ARITHMETIC, "<<"),
    "&": (Operator.ARITHMETIC, "|"), "|": (Operator.ARITHMETIC, "&"),
    "&&": (Operator.LOGIC, "||"), "||": (Operator.LOGIC, "&&"),
}  # fmt: skip

_MIRRORED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}

_NEGATED: Final = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}

_PAIRS: Final = (
    ("min", "max"), ("any", "all"), ("first", "last"), ("take", "skip"), ("front", "back"), ("find", "rfind"),
    ("push_front", "push_back"), ("pop_front", "pop_back"), ("starts_with", "ends_with"), ("position", "rposition"),
    ("is_some", "is_none"), ("is_ok", "is_err"), ("strip_prefix", "strip_suffix"), ("trim_start", "trim_end"),
    ("to_uppercase", "to_lowercase"), ("to_ascii_uppercase", "to_ascii_lowercase"), ("floor", "ceil"),
    ("saturating_add", "wrapping_add"), ("saturating_sub", "wrapping_sub"), ("saturating_mul", "wrapping_mul"),
    ("checked_add", "checked_sub"), ("min_by_key", "max_by_key"), ("is_some_and", "is_none_or"), ("sum", "product"),
    ("split_once", "rsplit_once"), ("take_while", "skip_while"), ("filter", "skip_while"), ("chars", "bytes"),
    ("is_alphanumeric", "is_alphabetic"), ("is_ascii_alphabetic", "is_ascii_lowercase"), ("trim", "trim_start"),
    ("rem_euclid", "wrapping_rem"), ("abs", "signum"), ("windows", "chunks"), ("split_whitespace", "lines"),
    ("unsigned_abs", "count_ones"), ("chunks_exact", "chunks"), ("then", "or"), ("extend", "clone_from"),
)  # fmt: skip
"""Methods that are confused, each with the other. What does not fit does not compile, and is not kept."""

_NEIGHBOURS: Final = {
    one: tuple(b if one == a else a for a, b in _PAIRS if one in (a, b)) for pair in _PAIRS for one in pair
}

_DROPPABLE: Final = frozenset(
    {"rev", "abs", "trim", "skip", "take", "filter", "min", "max", "dedup", "sorted", "to_ascii_lowercase",
     "to_lowercase", "then", "then_with", "saturating_sub", "rem_euclid", "step_by", "signum", "unsigned_abs"}
)  # fmt: skip
"""Methods that may be missing from a chain."""

_EXITS: Final = frozenset({"return_expression", "continue_expression", "break_expression"})


def mutants(program: str, random: Random) -> tuple[Mutant, ...]:
    """Return the mutants of a program in random order, each operator's turn by turn, so that the first ones differ."""
    tree = parse(program)
    if tree is None or tree.faulty:
        return ()
    known = {tuple(rust_tokens(program) or ())}
    by_operator: dict[Operator, list[Mutant]] = {each: [] for each in Operator}
    for operator, edits in _changes(tree):
        if len(known) > MUTANTS_MAX:
            break
        text = applied(tree.content, edits)
        tokens = tuple(rust_tokens(text) or ())
        if tokens not in known:
            known.add(tokens)
            by_operator[operator].append(Mutant(operator, text))
    queues = [queue for queue in by_operator.values() if queue]
    for queue in queues:
        random.shuffle(queue)
    random.shuffle(queues)
    drawn: list[Mutant] = []
    while queues:
        drawn += [queue.pop() for queue in queues]
        queues = [queue for queue in queues if queue]
    return tuple(drawn)


Change = tuple[Operator, list[Edit]]


def _changes(tree: SyntaxTree) -> Iterator[Change]:
    """Yield every change of the tree, in the order of the text."""
    for node in descendants(tree.root, below=frozenset({"attribute_item", "use_declaration", "token_tree"})):
        if (maker := _MAKERS.get(node.type)) is not None:
            yield from maker(tree, node)


def _of_binary(tree: SyntaxTree, node: Node) -> Iterator[Change]:
    operator = node.child_by_field_name("operator")
    if operator is None:
        return
    sign = tree.text(operator)
    if sign in _BINARY:
        kind, other = _BINARY[sign]
        yield kind, [replacing(operator, other)]
    if sign in _MIRRORED:
        yield Operator.COMPARISON, [replacing(operator, _MIRRORED[sign])]


def _of_compound(tree: SyntaxTree, node: Node) -> Iterator[Change]:
    operator = node.child_by_field_name("operator")
    if operator is not None and (sign := tree.text(operator)[:-1]) in _BINARY:
        yield Operator.ARITHMETIC, [replacing(operator, _BINARY[sign][1] + "=")]


def _of_range(_tree: SyntaxTree, node: Node) -> Iterator[Change]:
    has_end = node.children[-1].type not in ("..", "..=")
    for child in node.children:
        if has_end and child.type in ("..", "..="):
            yield Operator.BOUNDARY, [replacing(child, "..=" if child.type == ".." else "..")]


def _of_integer(tree: SyntaxTree, node: Node) -> Iterator[Change]:
    if node.parent is None or node.parent.type in ("field_expression", "const_item", "array_type"):
        return
    digits = tree.text(node).replace("_", "")
    if digits.isdecimal():
        value = int(digits)
        for other in (value + 1, value - 1):
            if other >= 0:
                yield Operator.OFF_BY_ONE, [replacing(node, str(other))]


def _of_let(tree: SyntaxTree, node: Node) -> Iterator[Change]:
    value = node.child_by_field_name("value")
    is_mutable = any(child.type == "mutable_specifier" for child in node.children)
    if value is None or not is_mutable:
        return
    other = {"0": "1", "1": "0", "true": "false", "false": "true"}.get(tree.text(value))
    if other is not None:
        yield Operator.INITIAL_VALUE, [replacing(value, other)]


def _of_if(tree: SyntaxTree, node: Node) -> Iterator[Change]:
    condition = node.child_by_field_name("condition")
    if condition is None or condition.type in ("let_condition", "let_chain"):
        return
    yield Operator.CONDITION, [_negated(tree, condition)]
    consequence, alternative = (node.child_by_field_name(name) for name in ("consequence", "alternative"))
    statement = node.parent
    if alternative is None and statement is not None and statement.type == "expression_statement":
        yield Operator.DROPPED_BRANCH, [_without_line(tree, statement)]
    elif alternative is not None and alternative.named_children and consequence is not None:
        inner = alternative.named_children[0]
        if inner.type == "block":
            yield (
                Operator.CONDITION,
                [replacing(consequence, tree.text(inner)), replacing(inner, tree.text(consequence))],
            )


def _negated(tree: SyntaxTree, condition: Node) -> Edit:
    """Return the edit that negates a condition in the way that a person would write it."""
    operator = condition.child_by_field_name("operator")
    if condition.type == "binary_expression" and operator is not None and tree.text(operator) in _NEGATED:
        return replacing(operator, _NEGATED[tree.text(operator)])
    text = tree.text(condition)
    if condition.type == "unary_expression" and text.startswith("!"):
        return replacing(condition, text[1:])
    return replacing(condition, f"!({text})" if condition.type == "binary_expression" else f"!{text}")


def _of_statement(tree: SyntaxTree, node: Node) -> Iterator[Change]:
    inner = node.named_children[0] if node.named_children else None
    if inner is None or inner.type in _EXITS or inner.type in ("if_expression", "match_expression", "block"):
        return
    if inner.type in ("call_expression", "assignment_expression", "compound_assignment_expr", "try_expression"):
        yield Operator.DROPPED_STATEMENT, [_without_line(tree, node)]


def _without_line(tree: SyntaxTree, node: Node) -> Edit:
    """Return the edit that removes a statement with its line, so that no gap shows where it stood."""
    start, end = node.start_byte, node.end_byte
    before = tree.content.rfind(b"\n", 0, start) + 1
    if not tree.content[before:start].strip() and tree.content[end : end + 1] == b"\n":
        return Edit(before, end + 1, "")
    return Edit(start, end, "")


def _of_match(tree: SyntaxTree, node: Node) -> Iterator[Change]:
    arms = [child for child in node.named_children if child.type == "match_arm"]
    for one, other in pairwise(arms):
        bodies = [each for each in (one.child_by_field_name("value"), other.child_by_field_name("value")) if each]
        if len(bodies) == 2 and tree.text(bodies[0]) != tree.text(bodies[1]):
            first, second = bodies
            yield Operator.ARMS, [_as_body(tree, one, first, second), _as_body(tree, other, second, first)]
    for arm in arms:
        pattern = arm.child_by_field_name("pattern")
        guard = None if pattern is None else pattern.child_by_field_name("condition")
        if pattern is not None and guard is not None:
            yield Operator.DROPPED_BRANCH, [_without_line(tree, arm)]
            if guard.type not in ("let_condition", "let_chain"):
                yield Operator.CONDITION, [_negated(tree, guard)]


def _as_body(tree: SyntaxTree, arm: Node, body: Node, other: Node) -> Edit:
    """Return the edit that gives an arm another arm's body; what is no block needs a comma behind it."""
    has_comma = arm.children[-1].type == ","
    return replacing(body, tree.text(other) + ("" if has_comma or other.type == "block" else ","))


def _of_call(tree: SyntaxTree, node: Node) -> Iterator[Change]:
    arguments = node.child_by_field_name("arguments")
    function = node.child_by_field_name("function")
    given = [] if arguments is None else arguments.named_children
    for one, other in pairwise(given):
        if tree.text(one) != tree.text(other):
            yield Operator.ARGUMENTS, [replacing(one, tree.text(other)), replacing(other, tree.text(one))]
    if function is None or function.type != "field_expression":
        return
    name, value = function.child_by_field_name("field"), function.child_by_field_name("value")
    if name is None or value is None:
        return
    for near in _NEIGHBOURS.get(tree.text(name), ()):
        yield Operator.METHOD, [replacing(name, near)]
    if tree.text(name) in _DROPPABLE:
        yield Operator.DROPPED_CALL, [Edit(value.end_byte, node.end_byte, "")]


_MAKERS: Final[dict[str, Callable[[SyntaxTree, Node], Iterator[Change]]]] = {
    "binary_expression": _of_binary,
    "compound_assignment_expr": _of_compound,
    "range_expression": _of_range,
    "integer_literal": _of_integer,
    "let_declaration": _of_let,
    "if_expression": _of_if,
    "expression_statement": _of_statement,
    "match_block": _of_match,
    "call_expression": _of_call,
}
