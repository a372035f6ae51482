"""A programme of rounds, and of nodes killed in them, played by real node processes over libp2p on loopback.

`strand sim --real` writes the programme from a scenario and judges what comes of it; nothing here knows why a node
says what it says.
"""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import trio
from rich.console import Console

from node.cli.client import open_client
from node.cli.errors import CliError, Exit
from node.cli.follow import follow
from node.cli.options import Source
from node.cli.processes import START_S, Child, NodeSpec, start_node, start_swarm
from node.inference import EngineConfig
from node.storage import DATABASE_NAME

Script = Sequence[Mapping[str, object]]
"""The `answers` of a scripted engine (node/inference/scripted.py)."""


_NOWHERE = Console(quiet=True, force_terminal=False)
"""For the live picture of a single round: what people see here is the progress of all."""


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL for a node in the midst of a round, and its next start; times in ms."""

    node: int
    after_ms: int
    """After the question is sent."""
    down_ms: int
    disk_lost: bool
    """Its key is left to it, but neither journal nor certificates."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One question, asked at one node that must not be among the killed."""

    requester: int
    question: Mapping[str, Any]
    """The body of POST /api/ask."""
    kills: Sequence[Kill]


@dataclass(frozen=True, slots=True)
class Programme:
    """What a swarm shall do: one script for each node, then its turns, one after the other."""

    scripts: Sequence[Script]
    latency_ms: int
    """Of each call of an engine: an answer is one call, a pair two."""
    round: Mapping[str, int | float]
    """Settings of the configuration's [round] table."""
    deadline_ms: int
    """After the question; a round without a certificate by then has no outcome."""
    turns: Sequence[Turn]


@dataclass(frozen=True, slots=True)
class Heard:
    """What the asker heard of a turn."""

    certificate: bytes | None = None
    timings_ms: Mapping[str, int] = field(default_factory=dict)
    """Length of each phase, `to_answer` and `total`."""
    why_not: str = ""
    """Why the round failed; empty where nothing was heard by the deadline."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a programme."""

    keys: Sequence[bytes]
    """Public keys, by node."""
    heard: Sequence[Heard]
    """By turn."""


async def play(programme: Programme, on_turn: Callable[[], None]) -> Played:
    """Start the nodes, play all turns and stop the nodes; `on_turn` is called after each. Raises CliError."""
    with tempfile.TemporaryDirectory(prefix="strand-sim-") as folder:
        async with AsyncExitStack() as stack:
            specs = [_spec(programme, node, Path(folder) / f"node-{node}") for node in range(len(programme.scripts))]
            stage = _Stage(programme, specs, await start_swarm(specs, stack), stack)
            await stage.meet()
            heard = []
            for turn in programme.turns:
                heard.append(await stage.play(turn))
                on_turn()
            return Played([bytes.fromhex(child.key) for child in stage.children], heard)


class _Stage:
    """Running nodes."""

    def __init__(
        self, programme: Programme, specs: Sequence[NodeSpec], children: list[Child], stack: AsyncExitStack
    ) -> None:
        self.children = children
        self._programme = programme
        self._specs = specs
        self._stack = stack

    async def meet(self) -> None:
        """Wait until all nodes know what all others offer."""
        async with trio.open_nursery() as nursery:
            for child in self.children:
                nursery.start_soon(self._know_all, child)

    async def play(self, turn: Turn) -> Heard:
        """Ask, kill and start again; the turn is over when all nodes are back."""
        async with trio.open_nursery() as nursery:
            for kill in turn.kills:
                nursery.start_soon(self._kill, kill)
            return await self._ask(turn)

    async def _ask(self, turn: Turn) -> Heard:
        deadline_s = self._programme.deadline_ms / 1000
        async with open_client(Source(), self.children[turn.requester].url) as client:
            with trio.move_on_after(deadline_s):
                try:
                    followed = await follow(client, dict(turn.question), deadline_s, _NOWHERE)
                except CliError as error:
                    if error.code is not Exit.NO_QUORUM:
                        raise
                    return Heard(why_not=str(error))
                return Heard(followed.certificate, followed.timings_ms)
        return Heard()

    async def _kill(self, kill: Kill) -> None:
        await trio.sleep(kill.after_ms / 1000)
        process, spec = self.children[kill.node].process, self._specs[kill.node]
        process.kill()
        await process.wait()
        await trio.sleep(kill.down_ms / 1000)
        if kill.disk_lost:
            for path in spec.folder.glob(f"{DATABASE_NAME}*"):
                path.unlink()
        # Its address is new, so nobody can find it, and whom it knew first may be down as well.
        known = tuple(child.addresses[0] for node, child in enumerate(self.children) if node != kill.node)
        restarted = await start_node(replace(spec, bootstrap=known), self._stack)
        self.children[kill.node] = restarted
        await self._know_all(restarted)

    async def _know_all(self, child: Child) -> None:
        async with open_client(Source(), child.url) as client:
            await client.wait_offers(len(self._specs), START_S)


def _spec(programme: Programme, node: int, folder: Path) -> NodeSpec:
    """What a node needs to start, with its script in its folder."""
    folder.mkdir(mode=0o700)
    script = folder / "script.json"
    script.write_text(json.dumps({"answers": programme.scripts[node]}), encoding="utf-8")
    engine = EngineConfig(kind="scripted", script=str(script), latency_ms=programme.latency_ms)
    return NodeSpec(folder, engine, seed=node, round=programme.round)
