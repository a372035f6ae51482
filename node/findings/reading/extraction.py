"""Extracts one Rust program from an answer: fenced blocks, prose between them, imports that were forgotten.

A pure function of the text: every tester of a round extracts the same bytes, and its report names their digest. What
the extractor changes in its output for any text changes `EXTRACTOR_VERSION`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final

from node.findings.reading import declarations
from node.findings.reading.aliases import Expander
from node.findings.reading.fences import Block, fenced_blocks
from node.findings.reading.given import with_given
from node.findings.reading.grammar import BYTES_MAX, Node, SyntaxTree, descendants, parse
from node.findings.reading.imports import foreign_crates, missing_imports
from node.findings.reading.merging import Part, merge, part_of
from node.findings.reading.rust_types import Enumeration, Function, Implementation, Structure
from protocol.messages import Turn

EXTRACTOR_VERSION: Final = 1
"""Stands in the tool versions of an offer: only testers of equal versions are compared."""

DIGEST_BYTES: Final = 16

ITEMS_MAX: Final = 512
"""Functions, types, implementations or tests of a program that are told; the rest is compiled, but not looked at."""

_ITEM_STARTS: Final = (
    "#[", "#!", "//", "/*", "async ", "const ", "enum ", "extern ", "fn ", "impl ", "impl<", "macro_rules!", "mod ",
    "pub ", "pub(", "static ", "struct ", "trait ", "type ", "union ", "unsafe ", "use ",
)  # fmt: skip
"""Beginnings of an item's first line, in a text without fences."""

_ADDED: Final = "#[allow(unused_imports)] use {};\n"


@dataclass(frozen=True, slots=True)
class Source:
    """The program of an answer, as the text of one module without crate attributes."""

    text: str
    digest: bytes
    """BLAKE2b of the text, `DIGEST_BYTES` long."""
    functions: tuple[Function, ...]
    """Functions at the top of the module, but tests and `main`."""
    helpers: frozenset[str]
    """Names of functions that other functions call, tests and `main` not counted."""
    structures: tuple[Structure, ...]
    enumerations: tuple[Enumeration, ...]
    implementations: tuple[Implementation, ...]
    tests: tuple[str, ...]
    """Paths of functions with `#[test]`, as `tests::adds`."""
    unsafe_count: int
    """Number of `unsafe` blocks, functions, traits and implementations."""
    uses_crates: tuple[str, ...]
    """Names of crates that do not come with the compiler: with any of them the program cannot be tested."""
    missing_modules: tuple[str, ...]
    """Modules that should stand in files of their own; likewise."""

    @property
    def self_contained(self) -> bool:
        """Whether it needs neither a crate nor a file beside it."""
        return not self.uses_crates and not self.missing_modules


def extract(text: str, turns: Sequence[Turn] = ()) -> Source | None:
    """Return the program that an answer holds; None: it holds none, or one beyond the bounds of `grammar`.

    Idempotent on what it returns, if that is Rust: `extract(source.text)` is the same source.

    Args:
        text: the answer.
        turns: the query; what it gives as code, and the answer uses without repeating it, becomes part of the program.
    """
    if len(text) > BYTES_MAX:
        return None
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    blocks = fenced_blocks(text)
    program = _unfenced(text) if not blocks or _reads_as_rust(text) else _of_blocks(blocks)
    program = with_given(program, turns).strip("\n \t")
    return _source(f"{program}\n") if program else None


