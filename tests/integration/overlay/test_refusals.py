"""A request that a node does not serve is a value, not an exception: anybody may ask for anything, at any rate."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest
import structlog
import trio
from structlog.testing import capture_logs

from consensus.rounds.participant import Participant
from node import logs
from node.clock import Clock
from node.log_filters import LINES_PER_PEER_MAX
from node.overlay import RequestRefused, open_overlay
from node.rounds.inbound import CERTIFICATE, PULL, InboundRouter
from node.storage import open_store
from protocol import codec
from protocol.signing import Keypair
from protocol.streams import PullRequest
from tests.integration.overlay.world import Recorder, config, node, seed
from tests.support.swarm import params

PULLS = 200


def hostile(number: int) -> tuple[str, bytes]:
    """A request that no honest node sends."""
    unknown = codec.encode(PullRequest(query=number.to_bytes(32, "big"), ids=()))
    return [(PULL, unknown), (PULL, b"\xc1"), (PULL, b""), (CERTIFICATE, b"short")][number % 4]


async def flood(tmp_path: Path) -> None:
    """One peer sends PULLS requests that are all refused, eight at once."""
    keypair = Keypair(seed(1))
    clock = Clock()
    async with open_store(tmp_path, public_key=keypair.public, fresh_key=True, now_ms=clock.now_ms()) as store:
        inbound = InboundRouter(Participant(keypair, params()), store, clock)
        settings = config(protocols=(PULL, CERTIFICATE))
        async with open_overlay(seed(1), settings, inbound) as na, node(2, Recorder(), na) as nb:
            limit = trio.CapacityLimiter(8)

            async def ask(protocol: str, payload: bytes) -> None:
                async with limit:
                    with pytest.raises(RequestRefused):
                        await nb.request(na.key, protocol, payload, timeout_ms=10_000)

            async with trio.open_nursery() as nursery:
                for number in range(PULLS):
                    nursery.start_soon(ask, *hostile(number))


async def test_refusals_are_no_errors(tmp_path: Path) -> None:
    """At 044b2f0 each is a traceback with local variables: 1.3 MB of log for 1,026 of them."""
    with capture_logs() as written:
        await flood(tmp_path)
    refused = [entry for entry in written if entry["event"] == "request.refused"]
    assert len(refused) == PULLS
    assert {entry["log_level"] for entry in refused} == {"debug"}
    assert [entry for entry in written if entry["log_level"] == "error" or "exc_info" in entry] == []


async def test_a_flood_of_them_writes_a_bounded_log(tmp_path: Path) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    out = io.StringIO()
    logs.configure("debug", "json", out)
    try:
        await flood(tmp_path)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
    events = [json.loads(line)["event"] for line in out.getvalue().splitlines()]
    assert events.count("request.refused") == LINES_PER_PEER_MAX
    assert len(out.getvalue()) < 100_000
