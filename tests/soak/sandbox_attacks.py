"""All attacks on the sandbox, also those that are slow by nature, and as root all of them again as an ordinary user.

It is pytest with STRAND_TEST_EFFORT=soak on tests/integration/sandbox.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Run them one after the other; pytest's exit code."""
    # `-m ""`: with the long ones, which `make test` leaves out.
    command = [sys.executable, "-P", "-m", "pytest", "-m", "", "-p", "no:xdist", "-rsP", "tests/integration/sandbox"]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "STRAND_TEST_EFFORT": "soak"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
