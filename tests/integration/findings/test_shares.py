"""Time of an assignment: one answer that takes all it gets leaves the others theirs."""

import trio

from node.findings.rust_sandbox import RustSandbox
from node.findings.tester import RustTester
from protocol.types import CompileStatus
from tests.support.assignments import assignment

QUERY = "Write `fn total(xs: &[i32]) -> i32` that adds up even numbers."
HONEST = "pub fn total(xs: &[i32]) -> i32 { xs.iter().filter(|x| *x % 2 == 0).sum() }"
TESTS = "#[test] fn adds() { assert_eq!(total(&[2, 3, 4]), 6); }"
ENDLESS = """
    macro_rules! twice { ($($x:tt)*) => { [twice_more!($($x)* $($x)*)] } }
    macro_rules! twice_more { ($($x:tt)*) => { [twice!($($x)* $($x)*)] } }
    pub fn total(xs: &[i32]) -> i32 { let _ = twice!(1 2 3 4 5 6 7 8); 6 }
"""
"""Its compiler doubles a list up to 128 times: time or memory ends before that."""

BUDGET_S = 30.0
"""Seconds: less than the compilers of two such answers may take one after the other, and enough for an honest one."""


async def test_an_honest_answer_beside_one_whose_compiler_never_ends_gets_its_findings(rust: RustSandbox) -> None:
    tester = RustTester(rust, places=1)
    programs = [ENDLESS, ENDLESS + "// once more", HONEST]
    with trio.fail_after(BUDGET_S):
        first, second, honest = await tester.test(assignment(QUERY, programs, tests=TESTS))
    assert (first.status, second.status) == (CompileStatus.UNKNOWN, CompileStatus.UNKNOWN)
    assert honest.tests == (1, 0, 0) and any(honest.outcomes)
