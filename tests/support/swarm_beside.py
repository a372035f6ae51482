"""A running swarm beside a test that is no task of trio: playwright's is not."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, Final

import trio

from node.inference import EngineConfig
from node.local.nodes import NodeSpec
from node.local.swarm import LocalSwarm, open_swarm

QUESTION: Final = "Write a Rust function that finds the first string longer than 10 characters in a vector."

ANSWERS: Final = tuple(
    f"```rust\nfn first_long(words: &[String]) -> Option<&String> {{\n{body}\n}}\n```"
    for body in (
        "    words.iter().filter(|word| word.len() > 10).max_by_key(|word| word.len())",
        "    words.iter().rfind(|word| word.chars().count() > 10)",
        "    words.iter().find(|word| word.len() >= 10)",
        "    for word in words {\n        if word.chars().count() > 10 {\n            return Some(word);\n        }\n"
        "    }\n    None",
        "    words.iter().find(|word| word.chars().count() > 10)",
    )
)
"""Answers to QUESTION, of which the last two do the same."""

STEP: Final = 0.06
"""How much better each node's answers are than those of the node before it: so little that one wave of judging seldom
decides."""


class SwarmBeside:
    """A swarm, and a way to call it from this thread."""

    def __init__(self, swarm: LocalSwarm, token: trio.lowlevel.TrioToken) -> None:
        self.swarm = swarm
        self._token = token

    @property
    def url(self) -> str:
        """Where the first node's page is."""
        return self.swarm.nodes[0].url

    def run(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Run a function in the swarm's thread."""
        return trio.from_thread.run(function, *arguments, trio_token=self._token)

    def run_sync_soon(self, function: Callable[[], object]) -> None:
        """Let the swarm's thread call a function."""
        self._token.run_sync_soon(function)

    def kill(self, node: int) -> None:
        """End a node by SIGKILL."""
        self.run(self.swarm.kill, node)

    def restart(self, node: int) -> None:
        """Start it again where it was, and wait until it knows the others."""

        async def restart() -> None:
            await self.swarm.restart(node, same_url=True)
            await self.swarm.wait_known(node)

        self.run(restart)


@contextmanager
def swarm_beside(specs: Sequence[NodeSpec]) -> Iterator[SwarmBeside]:
    """Nodes that know each other, for as long as the block runs."""
    started: Future[SwarmBeside] = Future()
    over = trio.Event()

    async def live() -> None:
        try:
            async with open_swarm(specs) as swarm:
                await swarm.meet()
                started.set_result(SwarmBeside(swarm, trio.lowlevel.current_trio_token()))
                await over.wait()
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = Thread(target=trio.run, args=(live,))
    thread.start()
    try:
        yield started.result()
    finally:
        if started.done() and started.exception() is None:
            started.result().run_sync_soon(over.set)
        thread.join()


def scripted(
    folder: Path, node: int, answers: Mapping[str, Sequence[str]], latency_ms: int = 0, **settings: Any
) -> NodeSpec:
    """A node that knows the answers of all nodes to these questions, and gives its own; `settings` by "table.key"."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / f"{node}.json"
    known = [
        {
            "text": text,
            "quality": 0.5 + STEP * number,
            "query": question if number == node else f"{number} of {question}",
        }
        for question, texts in answers.items()
        for number, text in enumerate(texts)
    ]
    script.write_text(json.dumps({"answers": known}), encoding="utf-8")
    engine = EngineConfig(kind="scripted", script=str(script), latency_ms=latency_ms)
    return NodeSpec(folder / f"node-{node}", engine, seed=node, settings=settings)
