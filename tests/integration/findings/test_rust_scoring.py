"""The scorer on a sample of public tasks; all of them are in `tests.soak.rust_scorer`."""

import pytest

from node.findings.checks.asker_tests import AskerTests, read_tests
from node.findings.rust_sandbox import RustSandbox
from tests.support.rust_data import SETS, Task, missing
from tests.support.rust_scoring import Grade, score

SAMPLE_EACH = {"humanevalpack_rust": 79, "exercism_rust": 31, "rustevo2_std": 85}
"""Of so many tasks of a set one is scored."""


def sample() -> list[Task]:
    if missing():
        return []
    return [task for name, tasks in SETS.items() for task in list(tasks())[:: SAMPLE_EACH[name]]]


@pytest.mark.skipif(bool(missing()), reason=missing())
@pytest.mark.parametrize("task", [pytest.param(task, id=task.name) for task in sample()])
async def test_right_programs_pass_and_buggy_ones_fail(rust: RustSandbox, task: Task) -> None:
    tests = read_tests(task.tests)
    assert isinstance(tests, AskerTests)
    scored = await score(rust, task.source, tests, edition=task.edition, files=task.files)
    assert scored.grade is (Grade.RIGHT if task.right else Grade.WRONG), scored.counts


async def test_a_program_that_does_not_compile_or_return_is_wrong(rust: RustSandbox) -> None:
    tests = read_tests("#[test] fn one() { assert_eq!(f(), 1); }")
    assert isinstance(tests, AskerTests)
    assert (await score(rust, "fn f() -> i32 { 1 }", tests)).grade is Grade.RIGHT
    assert (await score(rust, 'fn f() -> i32 { "1" }', tests)).grade is Grade.WRONG
    assert (await score(rust, "fn f() -> i32 { std::process::exit(0) }", tests)).grade is Grade.WRONG
