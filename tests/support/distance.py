"""Nodes on hosts of their own, far apart: rounds under loss and delay, and while some of them are cut off.

Checked: every round ends with an outcome, long before its budgets; every certificate of it that any node keeps
verifies, and they all name one winner.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import trio

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from node.api.events import Progress, RoundEvent
from node.inference import EngineConfig
from node.local.nodes import Child, NodeSpec
from node.local.swarm import open_swarm
from protocol.errors import Fault
from protocol.types import Outcome
from tests.support.asking import Heard, ask, question_body
from tests.support.hosts import Hosts, Link, open_hosts

LATENCY_MS = 50
"""of a scripted engine"""

PORT = 4211

ROUND_S_MAX = 330.0
"""seconds: longer than all budgets of a round together, 315 by default, so that one that waits for them is seen"""

UNBUDGETED_S_MAX = 90.0
"""seconds of a round in which nothing waits for a budget: the shortest that counts, answer_ms, is 120 by default"""

MEET_S_MAX = 180.0
"""seconds for all nodes to know each other, over links that lose a packet in five"""

KEEP_S_MAX = 10.0
"""seconds for members to fetch the certificate after the requester has it"""

GET_S = 30.0
GETS_MAX = 3
POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Told:
    """A round as its asker heard it, and what was kept of it."""

    name: str
    heard: Heard
    kept: int = 0
    """Nodes that keep a certificate."""
    complaints: tuple[str, ...] = ()
    answers: int = 0
    cosigners: int = 0

    def line(self) -> str:
        """The figures."""
        phases = ", ".join(f"{phase} at {ms / 1000:.1f}" for phase, ms in self.heard.phases_ms.items())
        silent = {phase: len(keys) for phase, keys in self.heard.silent.items()}
        return (
            f"{self.name}: {self.heard.outcome or 'no word'} in {self.heard.seconds:.1f} s ({phases}), seats "
            f"{self.heard.seats}, answers {self.answers}, co-signed by {self.cosigners}, kept by {self.kept}, silent "
            f"{silent}"
        )


@dataclass
class Far:
    """A swarm whose nodes are far apart."""

    hosts: Hosts
    nodes: list[Child]
    urls: list[str]
    """By which this process reaches the nodes' HTTP interfaces."""
    told: list[Told] = field(default_factory=list)

    @property
    def complaints(self) -> list[str]:
        """All that must not be."""
        return [f"{told.name}: {complaint}" for told in self.told for complaint in told.complaints]

    async def meet(self, count: int, seconds_max: float = MEET_S_MAX) -> float:
        """Wait until every node is connected to some, and knows that `count` offer to work; return the seconds."""
        began = trio.current_time()
        with trio.fail_after(seconds_max):
            async with trio.open_nursery() as nursery:
                for url in self.urls:
                    nursery.start_soon(_know, url, count)
        return trio.current_time() - began

    async def connected(self) -> list[int]:
        """How many peers each node is connected to."""
        return [(await _status(url))["peers_connected"] for url in self.urls]

    async def ask(self, name: str, asker: int) -> Told:
        """One round, and a look at what everybody keeps of it."""
        heard = await ask(self.urls[asker], question_body(f"{name}?"), ROUND_S_MAX)
        return await self._examine(name, heard)

    async def ask_while_parted(self, name: str, asker: int, away: Collection[int], phase: str, heal_s: float) -> Told:
        """One round in which some hosts are cut off when `phase` begins (before the query if empty), for a while."""
        parted = trio.Event()

        def on_event(event: RoundEvent) -> None:
            if isinstance(event, Progress) and event.phase == phase:
                parted.set()

        heard = Heard()
        async with trio.open_nursery() as nursery:

            async def part() -> None:
                await parted.wait()
                await self.hosts.part(away)
                await trio.sleep(heal_s)
                await self.hosts.part(())

            if not phase:
                await self.hosts.part(away)
                parted.set()
            nursery.start_soon(part)
            heard = await ask(self.urls[asker], question_body(f"{name}?"), ROUND_S_MAX, on_event)
            parted.set()
        return await self._examine(name, heard)

    async def _examine(self, name: str, heard: Heard) -> Told:
        """Verify every certificate that anybody keeps; they are fetched, so there may be fewer at first."""
        complaints = []
        if not heard.outcome:
            complaints.append(f"no word within {ROUND_S_MAX:.0f} s")
        if not heard.outcome.startswith((Outcome.DECIDED, Outcome.DEGRADED)):
            complaints.append(f"ended as {heard.outcome or 'nothing'}")
        if heard.seconds > UNBUDGETED_S_MAX:
            complaints.append(f"took {heard.seconds:.0f} s: something waited for a budget")
        kept, verified, cosigners = await self._kept(heard) if heard.certified else ([], [], 0)
        complaints += [
            f"a certificate does not hold: {each}" for each in verified if not isinstance(each, VerifiedCertificate)
        ]
        held = [each for each in verified if isinstance(each, VerifiedCertificate)]
        winners = {each.ranking.winner for each in held}
        if len(winners) > 1 or (heard.winner and winners - {bytes.fromhex(heard.winner)}):
            complaints.append(f"{len(winners)} winners, and {heard.winner[:16]} was told")
        if heard.certified and not held:
            complaints.append("nobody has the certificate")
        told = Told(
            name,
            heard,
            len(kept),
            tuple(complaints),
            len(held[0].record.answers) if held else 0,
            cosigners,
        )
        self.told.append(told)
        return told

    async def _kept(self, heard: Heard) -> tuple[list[bytes], list[VerifiedCertificate | Fault], int]:
        """Certificates that nodes keep, what a reader makes of them, and how many co-signed. Members fetch them, so
        that there are fewer at first; who was cut off may have none."""
        ends = trio.current_time() + KEEP_S_MAX
        while True:
            kept: dict[str, bytes] = {}

            async def fetch(url: str, kept: dict[str, bytes] = kept) -> None:
                kept[url] = await _certificate(url, heard.query_id)

            async with trio.open_nursery() as nursery:
                for url in self.urls:
                    nursery.start_soon(fetch, url)
            found = [raw for raw in kept.values() if raw]
            verified = [await trio.to_thread.run_sync(verify_certificate, raw) for raw in set(found)]
            cosigners = max(
                (len(each.cosigners) for each in verified if isinstance(each, VerifiedCertificate)), default=1
            )
            if len(found) >= cosigners or trio.current_time() > ends:
                return found, verified, cosigners
            await trio.sleep(POLL_S)


