"""The wire format and every digest, byte for byte.

`STRAND_UPDATE=1 pytest tests/vectors` writes the files anew; a change of an old vector is a change of the protocol.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from protocol import codec
from protocol.messages import MESSAGE_TYPES
from protocol.signing import VerifiedMessage, open_envelope
from protocol.types import Digest, Kind
from tests.vectors import compute

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def golden(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())
    return loaded


@pytest.mark.parametrize("name", ["messages", "digests"])
def test_vectors_are_those_that_were_kept(name: str) -> None:
    path = HERE / f"{name}.json"
    computed = compute.dump(getattr(compute, name)())
    if os.environ.get("STRAND_UPDATE"):
        path.write_text(computed)
    assert computed == path.read_text()


def test_vectors_hold_every_kind_once() -> None:
    assert [vector["kind"] for vector in golden("messages")["messages"]] == [kind.name for kind in Kind]


def test_a_reader_gets_the_fields_from_the_bytes() -> None:
    """The other direction: what the vectors' bytes decode to is what the vectors say of them."""
    vectors = golden("messages")
    for vector in vectors["messages"]:
        opened = open_envelope(bytes.fromhex(vector["envelope"]), Digest(bytes.fromhex(vectors["network"])))
        assert isinstance(opened, VerifiedMessage), (vector["kind"], opened)
        assert opened.id.hex() == vector["id"]
        assert compute.readable(opened.body) == vector["fields"]
        body = codec.decode(MESSAGE_TYPES[Kind[vector["kind"]]], bytes.fromhex(vector["body"]))
        assert body == opened.body


def test_another_hash_seed_gives_the_same_vectors() -> None:
    """No order of a set or of a dict's hashes reaches a byte; this process has a hash seed of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": "4210", "PYTHONPATH": str(ROOT)}
    child = subprocess.run(
        [sys.executable, "-m", "tests.vectors.compute"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert json.loads(child.stdout) == {"messages": golden("messages"), "digests": golden("digests")}
