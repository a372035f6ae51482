"""Three nodes on one real vLLM that the first of them starts: they answer and judge by it, and outlive it.

SmolLM2's Rust is poor and its judgements are close to coin tosses: what is shown is that the path works.
"""

import os
import secrets
import select
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from consensus.certificates.certificate import VerifiedCertificate
from consensus.certificates.record import bodies
from node.api.engine import EngineReport
from node.client import Client, FollowedRound, Question, connect, follow
from node.inference import EngineConfig, VllmConfig
from node.inference import process_guard as keeper
from node.inference.http_json import open_json_client
from node.inference.vllm.dialect import prefix_cache
from node.inference.vllm.server import SESSION_NAME, free_port
from node.local.nodes import Child, NodeSpec, start_node
from protocol.messages import Ballot
from protocol.types import ABSTAIN, ONE
from tests.support.processes import log_records, logged
from tests.vllm.servers import BIN, READY_S, SEQUENCES_MAX, checkpoint

pytestmark = pytest.mark.skipif(not BIN.is_dir(), reason=f"there is no {BIN}: make test-vllm makes it")

ROUND_S = 600.0
"""For a round; one takes half a minute on quiet cores."""

POLL_S = 1.0
"""Between two looks at a node's engine."""

NODES = 3
TOKENS = 64


async def specs(folder: Path) -> list[NodeSpec]:
    """The first runs a vLLM, the others use it by its URL and key."""
    port, key = free_port(), secrets.token_urlsafe(24)
    shared = EngineConfig(
        kind="vllm",
        url=f"http://127.0.0.1:{port}",
        api_key=key,
        context_tokens=2048,
        judge_answer_bytes_max=400,
        concurrency=SEQUENCES_MAX,
    )
    server = VllmConfig(
        python=str(BIN / "python"),
        model=str(await checkpoint()),
        port=port,
        sequences_max=SEQUENCES_MAX,
        arguments=("--enforce-eager",),
        start_timeout_ms=round(READY_S * 1000),
    )
    given = [server, *(VllmConfig() for _ in range(NODES - 1))]
    return [
        NodeSpec(folder / str(number), shared, vllm=vllm, seed=number, patience_ms=30_000)
        for number, vllm in enumerate(given)
    ]


async def engine_when(client: Client, holds: Callable[[EngineReport], bool]) -> EngineReport:
    """What a node tells of its engine, when a condition on it holds."""
    with trio.fail_after(READY_S):
        while not holds(told := await client.engine()):  # noqa: ASYNC110 - another process
            await trio.sleep(POLL_S)
    return told


async def ask(client: Client, query: str) -> FollowedRound:
    return await follow(client, Question.single(query, max_tokens=TOKENS), silence_s=ROUND_S)


def session_of(folder: Path) -> int:
    return int((folder / "vllm" / SESSION_NAME).read_text().split()[1])


def preferences(followed: FollowedRound) -> list[int]:
    ballots = bodies(followed.verified.record.ballots, Ballot)
    return [each.preference for ballot in ballots for each in ballot.judgements if each.preference != ABSTAIN]


async def test_a_swarm_on_a_vllm_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    first_spec, *other_specs = await specs(tmp_path)
    async with AsyncExitStack() as stack:
        first = await start_node(first_spec, stack)
        client = await stack.enter_async_context(connect(first.url))
        # It lives long before its engine does.
        told = await client.engine()
        assert told.server is not None
        assert (told.answers, told.server.restarts) == (False, 0)
        told = await engine_when(client, lambda told: told.answers)
        assert told.probe is not None
        assert told.probe.judging == "raw completion with logprobs"
        assert told.probe.constraint == "structured_outputs"
        for spec in other_specs:
            await start_node(replace(spec, bootstrap=first.addresses[:1]), stack)
        await client.wait_offers(NODES, READY_S)

        await _a_round_is_decided(client, first_spec.engine)
        await _a_round_outlives_its_server(client, first, first_spec.folder)
        await _nothing_outlives_its_node(first, first_spec.folder)


async def _a_round_is_decided(client: Client, engine: EngineConfig) -> None:
    followed = await ask(client, "Write a Rust function that returns the largest element of a slice of i32, or None.")
    assert isinstance(followed.verified, VerifiedCertificate)
    assert followed.verified.ranking.outcome == "decided"
    assert followed.verified.full
    given = preferences(followed)
    # Log probabilities, averaged over both orders: neither a letter nor a coin.
    assert given and all(0 < preference < ONE for preference in given)
    assert len(set(given)) > 1
    async with open_json_client(engine, timeout_ms=10_000, concurrency=1) as server:
        cache = prefix_cache(await server.text("/metrics"))
    assert cache is not None and cache.hit_rate > 0.2
    told = (await client.engine()).cache
    assert told is not None and told.hit_rate > 0.0
    timings = {name: f"{ms / 1000:.1f} s" for name, ms in followed.timings_ms.items()}
    hits = f"prefix cache hits {cache.hit_rate:.0%} of all nodes' {cache.tokens} tokens"
    print(f"a round: {timings}, {len(given)} judgements; {hits}")


async def _a_round_outlives_its_server(client: Client, first: Child, folder: Path) -> None:
    old = session_of(folder)
    server = (await client.engine()).server
    assert server is not None
    ended: list[FollowedRound] = []

    async def round_() -> None:
        ended.append(await ask(client, "Write a Rust function that reverses a String."))

    def begun() -> int:
        return sum(record["event"] == "judging.started" for record in log_records(first.log))

    before = begun()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(round_)
        await logged(first.log, lambda _: begun() > before)
        # The server's first process: the others hang on it.
        os.kill(min(keeper.session_members(old) - {server.pid}), signal.SIGKILL)
    (followed,) = ended
    ranking = followed.verified.ranking
    assert ranking.outcome in ("decided", "degraded")
    assert ranking.reason
    told = await engine_when(
        client, lambda told: told.answers and told.server is not None and told.server.restarts == 1
    )
    assert told.server is not None and "signal 9" in (told.server.trouble or "")
    assert keeper.session_members(old) == set()
    print(f"a round without its server: {ranking.outcome}, {ranking.reason}; server ended: {told.server.trouble}")


async def _nothing_outlives_its_node(first: Child, folder: Path) -> None:
    session = session_of(folder)
    assert len(keeper.session_members(session)) >= 3
    # A pidfd is readable when its process has ended, and the keeper is the last to go.
    ended = os.pidfd_open(session)
    first.process.kill()
    try:
        assert select.select([ended], [], [], keeper.TERM_S + keeper.KILL_S + 5.0)[0] == [ended]
    finally:
        os.close(ended)
    assert keeper.session_members(session) == set()