@asynccontextmanager
async def far_apart(folder: Path, count: int, start: Link, seed: int = 0) -> AsyncIterator[Far]:
    """Start a node on each of so many hosts, with these links between them."""
    async with AsyncExitStack() as stack:
        hosts = await stack.enter_async_context(open_hosts(count, seed))
        await hosts.set_link(start)
        specs = [_spec(folder / str(host), hosts, host) for host in range(count)]
        nodes = (await stack.enter_async_context(open_swarm(specs))).nodes
        yield Far(hosts, nodes, [await hosts.forward(host, node.url) for host, node in enumerate(nodes)])


def _spec(folder: Path, hosts: Hosts, host: int) -> NodeSpec:
    spec = NodeSpec(folder, EngineConfig(kind="scripted", latency_ms=LATENCY_MS), seed=host)
    listen = {"overlay.listen": [f"/ip4/{hosts.address(host)}/tcp/{PORT}"]}
    return replace(spec, settings=listen, command=(*hosts.command(host), sys.executable, "-P", "-m", "node"))


async def _know(url: str, count: int) -> None:
    while True:
        told = await _status(url)
        if told["nodes_offering"] >= count and told["peers_connected"]:
            return
        await trio.sleep(POLL_S)


async def _status(url: str) -> Any:
    return (await _get(f"{url}/api/status")).raise_for_status().json()


async def _certificate(url: str, query_id: str) -> bytes:
    """Empty where there is none."""
    response = await _get(f"{url}/api/certificates/{query_id}")
    return bytes(response.content) if response.is_success else b""


async def _get(url: str) -> httpx2.Response:
    """A busy node hangs up on who is slow: ask it again."""
    async with httpx2.AsyncClient(trust_env=False, timeout=GET_S) as client:
        for _ in range(GETS_MAX - 1):
            with suppress(httpx2.HTTPError):
                return await client.get(url)
        return await client.get(url)
