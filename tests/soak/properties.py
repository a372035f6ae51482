"""Unit tests and properties with many more cases: `python -P -m tests.soak.properties`.

It is pytest with STRAND_TEST_EFFORT=soak on the files that say their numbers with tests.support.effort, and on all
properties.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
USES = re.compile(r"^from tests\.support\.(effort|fit_digests) import", re.MULTILINE)


def files() -> list[str]:
    """Test files that try more where more is asked for."""
    found = sorted((ROOT / "tests").rglob("test_*.py"))
    return ["tests/property", *(str(path.relative_to(ROOT)) for path in found if USES.search(path.read_text()))]


def main() -> int:
    """Run them on two cores; pytest's exit code."""
    # `-m ""`: with the long ones, which `make test` leaves out.
    command = [sys.executable, "-P", "-m", "pytest", "-m", "", "-n", "2", "--dist", "worksteal", *files()]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "STRAND_TEST_EFFORT": "soak"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
