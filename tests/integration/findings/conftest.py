"""A tester with the real sandbox, compiler and harness; the harness is built once for all tests of a run."""

from pathlib import Path

import pytest
import trio

from node.findings.rust_sandbox import RustSandbox
from node.findings.tester import RustTester
from tests.support.rust_sandbox import open_rust_sandbox


@pytest.fixture(scope="session")
def harness_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the harness of this machine's toolchain."""
    cache = tmp_path_factory.mktemp("harness")
    trio.run(open_rust_sandbox, cache)
    return cache


@pytest.fixture
async def rust(harness_cache: Path) -> RustSandbox:
    """A sandbox with compiler and harness, of this test's own event loop."""
    return await open_rust_sandbox(harness_cache)


@pytest.fixture
def tester(rust: RustSandbox) -> RustTester:
    return RustTester(rust)