def _reads_as_rust(text: str) -> bool:
    """Whether the whole text is a program, whose comments or strings may hold fences."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    if not first.startswith(_ITEM_STARTS):
        return False
    tree = parse(text)
    return tree is not None and not tree.faulty and part_of(tree).defines


def _unfenced(text: str) -> str:
    """Return the program of a text without fences: from its first line that starts an item to its last that ends one.

    Nothing if no name is defined there.
    """
    lines = text.split("\n")
    starts = [index for index, line in enumerate(lines) if line.startswith(_ITEM_STARTS)]
    ends = [index for index, line in enumerate(lines) if line.rstrip().endswith(("}", ";", "*/")) or "//" in line]
    if not starts or not ends:
        return ""
    tree = parse("\n".join(lines[starts[0] : ends[-1] + 1]) + "\n")
    if tree is None:
        return ""
    part = part_of(tree)
    return merge([part]) if part.defines else ""


def _of_blocks(blocks: Sequence[Block]) -> str:
    """Return the program of fenced blocks: those that say Rust, and unlabelled ones that are Rust."""
    labelled: list[tuple[Block, Part]] = []
    for block in blocks:
        tree = parse(block.text) if block.says_rust or not block.label else None
        if tree is not None:
            labelled.append((block, part_of(tree)))
    sound = [part for block, part in labelled if block.says_rust or not part.tree.faulty]
    # An answer whose only code is faulty and unlabelled: the compiler shall tell.
    return merge(sound) or merge([part for _, part in labelled if part.defines])


def _source(program: str) -> Source | None:
    tree = parse(program)
    if tree is None:
        return None
    added = "".join(_ADDED.format(path) for path in missing_imports(tree))
    final = added + program
    if len(final.encode()) > BYTES_MAX:
        return None
    items = tree.root.named_children
    aliases = [declarations.read_alias(tree, node) for node in items if node.type == "type_item"]
    expander = Expander(dict(alias for alias in aliases[:ITEMS_MAX] if alias is not None))
    function_nodes = _functions(tree, items)
    functions = [declarations.read_function(tree, node) for node in function_nodes]
    read = [expander.function(function) for function in functions[:ITEMS_MAX] if function is not None]
    blocks = [declarations.read_implementation(tree, node) for node in items if node.type == "impl_item"]
    return Source(
        text=final,
        digest=blake2b(final.encode(), digest_size=DIGEST_BYTES).digest(),
        functions=tuple(function for function in read if function.name != "main"),
        helpers=_helpers(tree, function_nodes),
        structures=_structures(tree, items, expander),
        enumerations=_enumerations(tree, items, expander),
        implementations=tuple(each for each in blocks[:ITEMS_MAX] if each is not None),
        tests=_tests(tree, tree.root)[:ITEMS_MAX],
        unsafe_count=sum(_is_unsafe(node) for node in descendants(tree.root)),
        uses_crates=foreign_crates(tree),
        missing_modules=_missing_modules(tree)[:ITEMS_MAX],
    )


def _structures(tree: SyntaxTree, items: Sequence[Node], expander: Expander) -> tuple[Structure, ...]:
    nodes = [node for node in items if node.type == "struct_item"][:ITEMS_MAX]
    found = [each for node in nodes if (each := declarations.read_structure(tree, node)) is not None]
    return tuple(each if each.fields is None else replace(each, fields=expander.fields(each.fields)) for each in found)


def _enumerations(tree: SyntaxTree, items: Sequence[Node], expander: Expander) -> tuple[Enumeration, ...]:
    nodes = [node for node in items if node.type == "enum_item"][:ITEMS_MAX]
    found = [each for node in nodes if (each := declarations.read_enumeration(tree, node)) is not None]
    return tuple(
        replace(each, variants=tuple((label, expander.fields(fields)) for label, fields in each.variants))
        if each.variants is not None
        else each
        for each in found
    )


def _functions(tree: SyntaxTree, items: Sequence[Node]) -> list[Node]:
    """Functions among `items` that are neither tests nor compiled for tests only."""
    found: list[Node] = []
    for_tests = False
    for node in items:
        if node.type == "attribute_item":
            for_tests |= _attribute(tree, node) in ("test", "cfg(test)", "bench")
        elif node.type not in ("line_comment", "block_comment"):
            if node.type == "function_item" and not for_tests:
                found.append(node)
            for_tests = False
    return found


def _helpers(tree: SyntaxTree, functions: Sequence[Node]) -> frozenset[str]:
    """Names of functions that the bodies of other ones mention, `main` excepted: also of one that is passed on."""
    found: set[str] = set()
    names: set[str] = set()
    for node in functions:
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name is None or body is None:
            continue
        names.add(tree.text(name))
        if tree.text(name) != "main":
            mentioned = {tree.text(each) for each in descendants(body) if each.type == "identifier"}
            found |= mentioned - {tree.text(name)}
    return frozenset(found & names)


def _tests(tree: SyntaxTree, root: Node) -> tuple[str, ...]:
    """Paths of all functions with `#[test]`, in the order of the text."""
    found: list[str] = []
    pending: list[tuple[Node, str]] = [(root, "")]
    while pending:
        body, path = pending.pop(0)
        is_test = False
        for node in body.named_children:
            name = node.child_by_field_name("name")
            if node.type == "attribute_item":
                is_test |= _attribute(tree, node) == "test"
            elif node.type not in ("line_comment", "block_comment"):
                if node.type == "function_item" and is_test and name is not None:
                    found.append(path + tree.text(name))
                inner = node.child_by_field_name("body")
                if node.type == "mod_item" and inner is not None and name is not None:
                    pending.append((inner, f"{path}{tree.text(name)}::"))
                is_test = False
    return tuple(found)


def _attribute(tree: SyntaxTree, node: Node) -> str:
    """The text of an attribute without its brackets and spaces."""
    inner = node.named_children[:1]
    return "".join(tree.text(inner[0]).split()) if inner else ""


def _missing_modules(tree: SyntaxTree) -> tuple[str, ...]:
    names: list[str] = []
    for node in descendants(tree.root):
        name = node.child_by_field_name("name") if node.type == "mod_item" else None
        if name is not None and node.child_by_field_name("body") is None:
            names.append(tree.text(name))
    return tuple(names)


def _is_unsafe(node: Node) -> bool:
    """Whether it is the keyword before a block, a function, a trait or an implementation, not a type's."""
    if node.type != "unsafe":
        return False
    parent = node.parent
    if parent is not None and parent.type == "function_modifiers":
        # A function's, not a function type's.
        holder = parent.parent
        return holder is not None and holder.type in ("function_item", "function_signature_item")
    return parent is not None and parent.type in ("unsafe_block", "trait_item", "impl_item")
