"""A node starts without tree-sitter, which only the extra `rust` brings."""

import subprocess
import sys

import pytest

BLOCKED = "import sys; sys.modules['tree_sitter'] = None; import "

ASKED = """
from node.api.asking import Question
from node.rounds.asking.errors import AskError
from node.rounds.asking.asked_tests import NO_READER, check_tests
try:
    check_tests(Question.single("Add.", tests="#[test] fn adds() {}"))
except AskError as error:
    assert str(error) == NO_READER, error
else:
    raise AssertionError("tests were read")
"""


def run(program: str) -> str:
    """Return what a program says that Python runs in a process of its own; empty if all went well."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize("module", ["node.daemon", "node.cli.demo", "node.cli.doctor.command"])
def test_modules_of_a_node_are_imported_without_the_grammar(module: str) -> None:
    assert run(BLOCKED + module) == ""


def test_a_question_with_tests_is_refused_in_one_line_without_the_grammar() -> None:
    assert run(BLOCKED + "node.rounds" + ASKED) == ""
