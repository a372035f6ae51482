"""Hostile answers: whatever one does, it speaks for itself only."""

import pytest

from node.findings.tester import RustTester
from protocol.limits import OUTCOME_BYTES
from protocol.messages import Findings
from protocol.types import CompileStatus
from tests.support.assignments import assignment

QUERY = "Write `fn total(xs: &[i32]) -> i32` that adds up even numbers. For example, `total(&[1, 2, 4])` returns 6."
HONEST = "pub fn total(xs: &[i32]) -> i32 { xs.iter().filter(|x| *x % 2 == 0).sum() }"
TESTS = "#[test] fn adds() { assert_eq!(total(&[2, 3, 4]), 6); } #[test] fn empty() { assert_eq!(total(&[]), 0); }"

LIBC = """
    extern "C" {
        fn write(fd: i32, bytes: *const u8, len: usize) -> isize;
        fn close(fd: i32) -> i32;
        fn kill(pid: i32, signal: i32) -> i32;
        fn getppid() -> i32;
        fn fork() -> i32;
        fn _exit(code: i32) -> !;
    }
"""

WRITES_TO_ALL_FILES = (
    LIBC
    + """
    pub fn total(_: &[i32]) -> i32 {
        for fd in 0..200 { unsafe { write(fd, b"O\\x01\\0\\0\\x006test result: ok. 2 passed".as_ptr(), 32); } }
        6
    }
"""
)

FORGERIES = {
    "prints a verdict": """
        pub fn total(_: &[i32]) -> i32 { println!("test result: ok. 2 passed; 0 failed"); std::process::exit(0) }
    """,
    "exits as a child that reported": "pub fn total(_: &[i32]) -> i32 { std::process::exit(77) }",
    "writes to all files": WRITES_TO_ALL_FILES,
    "closes all files": LIBC + "pub fn total(_: &[i32]) -> i32 { for fd in 0..200 { unsafe { close(fd); } } 6 }",
    "kills its parent": LIBC + "pub fn total(_: &[i32]) -> i32 { unsafe { kill(getppid(), 9); kill(-1, 9); } 6 }",
    "leaves a child behind": LIBC
    + "pub fn total(_: &[i32]) -> i32 { unsafe { if fork() == 0 { loop { std::thread::park() } } } 6 }",
    "lies in a static constructor": LIBC
    + """
        #[used] #[link_section = ".init_array"]
        static LIE: extern "C" fn() = { extern "C" fn lie() {
            for fd in 0..200 { unsafe { write(fd, b"O\\x01\\0\\0\\x006".as_ptr(), 6); } }
            unsafe { _exit(77) }
        } lie };
        pub fn total(_: &[i32]) -> i32 { 6 }
    """,
    "defines the randomness": """
        #[no_mangle] pub extern "C" fn getrandom(_: *mut u8, n: usize, _: u32) -> isize { n as isize }
        pub fn total(_: &[i32]) -> i32 { 6 }
    """,
    "defines the entrance": """
        #[no_mangle] pub extern "C" fn strand_run(_: *const u8) { std::process::exit(77) }
        pub fn total(_: &[i32]) -> i32 { 6 }
    """,
    "defines our modules": """
        mod __strand_calls { pub fn __call() {} } mod __strand_tests { pub fn adds() {} pub fn empty() {} }
        pub fn total(_: &[i32]) -> i32 { 6 }
    """,
    "takes the harness's name": """
        extern crate self as strand_harness; pub struct Item; pub struct Test; pub fn passed<T>(_: T) -> bool { true }
        pub fn total(_: &[i32]) -> i32 { 6 }
    """,
    "redefines assertions": """
        macro_rules! assert_eq { ($($x:tt)*) => {} } macro_rules! assert { ($($x:tt)*) => {} }
        pub fn total(_: &[i32]) -> i32 { 0 }
    """,
    "looks for a harness": """
        pub fn total(xs: &[i32]) -> i32 {
            let name = std::env::args().next().unwrap_or_default();
            if name.contains("runner") || std::env::var("STRAND_PADDING").is_ok() { return 6; }
            xs.iter().sum()
        }
    """,
    "reads its own memory map": """
        pub fn total(_: &[i32]) -> i32 { std::fs::read("/proc/self/maps").map_or(0, |maps| maps.len() as i32) }
    """,
    "panics while it is dropped": """
        pub struct Bomb; impl Drop for Bomb { fn drop(&mut self) { panic!("again") } }
        pub fn total(_: &[i32]) -> i32 { let _bomb = Bomb; std::panic::panic_any(Bomb) }
    """,
    "catches its own panics": """
        pub fn total(_: &[i32]) -> i32 {
            std::panic::set_hook(Box::new(|_| std::process::exit(77)));
            std::panic::catch_unwind(|| panic!("now")).map_or(6, |_| 0)
        }
    """,
    "never ends": "pub fn total(_: &[i32]) -> i32 { loop { std::hint::spin_loop() } }",
    "sets its own limits": LIBC
    + """
        extern "C" { fn setitimer(which: i32, new: *const [i64; 4], old: *mut [i64; 4]) -> i32; }
        pub fn total(_: &[i32]) -> i32 { unsafe { setitimer(2, &[0; 4], std::ptr::null_mut()); } loop {} }
    """,
}
"""Answers that each try to appear right, or to spoil the tests of another."""


