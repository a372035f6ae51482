"""Gold asked in a running swarm: what its asker knows afterwards, tells others, and still knows after SIGKILL."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

from node.inference import EngineConfig
from node.local.nodes import Child, NodeSpec, start_node
from node.local.swarm import open_swarm
from tests.support.processes import Ran, Shell, assert_refused, wait_offers

QUERY = "What is six times seven?"
ANSWERS = ("42", "42", "41", "42")
"""What the models of the nodes say; judges see which is right."""

WRONG = ANSWERS.index("41")

Asking = Callable[..., Awaitable[Ran]]
"""`strand reputation` of one node."""


def spec(folder: Path, number: int) -> NodeSpec:
    """A node whose model always says the same."""
    script = folder / f"script-{number}.json"
    answers = [{"text": f"Answer: {text}", "quality": 0.9 if text == "42" else 0.1} for text in sorted({*ANSWERS})]
    own = next(each for each in answers if each["text"].endswith(ANSWERS[number]))
    # The first that names no query is the model's own; of the others it only knows what they are worth.
    script.write_text(json.dumps({"answers": [own, *({**each, "query": "no"} for each in answers if each is not own)]}))
    return NodeSpec(folder / f"node-{number}", EngineConfig(kind="scripted", script=str(script)))


@pytest.mark.long
async def test_gold_teaches_and_what_it_taught_stays(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gold, file = tmp_path / "gold.jsonl", tmp_path / "exported.json"
    gold.write_text(json.dumps({"query": QUERY, "task": "final", "right": ["42"]}) + "\n")
    monkeypatch.setenv("STRAND_GOLD_FILE", str(gold))
    monkeypatch.setenv("STRAND_GOLD_SHARE", "0")
    async with AsyncExitStack() as stack:
        specs = [spec(tmp_path, number) for number in range(len(ANSWERS))]
        asker, *others = (await stack.enter_async_context(open_swarm(specs))).nodes
        ask = _asking(shell, asker)
        assert (await ask("show", "--json")).json["nodes"] == []
        await wait_offers(asker.url, len(ANSWERS))

        asked = await ask("gold", "2", "--json")
        assert (asked.code, asked.json["asked"], asked.json["right"]) == (0, 2, 2), asked
        assert len({each["query_id"] for each in asked.json["rounds"]}) == 2
        known = (await ask("show", "--json")).json
        assert (known["rounds"], known["gold_questions"]) == (2, 1)
        answering = {row["key"]: row["answering"] for row in known["nodes"]}
        assert {key for key, row in answering.items() if row["wrong"] > 0.0} == {others[WRONG - 1].key}
        assert all(row["gold_rounds"] == 2 for row in known["nodes"])
        shown = await ask("show")
        assert shown.code == 0
        assert all(child.key[:12] in shown.stdout for child in (asker, *others))

        assert (await ask("export", file)).code == 0
        assert QUERY not in file.read_text()
        assert (await ask("export", "-")).json == json.loads(file.read_text())
        assert (await ask("import", file, "--json")).json == {"taken": 0, "known_already": len(ANSWERS)}

        asker.process.kill()
        await asker.process.wait()
        again = await start_node(specs[0], stack)
        assert again.key == asker.key
        assert (await _asking(shell, again)("show", "--json")).json == known

        monkeypatch.delenv("STRAND_GOLD_FILE")
        stranger = await start_node(NodeSpec(tmp_path / "stranger", EngineConfig(kind="scripted")), stack)
        await _takes_over(_asking(shell, stranger), file, asker, others[WRONG - 1])


async def _takes_over(ask: Asking, file: Path, right: Child, wrong: Child) -> None:
    """A node that was not there, and has no gold, believes what is exported at once."""
    assert_refused(await ask("gold"), 2, "no gold")
    elsewhere = file.with_name("elsewhere.json")
    elsewhere.write_text(json.dumps({**json.loads(file.read_text()), "specialty": "go"}))
    assert_refused(await ask("import", elsewhere), 2, "'go'")
    assert (await ask("show", "--json")).json["nodes"] == []
    assert (await ask("import", file, "--json")).json == {"taken": len(ANSWERS), "known_already": 0}
    rows = {row["key"]: row["weights"]["final"] for row in (await ask("show", "--json")).json["nodes"]}
    assert len(rows) == len(ANSWERS)
    assert rows[right.key]["vote"] > rows[wrong.key]["vote"]


def _asking(shell: Shell, node: Child) -> Asking:
    """`strand reputation` of this node."""

    async def ask(*arguments: str | Path) -> Ran:
        return await trio.to_thread.run_sync(lambda: shell.strand("reputation", *arguments, "--url", node.url))

    return ask
