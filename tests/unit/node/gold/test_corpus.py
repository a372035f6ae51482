"""The corpus: what is in it, that each right program is right, and which files are refused."""

import re
from collections import Counter
from pathlib import Path

import pytest

from node.gold.corpus import TASK_BYTES_MAX, CorpusError, Domain, corpus, read_task
from node.gold.variation import plain
from protocol.limits import TESTS_BYTES_MAX
from tests.support.bare_rust import build_and_test, needs_rustc

ASSERTION = re.compile(r"\bassert(?:_eq|_ne)?!")

FILE = b"""//! domain = "numbers"
//! difficulty = 1
//! [names]
//! half = ["halved"]
//! [constants]
//! BY = [2, 4]
//! ---
//! Write `{signature}`, which divides by {BY}.

const BY: u32 = 2;

pub fn half(value: u32) -> u32 {
    value / BY
}

//~ driver
pub fn drive(value: u32) -> u32 {
    half(value)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero() {
        assert_eq!(half(0), 0);
    }
}
"""


def test_there_are_enough_tasks_of_every_kind() -> None:
    tasks = corpus()
    assert len(tasks) >= 60
    assert len({task.name for task in tasks}) == len(tasks)
    assert {task.domain for task in tasks} == set(Domain)
    assert set(Counter(task.difficulty for task in tasks)) == {1, 2, 3}
    given = sum("{signature}" in task.prompt for task in tasks)
    assert 0 < given < len(tasks), "some prompts give the signature, some do not"


def test_tests_pin_the_behaviour() -> None:
    for task in corpus():
        assert len(ASSERTION.findall(task.tests)) >= 6, task.name
        assert task.tests.count("#[test]") >= 3, task.name
        assert len(task.tests.encode()) <= TESTS_BYTES_MAX


def test_prompts_name_what_the_tests_call() -> None:
    for task in corpus():
        prompt = plain(task).prompt
        for name in task.names:
            assert re.search(rf"\b{name}\b", prompt), f"{task.name}: {name}"
        assert "{" not in re.sub(r"`[^`]*`|```.*?```", "", prompt, flags=re.DOTALL), task.name


@needs_rustc
def test_every_right_program_passes_its_tests_without_a_warning(tmp_path: Path) -> None:
    modules = []
    for task in corpus():
        exercise = plain(task)
        modules.append(f"pub mod {task.name} {{\n{exercise.program}\n{exercise.driver}\n{exercise.tests}}}\n")
    told = build_and_test(tmp_path, "".join(modules))
    assert f"{sum(task.tests.count('#[test]') for task in corpus())} passed; 0 failed" in told


def test_a_file_has_its_parts() -> None:
    task = read_task("half", FILE)
    assert (task.name, task.domain, task.difficulty) == ("half", Domain.NUMBERS, 1)
    assert task.prompt == "Write `{signature}`, which divides by {BY}."
    assert task.program.startswith("const BY") and task.program.endswith("}\n")
    assert task.driver.startswith("pub fn drive") and task.tests.startswith("#[cfg(test)]")
    assert (dict(task.names), dict(task.constants)) == ({"half": ("halved",)}, {"BY": (2, 4)})
    assert plain(task).prompt == "Write `fn half(value: u32) -> u32`, which divides by 2."


@pytest.mark.parametrize(
    ("part", "instead", "words"),
    [
        (b"//! ---\n", b"", "a header, a line ---"),
        (b"\n//~ tests\n", b"\n", "a header, a line ---"),
        (b'"numbers"', b'"poems"', "the header is wrong"),
        (b"difficulty = 1", b"difficulty = 4", "the header is wrong"),
        (b"difficulty = 1", b"difficulty = ", "the header is wrong"),
        (b"[names]", b"[titles]", "the header is wrong"),
        (b'["halved"]', b'["no name"]', "the header is wrong"),
        (b'["halved"]', b'["value"]', "stand in the file for something else: value"),
        (b"[2, 4]", b"[2]", "the header is wrong"),
        (b"Write", b"\xff", "not UTF-8"),
        (b"Write", b"Write" * TASK_BYTES_MAX, "more than"),
    ],
)
def test_what_is_not_in_form_is_refused(part: bytes, instead: bytes, words: str) -> None:
    assert part in FILE
    with pytest.raises(CorpusError, match=words) as refused:
        read_task("half", FILE.replace(part, instead))
    assert str(refused.value).startswith("half: ")
