"""The dashboard's modules, tested by node's own runner: `node --import ./tests/dashboard/resolve.js --test`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from node.api.events import RoundEvent

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


@needs_node
def test_the_page_knows_every_kind_of_event() -> None:
    """A kind that is new in node/api/events.py has a place in what the page knows of a round."""
    script = "import { KNOWN_KINDS } from 'strand/state/round.js'; console.log(JSON.stringify(KNOWN_KINDS))"
    command = ["node", "--import", "./tests/dashboard/resolve.js", "--input-type=module", "--eval", script]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(json.loads(told)) == {kind.__struct_config__.tag for kind in get_args(RoundEvent)}


def test_the_recorded_round_is_one_that_a_node_may_tell() -> None:
    """It was read from GET /api/events of `strand demo --engine scripted --nodes 4 --keep`."""
    raw = (HERE / "round.json").read_bytes()
    events = msgspec.json.decode(raw, type=list[RoundEvent])
    assert json.loads(msgspec.json.encode(events)) == json.loads(raw)
