"""Tasks with four candidates, two right and two wrong, made of a canonical program, a buggy one and mutants.

Right and wrong are what the published tests say in the sandbox, not what a data set claims.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from consensus.ranking.rust_tokens import rust_tokens
from node.findings.checks.asker_tests import AskerTests, read_tests
from node.findings.reading.grammar import Node, SyntaxTree, descendants, parse
from node.findings.rust_sandbox import RustSandbox
from node.findings.tester import RustTester
from node.gold.edits import Edit, applied
from node.gold.mutation import mutants
from node.gold.ports import ProgramTest
from node.gold.program_testing import SandboxProgramTester
from node.gold.renaming import fresh_names, renamed
from protocol.types import CompileStatus
from tests.support.rust_scoring import Grade, score

MUTANTS_TRIED_MAX = 12
"""Mutants of one program that are scored before the task is left out: each takes half a second."""

RENAMINGS_MAX = 3
"""Renamings of one program that are tried before the task is left out."""

SEED_BYTES = 32


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer."""

    kind: str
    """canonical, renamed, buggy, or the mutation's operator."""
    program: str
    right: bool

    @property
    def text(self) -> str:
        """The answer as a model would write it."""
        return f"```rust\n{self.program.strip()}\n```"


@dataclass(frozen=True, slots=True)
class ChoiceTask:
    """A question with four candidates in the order of the members that give them."""

    name: str
    prompt: str
    tests: str
    """All published tests."""
    half: str
    """Half of their assertions, drawn at random."""
    candidates: tuple[Candidate, ...]
    wrong_differ: bool
    """Whether the two wrong programs were seen to behave differently; False: their behaviour cannot be observed."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """No task was made of a row."""

    name: str
    why: str


async def make_task(rust: RustSandbox, row: Mapping[str, Any], random: Random) -> ChoiceTask | LeftOut:
    """Make a task of one row of HumanEvalPack."""
    name, canonical, buggy = row["task"], row["declaration"] + row["canonical"], row["declaration"] + row["buggy"]
    tests = read_tests(row["test"])
    assert isinstance(tests, AskerTests), tests
    if await _grade(rust, canonical, tests) is not Grade.RIGHT or await _grade(rust, buggy, tests) is not Grade.WRONG:
        return LeftOut(name, "the published programs are not what they should be")
    other = await _renamed(rust, canonical, row["entry_point"], tests, random)
    if other is None:
        return LeftOut(name, "no other form of the canonical program")
    found = await _mutant(rust, row["instruction"], (canonical, buggy), tests, random)
    if found is None:
        return LeftOut(name, "no mutant that compiles, fails and differs from the buggy program")
    mutant, seen = found
    candidates = [
        Candidate("canonical", canonical, right=True),
        Candidate("renamed", other, right=True),
        Candidate("buggy", buggy, right=False),
        mutant,
    ]
    random.shuffle(candidates)
    return ChoiceTask(name, row["instruction"], row["test"], half_of(row["test"], random), tuple(candidates), seen)


async def _grade(rust: RustSandbox, program: str, tests: AskerTests) -> Grade:
    return (await score(rust, program, tests)).grade


async def _renamed(rust: RustSandbox, program: str, entry_point: str, tests: AskerTests, random: Random) -> str | None:
    """Return the program with other names for its variables, which passes the tests; None: there is none."""
    tree = parse(program)
    if tree is None or tree.faulty:
        return None
    for _ in range(RENAMINGS_MAX):
        text = renamed(tree, fresh_names(tree, {entry_point}, set(), random))
        if rust_tokens(text) != rust_tokens(program) and await _grade(rust, text, tests) is Grade.RIGHT:
            return text
    return None


async def _mutant(
    rust: RustSandbox, prompt: str, known: tuple[str, str], tests: AskerTests, random: Random
) -> tuple[Candidate, bool] | None:
    """Return a mutant of the first program that compiles, fails a test and behaves otherwise than the second one.

    Also returns whether that was seen. None: there is none.
    """
    canonical, buggy = known
    tester = SandboxProgramTester(RustTester(rust))
    for mutant in mutants(canonical, random)[:MUTANTS_TRIED_MAX]:
        if rust_tokens(mutant.program) == rust_tokens(buggy):
            continue
        if (await rust.check(mutant.program, lint=False)).status is not CompileStatus.COMPILES:
            continue
        if await _grade(rust, mutant.program, tests) is not Grade.WRONG:
            continue
        test = ProgramTest(prompt, "", random.randbytes(SEED_BYTES))
        one, other = await tester.test(test, [mutant.program, buggy])
        shown = [pair for pair in zip(one.outcomes, other.outcomes, strict=False) if all(pair)]
        differ = any(first != second for first, second in shown)
        if differ or not shown:
            return Candidate(mutant.operator.value, mutant.program, right=False), differ
    return None


def half_of(tests: str, random: Random) -> str:
    """Return the tests with half of their assertions, at least one."""
    tree = parse(tests)
    assert tree is not None and not tree.faulty, "published tests are Rust"
    asserts = list(_assertions(tree))
    kept = max(1, len(asserts) // 2)
    dropped = random.sample(asserts, len(asserts) - kept)
    return applied(tree.content, [Edit(node.start_byte, node.end_byte, "") for node in dropped])


def _assertions(tree: SyntaxTree) -> Iterator[Node]:
    """Yield the statements that assert something."""
    for node in descendants(tree.root):
        macro = node.child_by_field_name("macro") if node.type == "macro_invocation" else None
        if macro is not None and tree.text(macro).startswith("assert") and node.parent is not None:
            yield node.parent if node.parent.type == "expression_statement" else node
