"""A node that is told to stop: what it holds is finished or declined, and nobody waits for a node that is gone."""

from __future__ import annotations

import json
import signal
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest
import trio

from node.api import events
from node.api.asking import Question
from node.client import UnavailableError, connect
from node.inference import EngineConfig
from node.local.nodes import Child, NodeSpec, start_node
from node.local.swarm import SCRIPTED
from node.overlay import Overlay
from node.rounds.inbound import QUERY
from protocol.messages import Decline, Offer
from protocol.signing import VerifiedMessage
from protocol.types import DeclinedPhase, DeclineReason, Role
from tests.support.processes import logged as logged_until
from tests.support.requester import Requester, overlay_of, query_to

HOUR_MS = 3_600_000
BUSY = EngineConfig(kind="scripted", latency_ms=HOUR_MS, request_timeout_ms=HOUR_MS)
"""An engine that is at work for as long as the test runs."""


def logged(node: Child) -> dict[str, dict[str, object]]:
    """The last line of each event in a node's log."""
    lines = [json.loads(line) for line in node.log.read_text().splitlines()]
    return {line["event"]: line for line in lines if "event" in line}


async def send_query(overlay: Overlay, requester: Requester, member: Child) -> VerifiedMessage:
    """Send a query to this member alone; it works on it when the reply has come."""
    query = await query_to(overlay, requester, member)
    assert await overlay.request(bytes.fromhex(member.key), QUERY, query.envelope, timeout_ms=10_000) == b""
    return query


async def test_a_member_that_is_stopped_in_a_round_declines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRAND_NODE_STOP_MS", "0")
    requester = Requester()
    async with overlay_of(requester) as overlay, AsyncExitStack() as stack:
        member = await start_node(NodeSpec(tmp_path / "node", BUSY, overlay.addresses()[:1]), stack)
        query = await send_query(overlay, requester, member)
        member.process.send_signal(signal.SIGTERM)
        decline, _ = await requester.contribution(Decline)
        assert decline.query == query.id
        assert (decline.phase, decline.reason) == (DeclinedPhase.ANSWERING, DeclineReason.ENGINE)
        assert await member.process.wait() == 0
    lines = logged(member)
    assert lines["node.stopping"]["reason"] == "SIGTERM"
    assert lines["node.stopping"]["open_rounds"] == 1
    assert lines["node.declined"]["count"] == 1
    assert "node.stopped" in lines


async def test_a_stopping_node_offers_nothing_and_refuses_and_a_second_signal_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRAND_NODE_STOP_MS", str(HOUR_MS))
    requester = Requester()
    async with overlay_of(requester) as overlay, AsyncExitStack() as stack:
        member = await start_node(NodeSpec(tmp_path / "node", BUSY, overlay.addresses()[:1]), stack)
        await send_query(overlay, requester, member)
        other = await query_to(overlay, requester, member)
        key = bytes.fromhex(member.key)
        member.process.send_signal(signal.SIGTERM)
        await requester.wait(lambda: _last_offer(requester, key).roles == Role(0))
        assert await overlay.request(key, QUERY, other.envelope, timeout_ms=10_000) == b"stopping"
        async with connect(member.url) as client:
            assert (await client.ready()).stopping
            with pytest.raises(UnavailableError, match="being stopped"):
                async with aclosing(client.ask(Question.single("Anything?"))) as told:
                    await anext(told)
        member.process.send_signal(signal.SIGTERM)
        assert await member.process.wait() == 128 + signal.SIGTERM
    assert "node.stopped" not in logged(member)


async def test_a_requester_that_is_stopped_finishes_its_users_rounds(tmp_path: Path) -> None:
    slow = EngineConfig(kind="scripted", latency_ms=300)
    async with AsyncExitStack() as stack:
        node = await start_node(NodeSpec(tmp_path / "node", slow), stack)
        async with connect(node.url) as client:
            await client.wait_offers(1, 60)
            heard = []
            async with aclosing(client.ask(Question.single("Alone?"))) as told:
                async for event in told:
                    heard.append(event)
                    if isinstance(event, events.Asked):
                        node.process.send_signal(signal.SIGINT)
            assert isinstance(heard[-1], events.Ended) and heard[-1].ending == "finished"
            assert await client.certificate(heard[0].query_id), "what a user asks for next is served"
        assert await node.process.wait() == 0
    assert logged(node)["node.stopping"]["reason"] == "SIGINT"


async def test_a_requester_that_cannot_finish_in_time_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other member works for as long as it likes; the user is not kept waiting, nor cut off without a word."""
    monkeypatch.setenv("STRAND_NODE_STOP_MS", "0")
    async with AsyncExitStack() as stack:
        first = await start_node(NodeSpec(tmp_path / "first", BUSY), stack)
        second = await start_node(NodeSpec(tmp_path / "second", BUSY, first.addresses[:1]), stack)
        async with connect(first.url) as client:
            await client.wait_offers(2, 60)
            heard = []
            async with aclosing(client.ask(Question.single("Will it end?"))) as told:
                async for event in told:
                    heard.append(event)
                    if isinstance(event, events.Asked):
                        first.process.send_signal(signal.SIGTERM)
            assert isinstance(end := heard[-1], events.Ended)
            assert (end.ending, end.outcome) == ("cancelled", None)
        assert await first.process.wait() == 0
        # The other's engine, which would work for an hour, is stopped: its owner's log says how the round ended.
        ended = await logged_until(second.log, lambda line: line["event"] == "round.ended")
        assert (ended["role"], ended["ending"]) == ("member", "cancelled")


async def test_an_idle_node_ends_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRAND_NODE_STOP_MS", "0")
    async with AsyncExitStack() as stack:
        node = await start_node(NodeSpec(tmp_path / "node", SCRIPTED), stack)
        node.process.send_signal(signal.SIGHUP)
        with trio.fail_after(60):
            assert await node.process.wait() == 0
    lines = logged(node)
    assert lines["node.stopped"]["open_rounds"] == 0 and "node.declined" not in lines


def _last_offer(requester: Requester, member: bytes) -> Offer:
    return requester._offers(member)[-1]
