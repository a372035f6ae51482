"""A harness that is cleared away while it is used."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from node.findings.assembly import assemble
from node.findings.checks.asker_tests import AskerTests, read_tests
from node.findings.compiling import HARNESS_LIBRARY
from node.findings.rust_sandbox import RustSandbox
from protocol.types import CompileStatus


@pytest.mark.parametrize("lost", [HARNESS_LIBRARY, ""])
async def test_an_answer_does_not_fail_for_a_lost_harness(rust: RustSandbox, tmp_path: Path, lost: str) -> None:
    folder = tmp_path / "harness"
    shutil.copytree(rust.harness.folder, folder)
    if lost:
        (folder / lost).unlink()
    else:
        shutil.rmtree(folder)
    tests = read_tests("#[test] fn one() { assert_eq!(one(), 1); }")
    assert isinstance(tests, AskerTests)
    without = replace(rust, harness=replace(rust.harness, folder=folder))
    built = await without.build(assemble("pub fn one() -> i32 { 1 }", tests=tests))
    assert (built.library, built.status) == (None, CompileStatus.UNKNOWN)