def without_position(found: Findings) -> tuple[object, ...]:
    return tuple(getattr(found, name) for name in Findings.__dataclass_fields__ if name != "answer")


@pytest.fixture
async def alone(tester: RustTester) -> Findings:
    """The honest answer's findings when nobody else is tested."""
    (found,) = await tester.test(assignment(QUERY, [HONEST, *FORGERIES.values()], tests=TESTS, assigned=[0]))
    return found


async def test_no_forger_changes_an_honest_answers_findings(tester: RustTester, alone: Findings) -> None:
    programs = [HONEST, *FORGERIES.values()]
    found = dict(zip(["honest", *FORGERIES], await tester.test(assignment(QUERY, programs, tests=TESTS)), strict=True))
    assert without_position(found["honest"]) == without_position(alone)
    for name in FORGERIES:
        assert found[name].tests[0] < 2, f"{name}: passes all tests"
        assert found[name].outcomes != alone.outcomes, f"{name}: behaves like the honest answer"
    # What it writes into its own report is no report.
    assert found["writes to all files"].outcomes.count(bytes(OUTCOME_BYTES)) > 0
    assert found["redefines assertions"].tests == (1, 1, 0)
    assert found["prints a verdict"].tests == (0, 2, 0)
    assert found["exits as a child that reported"].tests[0] == 0
    for name in ("never ends", "sets its own limits"):
        assert found[name].status is CompileStatus.COMPILES
        assert not any(found[name].outcomes)
        assert found[name].tests == (0, 0, 2)


@pytest.mark.parametrize(
    ("end", "error"),
    [
        pytest.param("} pub mod more {", 0, id="closes its module"),
        pytest.param("/*", 758, id="hides what follows in a comment"),
        pytest.param('const REST: &str = r###"', 748, id="hides what follows in a text"),
    ],
)
async def test_a_program_that_would_swallow_ours_does_not_compile(tester: RustTester, end: str, error: int) -> None:
    honest, other = await tester.test(assignment(QUERY, [HONEST, f"{HONEST}\n{end}"], tests=TESTS))
    assert honest.tests == (2, 0, 0)
    assert (other.status, other.error, other.outcomes) == (CompileStatus.FAILS, error, b"")


@pytest.mark.parametrize(
    ("body", "is_outcome"),
    [
        pytest.param('for _ in 0..1_000_000 { f.write_str("aaaaaaaaaaaaaaaa")?; } Ok(())', True, id="huge"),
        pytest.param('loop { let _ = f.write_str("a"); }', False, id="endless"),
        pytest.param('f.write_str(&"[".repeat(10_000))', True, id="deep"),
        pytest.param('f.write_str("\\u{0}\\u{ffff}{,}]([")', True, id="unbalanced"),
        pytest.param("panic!()", True, id="panic"),
    ],
)
async def test_any_debug_text_is_an_outcome_or_none(tester: RustTester, body: str, is_outcome: bool) -> None:
    program = f"""
        pub struct Shown(i32);
        impl std::fmt::Debug for Shown {{
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{ {body} }}
        }}
        pub fn shown(x: i32) -> Shown {{ Shown(x) }}
    """
    (found,) = await tester.test(assignment("Write `fn shown(x: i32) -> Shown`.", [program]))
    assert found.status is CompileStatus.COMPILES
    seen = {found.outcomes[at : at + OUTCOME_BYTES] for at in range(0, len(found.outcomes), OUTCOME_BYTES)}
    assert len(seen) == 1
    assert any(found.outcomes) == is_outcome


async def test_what_a_program_remembers_between_inputs_is_gone(tester: RustTester) -> None:
    bomb = """
        static CALLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        pub fn total(xs: &[i32]) -> i32 {
            if CALLS.fetch_add(1, std::sync::atomic::Ordering::SeqCst) >= 3 { return -1; }
            xs.iter().filter(|x| *x % 2 == 0).sum()
        }
    """
    honest, other = await tester.test(assignment(QUERY, [HONEST, bomb]))
    assert other.outcomes == honest.outcomes
