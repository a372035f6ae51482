"""The harness library: the inputs that it draws are the same for all testers of a version."""

from hashlib import sha256
from importlib.resources import files

from node.findings.assembly import assemble
from node.findings.outcomes import OutcomeKind
from node.findings.running import Order, Work
from node.findings.rust_sandbox import RustSandbox
from node.findings.tester import GENERATOR_VERSION

DRAWN = """
    #[derive(Debug)]
    struct Everything(
        (i8, u64, i128, bool, char, f64), String, Vec<Vec<i32>>, Option<&'static str>, Result<u8, String>,
        std::collections::BTreeMap<String, u8>, [i16; 3], Vec<f32>,
    );
"""
CALL = """
    use ::strand_harness::arb;
    pub fn __call(g: &mut ::strand_harness::G) -> String {
        let all = Everything(arb(g), arb(g), arb(g), arb(g), arb(g), arb(g), arb(g), arb(g));
        if g.show { return ::strand_harness::show!(all); }
        ::strand_harness::show!(::strand_harness::fun::<i32>(7, &::strand_harness::show!(all)))
    }
"""
POOL = "i 1729\ns needle\ns ([])\ns two\\nlines\\\\\n"

INPUTS = "7356dbf54f9cc52a"
"""Digest of the inputs of generator version 1. Who changes it also changes both `GENERATOR_VERSION`s."""


async def test_the_inputs_of_a_version_never_change(rust: RustSandbox) -> None:
    built = await rust.build(assemble(DRAWN, call=CALL))
    assert built.library is not None
    orders = [Order(Work.SHOW_INPUTS, 48), Order(Work.INPUTS, 48)]
    ran = await rust.run(built.library, orders, seed=bytes(range(32)), pool=POOL)
    assert all(outcome.kind is OutcomeKind.RETURNED for outcomes in ran.values() for outcome in outcomes)
    inputs = [outcome.text for outcome in ran[Work.SHOW_INPUTS]]
    assert len(set(inputs)) == 48
    assert any("1729" in text for text in inputs) and any("needle" in text for text in inputs)
    told = "\n".join(outcome.text for outcomes in ran.values() for outcome in outcomes)
    assert sha256(told.encode()).hexdigest()[:16] == INPUTS, told


def test_both_sides_state_the_same_version() -> None:
    text = (files("node.findings") / "harness" / "lib.rs").read_text()
    assert f"pub const GENERATOR_VERSION: u32 = {GENERATOR_VERSION};" in text
