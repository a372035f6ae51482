"""The bounds of the parser: counts of bytes, nodes, depth and operations, never time."""

import pytest

from node.findings.reading import grammar
from node.findings.reading.grammar import BYTES_MAX, DEPTH_MAX, descendants, parse


def test_rust_has_a_tree() -> None:
    tree = parse("fn f() {}")
    assert tree is not None
    assert not tree.faulty
    assert [tree.text(node) for node in tree.root.named_children] == ["fn f() {}"]


def test_other_text_has_a_faulty_tree() -> None:
    tree = parse("this is no Rust")
    assert tree is not None
    assert tree.faulty


def test_texts_beyond_the_bounds_have_none() -> None:
    assert parse(" " * BYTES_MAX) is not None
    assert parse(" " * (BYTES_MAX + 1)) is None
    assert parse("é" * (BYTES_MAX // 2 + 1)) is None
    assert parse("fn f() {}\0") is None
    assert parse("\ud800") is None
    assert parse(";" * 60_000) is None
    assert parse("fn f() { " + "-" * (DEPTH_MAX - 20) + "x }") is not None
    assert parse("fn f() { " + "-" * DEPTH_MAX + "x }") is None


def test_a_parse_that_takes_too_many_steps_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "fn f() { let x = 3; }\n" * 500
    assert parse(program) is not None
    monkeypatch.setattr(grammar, "OPERATIONS_MAX", 10)
    assert parse(program) is None


def test_descendants_stand_in_the_order_of_the_text() -> None:
    tree = parse("fn f(a: u8) {} struct S;")
    assert tree is not None
    found = list(descendants(tree.root))
    assert len(found) == tree.root.descendant_count
    assert [node.start_byte for node in found] == sorted(node.start_byte for node in found)
    kinds = [node.type for node in descendants(tree.root, below=frozenset({"function_item"}))]
    assert kinds == ["source_file", "function_item", "struct_item", "struct", "type_identifier", ";"]


def test_descendants_of_a_node_stay_within_it() -> None:
    tree = parse("fn f() {} fn g() {}")
    assert tree is not None
    first = tree.root.named_children[0]
    assert all(node.end_byte <= first.end_byte for node in descendants(first))
