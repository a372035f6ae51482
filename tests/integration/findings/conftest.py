"""A tester with the real sandbox, compiler and harness; the harness is built once for all tests of a run."""

from pathlib import Path

import pytest
import trio

from node.findings.tester import RustTester
from node.findings.workbench import Workbench
from tests.support.rust_bench import open_bench


@pytest.fixture(scope="session")
def harness_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the harness of this machine's toolchain."""
    cache = tmp_path_factory.mktemp("harness")
    trio.run(open_bench, cache)
    return cache


@pytest.fixture
async def bench(harness_cache: Path) -> Workbench:
    """A workbench of this test's own event loop."""
    return await open_bench(harness_cache)


@pytest.fixture
def tester(bench: Workbench) -> RustTester:
    return RustTester(bench)
