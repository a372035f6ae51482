"""The dashboard's modules, tested by node's own runner: `node --import ./tests/dashboard/resolve.js --test`."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NODE_MIN = 20


def node_version() -> int:
    """The major version of node on the PATH; 0 without it."""
    if shutil.which("node") is None:
        return 0
    told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"v(\d+)\.", told)
    return int(found[1]) if found else 0


needs_node = pytest.mark.skipif(node_version() < NODE_MIN, reason=f"no node {NODE_MIN} or newer: install nodejs")


@needs_node
@pytest.mark.parametrize("path", sorted(HERE.glob("*.test.js")), ids=lambda path: path.name)
def test_modules(path: Path) -> None:
    command = ["node", "--import", "./tests/dashboard/resolve.js", "--test", str(path.relative_to(ROOT))]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout}{ended.stderr}"
