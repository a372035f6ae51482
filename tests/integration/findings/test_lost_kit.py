"""A harness that is cleared away while it is used."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from node.findings.assembly import assemble
from node.findings.checks.asker_tests import AskerTests, read_tests
from node.findings.compiling import KIT_LIBRARY
from node.findings.workbench import Workbench
from protocol.types import CompileStatus


@pytest.mark.parametrize("lost", [KIT_LIBRARY, ""])
async def test_an_answer_does_not_fail_for_a_lost_harness(bench: Workbench, tmp_path: Path, lost: str) -> None:
    folder = tmp_path / "kit"
    shutil.copytree(bench.kit.folder, folder)
    if lost:
        (folder / lost).unlink()
    else:
        shutil.rmtree(folder)
    tests = read_tests("#[test] fn one() { assert_eq!(one(), 1); }")
    assert isinstance(tests, AskerTests)
    without = replace(bench, kit=replace(bench.kit, folder=folder))
    built = await without.build(assemble("pub fn one() -> i32 { 1 }", tests=tests))
    assert (built.library, built.status) == (None, CompileStatus.UNKNOWN)
