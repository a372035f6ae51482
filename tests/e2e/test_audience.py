"""Who reads a question, over real nodes: for trusted ones who is named, and nobody else."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest

from node.inference import EngineConfig
from node.local.nodes import NodeSpec, start_node
from tests.e2e.conftest import RunningSwarm
from tests.support.asking import ask, question_body
from tests.support.processes import PATIENCE_S, wait_offers

WORDS = "How do I implement the quetzalcoatl trait?"
ENGINE = EngineConfig(kind="scripted")


def holds(folder: Path, words: str) -> list[str]:
    """The files of a node in which these words stand."""
    return [path.name for path in folder.rglob("*") if path.is_file() and words.encode() in path.read_bytes()]


async def test_only_named_nodes_read_a_trusted_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given three nodes of which the asker names one, then a trusted question seats these two, and stands in no file of
    the third; a public one seats all three, and does."""
    folders = [tmp_path / name for name in ("named", "other", "asker")]
    async with AsyncExitStack() as stack:
        named = await start_node(NodeSpec(folders[0], ENGINE, seed=1), stack)
        await start_node(NodeSpec(folders[1], ENGINE, named.addresses[:1], seed=2), stack)
        monkeypatch.setenv("STRAND_TRUST_TRUSTED", f"{named.key}=1.0")
        asker = await start_node(NodeSpec(folders[2], ENGINE, named.addresses[:1], seed=3), stack)
        await wait_offers(asker.url, 3)
        heard = await ask(asker.url, question_body(WORDS, audience="trusted"), 60)
        assert (heard.seats, heard.certified) == (2, True)
        assert holds(folders[1], "quetzalcoatl") == []
        assert holds(folders[2], "quetzalcoatl"), "the asker keeps it"
        heard = await ask(asker.url, question_body(WORDS, audience="public"), 60)
        assert (heard.seats, heard.certified) == (3, True)


def test_a_demo_serves_programs_that_name_no_audience(swarm: RunningSwarm) -> None:
    """Its nodes have fresh keys that nobody could name, and are of one machine."""
    body = {"model": "strand-rust", "messages": [{"role": "user", "content": "Sum a slice."}]}
    reply = httpx2.post(f"{swarm.url}/v1/chat/completions", json=body, timeout=PATIENCE_S)
    assert (reply.status_code, reply.json()["strand"]["audience"]) == (200, "members"), reply.text
