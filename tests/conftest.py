"""Hypothesis profiles, by STRAND_TEST_EFFORT (tests/support/effort.py). A failure prints what reproduces it."""

import logging
import os
import signal
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.support.cpu_times import CpuTimes
from tests.support.effort import EFFORT, Effort

SHARE_A_SWARM = {
    f"tests/{folder}/test_{name}.py": folder
    for folder, names in {
        "e2e": ("commands", "demo", "http", "terminals"),
        "browser": ("hostile_texts", "journey", "large_round"),
    }.items()
    for name in names
}
"""Files that use the running swarm of their folder's conftest.py -> the folder."""

# Their assertions are those of the tests that use them.
pytest.register_assert_rewrite("tests.support.conformance", "tests.support.processes")

# A run in the background or under nohup has these ignored, and so would everything that the tests start and end.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Nodes that tests start would each try a sandbox and build a harness, seconds of CPU; tests of findings ask for it.
os.environ.setdefault("STRAND_SANDBOX_ENABLED", "off")

# Always fresh examples, also where a CI service is detected: a fixed set would find nothing after its first run.
settings.register_profile(Effort.FULL, deadline=None, print_blob=True, derandomize=False)
settings.register_profile(Effort.FAST, parent=settings.get_profile(Effort.FULL), max_examples=20)
settings.register_profile(Effort.SOAK, parent=settings.get_profile(Effort.FULL), max_examples=1_000)
settings.load_profile(EFFORT)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--cpu-times`."""
    parser.addoption("--cpu-times", action="store_true", help="print the CPU seconds of files and tests")


def pytest_configure(config: pytest.Config) -> None:
    """Measure where it was asked for, in each worker."""
    if config.getoption("--cpu-times"):
        config.pluginmanager.register(CpuTimes(), "cpu-times")


class FilesToWorkers(LoadFileScheduling):
    """A file to a worker, and those that share a running swarm to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return f"the swarm of tests/{SHARE_A_SWARM[file]}/conftest.py" if file in SHARE_A_SWARM else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Take ours where files go to workers."""
    return FilesToWorkers(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(autouse=True)
def stock_logging() -> Iterator[None]:
    """Undo what modules that run as programs configure when they are imported: other tests read logs."""
    structlog.reset_defaults()
    logging.disable(logging.NOTSET)
    yield


@pytest.fixture(autouse=True, scope="session")
def own_notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let nodes that tests start keep their notes (node/cli/parts/running.py) out of the developer's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    """Give back the umask: a command that runs within a test makes this process's files private (node/hardening.py)."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)
