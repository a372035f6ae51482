"""A programme of rounds with kills of nodes, played by real node processes over libp2p on loopback.

`strand sim --real` writes the programme from a scenario and judges its result; nothing here depends on the reasons
behind a node's script.
"""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import trio

from node.client import NoCertificateError, Question, UnavailableError, follow
from node.inference import EngineConfig
from node.local.nodes import NodeSpec
from node.local.swarm import LocalSwarm, open_swarm
from node.storage import DATABASE_NAME

Script = Sequence[Mapping[str, object]]
"""The `answers` of a scripted engine (node/inference/scripted.py)."""


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL of a node during a round, and its restart; times in ms."""

    node: int
    after_ms: int
    """Time after the question was sent."""
    down_ms: int
    disk_lost: bool
    """Whether the node loses journal and certificates; it keeps its key."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One question, asked at one node, which must not be among the killed."""

    requester: int
    question: Question
    kills: Sequence[Kill]


@dataclass(frozen=True, slots=True)
class Programme:
    """A swarm's programme: one script for each node, then turns, one after another."""

    scripts: Sequence[Script]
    latency_ms: int
    """Latency of each engine call: an answer is one call, a pair two."""
    round: Mapping[str, int | float]
    """Settings of the configuration's [round] table."""
    deadline_ms: int
    """Time limit after the question; a round without a certificate by then has no outcome."""
    turns: Sequence[Turn]


@dataclass(frozen=True, slots=True)
class Heard:
    """Result of a turn at its requester."""

    certificate: bytes | None = None
    timings_ms: Mapping[str, int] = field(default_factory=dict)
    """Length of each phase, `to_answer` and `total`, ms."""
    why_not: str = ""
    """Reason why the round failed; empty if nothing was heard by the deadline."""


@dataclass(frozen=True, slots=True)
class Played:
    """Result of a programme."""

    keys: Sequence[bytes]
    """Public keys in the order of nodes."""
    heard: Sequence[Heard]
    """Results in the order of turns."""


async def play(programme: Programme, on_turn: Callable[[], None]) -> Played:
    """Start the nodes, play all turns and stop the nodes; `on_turn` is called after each.

    Raises LocalNodeError or ClientError.
    """
    with tempfile.TemporaryDirectory(prefix="strand-sim-") as folder:
        specs = [_spec(programme, node, Path(folder) / f"node-{node}") for node in range(len(programme.scripts))]
        async with open_swarm(specs) as swarm:
            await swarm.meet()
            heard = []
            for turn in programme.turns:
                heard.append(await _play(swarm, specs, turn, programme.deadline_ms / 1000))
                on_turn()
            return Played([bytes.fromhex(node.key) for node in swarm.nodes], heard)


async def _play(swarm: LocalSwarm, specs: Sequence[NodeSpec], turn: Turn, deadline_s: float) -> Heard:
    """Ask, kill and restart; the turn is over when all nodes are back."""
    async with trio.open_nursery() as nursery:
        for kill in turn.kills:
            nursery.start_soon(_kill, swarm, specs, kill)
        return await _ask(swarm, turn, deadline_s)


async def _ask(swarm: LocalSwarm, turn: Turn, deadline_s: float) -> Heard:
    async with swarm.connect(turn.requester) as client:
        with trio.move_on_after(deadline_s):
            try:
                followed = await follow(client, turn.question, silence_s=deadline_s)
            except (NoCertificateError, UnavailableError) as error:
                return Heard(why_not=str(error))
            return Heard(followed.certificate, followed.timings_ms)
    return Heard()


async def _kill(swarm: LocalSwarm, specs: Sequence[NodeSpec], kill: Kill) -> None:
    await trio.sleep(kill.after_ms / 1000)
    await swarm.kill(kill.node)
    await trio.sleep(kill.down_ms / 1000)
    if kill.disk_lost:
        for path in specs[kill.node].folder.glob(f"{DATABASE_NAME}*"):
            path.unlink()
    await swarm.restart(kill.node)
    await swarm.wait_known(kill.node)


def _spec(programme: Programme, node: int, folder: Path) -> NodeSpec:
    """Return the settings of a node, and put its script into its folder."""
    folder.mkdir(mode=0o700)
    script = folder / "script.json"
    script.write_text(json.dumps({"answers": programme.scripts[node]}), encoding="utf-8")
    engine = EngineConfig(kind="scripted", script=str(script), latency_ms=programme.latency_ms)
    return NodeSpec(
        folder, engine, seed=node, settings={f"round.{key}": value for key, value in programme.round.items()}
    )
