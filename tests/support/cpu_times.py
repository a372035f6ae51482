"""CPU seconds of each test, of this process and of the processes that it started and that have ended.

`pytest --cpu-times` prints them by file, the largest first. On a machine that does other things too they say more than
durations. Processes of a fixture that several tests share count for the test after which they end.
"""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Generator

import pytest

FILES_SHOWN = 40


class CpuTimes:
    """The plugin; its `usage` is what was used up to the last report of this process."""

    def __init__(self) -> None:
        self._usage_s = cpu_s()
        self._collecting_s = 0.0
        self._by_file: Counter[str] = Counter()
        self._by_test: Counter[str] = Counter()

    def pytest_collection_finish(self) -> None:
        """Keep what this process, and with pytest-xdist each worker, used to import all tests."""
        before_s, self._usage_s = self._usage_s, cpu_s()
        self._collecting_s = self._usage_s - before_s

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Write the usage since the last report into this one: a worker of pytest-xdist sends it along."""
        report = yield
        before_s, self._usage_s = self._usage_s, cpu_s()
        report.__dict__["cpu_s"] = self._usage_s - before_s
        report.__dict__["collecting_cpu_s"], self._collecting_s = self._collecting_s, 0.0
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up, where all reports arrive."""
        used_s = report.__dict__.get("cpu_s", 0.0)
        self._by_file["(collecting, in all processes)"] += report.__dict__.get("collecting_cpu_s", 0.0)
        self._by_file[report.nodeid.partition("::")[0]] += used_s
        self._by_test[report.nodeid] += used_s

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the tables."""
        terminalreporter.section(f"CPU time: {self._by_file.total():.0f} s")
        for counter in (self._by_file, self._by_test):
            for name, used_s in counter.most_common(FILES_SHOWN):
                terminalreporter.write_line(f"{used_s:8.1f} s  {name}")
            terminalreporter.write_line("")


def cpu_s() -> float:
    """User and system seconds of this process and of its ended children."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
