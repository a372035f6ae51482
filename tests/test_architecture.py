"""The house rules that a machine can check: who imports what, and how large things may grow."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.errors import FaultReason

ROOT = Path(__file__).parents[1]
PACKAGES = ("protocol", "consensus", "node", "simnet")
PURE = ("protocol", "consensus")

FILE_LINES_MAX = 520
FUNCTION_LINES_MAX = 75
CONSTRUCTOR_ARGUMENTS_MAX = 8
"""besides self"""

IMPURE = {
    "asyncio", "datetime", "io", "logging", "multiprocessing", "os", "pathlib", "secrets", "select", "shutil", "signal",
    "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "trio", "urllib", "uuid",
}  # fmt: skip
"""Clocks, sockets, files, entropy and processes: what comes from them is given to pure code as an argument."""


def sources(*packages: str) -> Iterator[Path]:
    """Every source file but those of frozen readers, which are copies of what was checked when it was written."""
    for package in packages or PACKAGES:
        yield from (path for path in sorted((ROOT / package).rglob("*.py")) if "frozen" not in path.parts)


TREES = {path: ast.parse(path.read_text()) for path in sources()}
NAMES = {path: str(path.relative_to(ROOT)) for path in TREES}

files = pytest.mark.parametrize("path", list(TREES), ids=list(NAMES.values()))
pure_files = pytest.mark.parametrize("path", list(sources(*PURE)), ids=lambda path: str(path.relative_to(ROOT)))


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Every import as (module, name), also those within functions."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{NAMES[path]}: a relative import"
            yield from ((node.module or "", alias.name) for alias in node.names)


def importers(library: str) -> set[str]:
    return {NAMES[path] for path in TREES for module, _ in imports(path) if module.split(".")[0] == library}


def test_there_is_something_to_check() -> None:
    assert {NAMES[path].split("/")[0] for path in TREES} == set(PACKAGES)
    assert importers("hashlib") and importers("dataclasses")


def test_only_the_codec_knows_msgpack() -> None:
    assert importers("msgpack") == {"protocol/codec.py"}


def test_only_the_overlay_knows_libp2p() -> None:
    found = importers("libp2p")
    assert found and all(name.startswith("node/overlay") for name in found), found


def test_only_one_module_knows_opentelemetry() -> None:
    assert importers("opentelemetry") == {"node/watch/spans.py"}


def test_only_one_module_knows_tree_sitter() -> None:
    for library in ("tree_sitter", "tree_sitter_rust"):
        assert importers(library) == {"node/findings/reading/grammar.py"}


def test_layers() -> None:
    """The same contract as import-linter's, so that it holds wherever the tests run."""
    below = {
        "protocol": {"protocol"},
        "consensus": {"protocol", "consensus"},
        "simnet": {"protocol", "consensus", "simnet", "configs"},
    }
    for path in TREES:
        package = NAMES[path].split("/")[0]
        known = below.get(package)
        own = {module.split(".")[0] for module, _ in imports(path)} & {*PACKAGES, "configs", "tests"}
        if known is not None:
            assert own <= known, f"{NAMES[path]} imports {own - known}"
        assert "tests" not in own
        if package == "node" and "simnet" in own:
            assert NAMES[path] == "node/cli/sim.py"


@pure_files
def test_pure_code_fetches_nothing(path: Path) -> None:
    allowed = {"protocol", "consensus", "msgpack", "nacl", "numpy"}
    for module, name in imports(path):
        root = module.split(".")[0]
        assert root not in IMPURE, f"imports {module}"
        if root == "random":
            assert name == "Random", f"uses random.{name or '*'}: a generator comes in, seeded"
        if root == "numpy":
            assert path.is_relative_to(ROOT / "consensus")
        assert root in allowed or root in sys.stdlib_module_names, f"imports {module}"
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input", "exec", "eval", "__import__"}
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("np", "numpy"):
            assert node.attr != "random", "draws are our own (R8)"


def test_a_verified_message_is_made_in_one_place() -> None:
    made = {
        NAMES[path]
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _called(node) == "VerifiedMessage"
    }
    assert made == {"protocol/signing.py"}


def _called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


@files
def test_files_are_short(path: Path) -> None:
    lines = path.read_text().count("\n")
    assert lines < FILE_LINES_MAX


@files
def test_functions_are_short_and_constructors_take_little(path: Path) -> None:
    for node in ast.walk(TREES[path]):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        assert node.end_lineno is not None
        lines = node.end_lineno - node.lineno + 1
        assert lines < FUNCTION_LINES_MAX, f"{node.name} has {lines} lines"
        if node.name == "__init__":
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs][1:]
            assert len(arguments) < CONSTRUCTOR_ARGUMENTS_MAX, f"line {node.lineno}: {len(arguments)} arguments"


BLIND_EDGES = (
    "node/overlay/",
    "node/http/edge.py",
    "node/cli/main.py",
    "node/work/testing.py",
    "node/gold/program_testing.py",
)
"""A handler's bug must not end libp2p's tasks, nor a request the node, nor may what a stranger's program does to its
reader; a command's last words are a line, no traceback."""


@files
def test_nothing_is_caught_blindly(path: Path) -> None:
    """`except Exception` and wider only at the edges."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.ExceptHandler):
            names = {each.id for each in ast.walk(node.type) if isinstance(each, ast.Name)} if node.type else {""}
            blind = names & {"", "Exception", "BaseException"}
            assert not blind or NAMES[path].startswith(BLIND_EDGES), f"line {node.lineno}"


@files
def test_nothing_is_left_for_later(path: Path) -> None:
    text = path.read_text()
    for word in ("TODO", "FIXME", "XXX"):
        assert f"# {word}" not in text


def test_every_reason_to_refuse_is_used() -> None:
    """A reason that no code gives is a promise to the reader that nobody keeps."""
    used = {
        node.attr
        for path, tree in TREES.items()
        if NAMES[path] != "protocol/errors.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "FaultReason"
    }
    assert used == {reason.name for reason in FaultReason}


def test_every_promise_names_tests_that_exist() -> None:
    """SECURITY.md: behind each promise stands a test, by its path below tests/ without the ending."""
    table = (ROOT / "SECURITY.md").read_text().partition("## What is promised")[2].partition("## ")[0]
    named = [row.rsplit("|", 2)[1] for row in table.splitlines() if row.startswith("| ") and "| T " in row]
    paths = [path.strip() for cell in named for path in cell.partition("T ")[2].split("(")[0].split(",")]
    assert len(paths) > 20
    missing = [p for p in paths if not (ROOT / "tests" / p).is_dir() and not (ROOT / "tests" / f"{p}.py").is_file()]
    assert not missing
