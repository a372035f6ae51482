"""A whole arena through `strand aggregate`: 33,000 rows, 13,000 judges, 250 models, as CSV from a pipe."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.arena_data import arena_rows, write_csv

MEMORY_BYTES_MAX = 10**9

_CHILD = """
import re, sys
from pathlib import Path
from node.cli.main import run
code = run(["aggregate", "-", "--json"])
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1], file=sys.stderr)
sys.exit(code)
"""


def test_no_row_is_dropped_and_a_gigabyte_is_enough(tmp_path: Path) -> None:
    """The time, half a dozen seconds, is measured by `python -m tests.bench.bench_aggregate`."""
    rows = list(arena_rows(seed=1))
    path = write_csv(rows, tmp_path / "arena.csv")
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
        done = subprocess.run([sys.executable, "-P", "-c", _CHILD], stdin=cat.stdout, capture_output=True, check=True)
    *told, kilobytes = done.stderr.decode().splitlines()
    assert int(kilobytes) * 1024 < MEMORY_BYTES_MAX
    assert "judges with at most 3 rows each share one weight" in " ".join(told)
    found = json.loads(done.stdout)
    assert found["bad_rows"] == []
    assert found["ignored_columns"] == {"language": 33_000, "question_id": 33_000}
    (question,) = found["questions"]
    assert len(question["ranking"]) == 250
    weights = found["learned"][0]["judges"]
    assert len(weights) == 13_000
    assert found["pooled"]["judges"]["count"] >= 13_000 - 1_023
    assert len(set(weights.values())) <= 1_024
