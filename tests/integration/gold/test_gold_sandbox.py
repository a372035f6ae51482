"""Gold on the real thing: items made, replies scored and answers graded by this machine's compiler and sandbox."""

from pathlib import Path
from random import Random

import pytest

from node.findings.tester import RustTester
from node.gold.challenges import AnswerItem, ItemVerdict, answer_item, as_answer, judge_item, score_answer
from node.gold.corpus import CodeTask, corpus
from node.gold.grading import AnswerGrader
from node.gold.program_testing import SandboxProgramTester
from tests.support.rust_sandbox import open_rust_sandbox

SEED = bytes(range(32))
FAILING = "I think:\n\n```rust\npub fn nothing() {}\n```"


def task(name: str) -> CodeTask:
    return next(each for each in corpus() if each.name == name)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the harness, which is built once for all tests here."""
    return tmp_path_factory.mktemp("harness")


async def open_program_tester(folder: Path) -> SandboxProgramTester:
    return SandboxProgramTester(RustTester(await open_rust_sandbox(folder)))


async def test_items_are_made_and_replies_scored(cache: Path) -> None:
    """A judge item of a plain function and of a type that only its driver can exercise."""
    tester = await open_program_tester(cache)
    assert tester.is_ready
    for name in ("balanced", "bounded_stack"):
        judged = await judge_item(tester, task(name), Random(1))
        assert judged is not None
        answered = answer_item(task(name), Random(1))
        right, wrong = (judged.first, judged.second) if judged.first_is_right else (judged.second, judged.first)
        as_item = AnswerItem(answered.prompt, answered.tests, answered.right)
        assert await score_answer(tester, as_item, f"Here it is.\n\n{right}\n\nDone.", SEED) is ItemVerdict.PASSED
        assert await score_answer(tester, as_item, wrong, SEED) is ItemVerdict.FAILED
        assert await score_answer(tester, as_item, FAILING, SEED) is ItemVerdict.FAILED


async def test_answers_are_graded(cache: Path) -> None:
    item = answer_item(task("vowel_count"), Random(1))
    grader = AnswerGrader(await open_program_tester(cache))
    answers = [item.right, FAILING, "No code at all.", as_answer(item.right + "\n// the same\n")]
    right = as_answer(item.right)
    assert await grader.grade(item.prompt, item.tests, right, answers) == (True, False, False, True)


FORGED = """```rust
extern "C" { fn write(fd: i32, b: *const u8, n: usize) -> isize; fn _exit(c: i32) -> !; }
fn win() -> ! {
    let mark = 0u64;
    let mut p = &mark as *const u64 as usize & !7;
    unsafe {
        for _ in 0..900_000 {
            let w = |o: usize| std::ptr::read_volatile((p + o) as *const u64);
            let (kind, index, fd) = (w(0) & 0xff, w(8), w(48) & 0xffff_ffff);
            let is_runner = kind == b't' as u64 && index < 300 && fd >= 3 && fd < 64;
            if is_runner && w(40) <= 65536 && w(32) >= 1 && w(56) > 1 << 32 {
                let mut h = [b'K'; 13];
                h[1..9].copy_from_slice(&w(56).to_le_bytes());
                h[9..].copy_from_slice(&0u32.to_le_bytes());
                write(fd as i32, h.as_ptr(), 13);
                _exit(77);
            }
            p += 8;
        }
    }
    loop {}
}
BODY
```"""
"""A program that finds the runner's nonce in its own memory and states with it that its test passed."""


async def test_a_program_that_forges_its_tests_passes_nothing(tmp_path: Path) -> None:
    tester = await open_program_tester(tmp_path)
    tests = '#[test] fn t() { assert_eq!(f(2), "6"); }'
    prompt = "Write `fn f(x: i32) -> String` that returns three times x as text."
    right = as_answer("pub fn f(x: i32) -> String { x.wrapping_mul(3).to_string() }")
    forged = FORGED.replace("BODY", "pub fn f(_x: i32) -> String { win() }")
    item = AnswerItem(prompt, tests, "pub fn f(x: i32) -> String { x.wrapping_mul(3).to_string() }")
    assert await score_answer(tester, item, right, SEED) is ItemVerdict.PASSED
    assert await score_answer(tester, item, forged, SEED) is not ItemVerdict.PASSED
    assert await AnswerGrader(tester).grade(prompt, tests, right, (forged, right)) == (False, True)
