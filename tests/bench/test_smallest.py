"""Benchmarks do not rot: each runs once in its smallest form, in which its figures mean nothing."""

from importlib import import_module

import msgspec
import pytest

from tests.bench import harness
from tests.bench.__main__ import TITLES


@pytest.mark.long
@pytest.mark.parametrize("name", TITLES)
def test_a_benchmark_still_runs(name: str) -> None:
    bench = import_module(f"tests.bench.bench_{name}").BENCH
    assert bench.name == name
    report = bench.run(bench.smallest)
    read = msgspec.json.decode(msgspec.json.encode(report), type=harness.BenchReport)
    assert read == report
    told = harness.markdown(harness.new_report([report], []))
    assert all(figure.name in told for figure in report.figures)


def test_an_aim_is_met_or_missed() -> None:
    figures = [
        harness.Figure(name="a", value=1.5, unit=" s", at_most=2),
        harness.Figure(name="b", value=1.5, at_least=2),
        harness.Figure(name="c", value=1234.5, anchor="before 2,000"),
        harness.Figure(name="d", value=None, at_most=1, note="no GPU"),
    ]
    assert [each.verdict for each in figures] == ["met", "**missed**", "", "not measured"]
    report = harness.BenchReport(name="x", figures=tuple(figures), seconds=60, load_before=1, load_after=2)
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in harness.table([report]).splitlines()]
    assert rows[2] == ["x", "a", "1.5 s", "", "at most 2 s", "met"]
    assert rows[4] == ["x", "c", "1,234", "before 2,000", "", ""]
    assert rows[5] == ["x", "d", "no GPU", "", "at most 1", "not measured"]
    whole = harness.markdown(harness.new_report([report], ["y"]))
    assert "It took 1.0 min: x 60 s." in whole and "Failed: y." in whole
