"""What a node still knows after SIGKILL (R12). The test's own peer asks, so that it sees every byte."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

import trio

from consensus.certificates.record import RoundRecord, commit_to, open_record
from consensus.learning.roster import Draw, Trust, choose_roster
from node.clock import Clock
from node.inference import EngineConfig
from node.local.nodes import Child, NodeSpec, start_node
from node.overlay import Overlay, open_overlay
from node.rounds.inbound import CONTRIBUTE, PROTOCOLS, PULL
from protocol import codec
from protocol.conversation import digest_of, single
from protocol.messages import Answer, CloseCommits, Commit, Commitment, Message, Offer, PullReply, Query
from protocol.signing import Keypair, VerifiedMessage, open_envelope, seal
from protocol.topics import topic
from protocol.types import ONE, Digest, TaskType
from tests.integration.overlay.world import Recorder, config, subscribers, until
from tests.support.processes import Shell
from tests.support.swarm import params

PARAMS = params("devnet")
TOPIC = topic(PARAMS, "rust", 0)
SEED = b"a requester made of test code   "
ME = Keypair(SEED)
SCRIPTED = EngineConfig(kind="scripted")

Body = TypeVar("Body", bound=Message)


class Requester(Recorder):
    """Acknowledges contributions, and serves `chain` to whoever pulls."""

    def __init__(self) -> None:
        super().__init__()
        self.chain: tuple[VerifiedMessage, ...] = ()

    async def on_request(self, protocol: str, source: bytes, payload: bytes) -> bytes:
        await super().on_request(protocol, source, payload)
        if protocol == CONTRIBUTE:
            return b""
        return codec.encode(PullReply(turns=(), envelopes=tuple(message.envelope for message in self.chain)))

    async def contribution(self, kind: type[Body], nth: int = 0) -> tuple[Body, bytes]:
        """The nth contribution of this kind by stream, and its bytes."""
        await self.wait(lambda: len(self._contributions(kind)) > nth)
        return self._contributions(kind)[nth]

    async def pull(self, nth: int = 0) -> None:
        """Wait for the nth pull."""
        await self.wait(lambda: sum(protocol == PULL for protocol, _, _ in self.requests) > nth)

    async def gone(self, member: Child) -> None:
        """Wait until the connection of a killed member is given up: what is published later goes to its next life."""
        await self.wait(lambda: self.peers[-1] == (bytes.fromhex(member.key), False))

    async def offer(self, member: bytes) -> Offer:
        """A member's offer, once it is gossiped."""
        await self.wait(lambda: self._offers(member))
        return self._offers(member)[-1]

    def commits_to(self, query: Digest) -> int:
        """How often a commitment to this query came."""
        return sum(commit.query == query for commit, _ in self._contributions(Commit))

    def _contributions(self, kind: type[Body]) -> list[tuple[Body, bytes]]:
        raw = [payload for protocol, _, payload in self.requests if protocol == CONTRIBUTE]
        return [(message.body, each) for each in raw if isinstance((message := _opened(each)).body, kind)]

    def _offers(self, member: bytes) -> list[Offer]:
        opened = [_opened(data) for _, _, data in self.gossip]
        return [message.body for message in opened if message.author == member and isinstance(message.body, Offer)]


async def test_a_killed_daemon_keeps_its_key_and_its_certificates(shell: Shell, tmp_path: Path) -> None:
    spec = NodeSpec(tmp_path / "node", SCRIPTED)
    async with AsyncExitStack() as stack:
        before = await start_node(spec, stack)
        # Alone it can decide nothing, but what it finds is certified.
        ask = partial(shell.strand, "ask", "Alone?", "--json", "--url", before.url, "--out", tmp_path / "alone.strand")
        asked = await trio.to_thread.run_sync(ask)
        assert (asked.code, asked.json["outcome"]) == (0, "degraded")
        await _kill(before)
        after = await start_node(spec, stack)
        assert after.key == before.key
        show = partial(shell.strand, "show", asked.json["query_id"], "--json", "--url", after.url)
        shown = await trio.to_thread.run_sync(show)
        assert shown.code == 0
        both = asked.json.keys() & shown.json.keys()
        assert {key: shown.json[key] for key in both} == {key: asked.json[key] for key in both}
        assert "winner" in both


async def test_a_member_killed_after_its_commit_repeats_it_and_opens(tmp_path: Path) -> None:
    requester = Requester()
    async with _overlay(requester) as overlay, AsyncExitStack() as stack:
        spec = NodeSpec(tmp_path / "node", SCRIPTED, overlay.addresses()[:1])
        before = await start_node(spec, stack)
        query, commit, raw = await _kill_after_its_commit(before, overlay, requester)

        requester.chain = (query,)
        after = await start_node(spec, stack)
        assert after.key == before.key
        assert await requester.contribution(Commit, 1) == (commit, raw)

        await until(lambda: bytes.fromhex(after.key) in subscribers(overlay, TOPIC))
        listed = Commitment(member=commit.author, commitment=commit.commitment)
        closing = CloseCommits(
            author=ME.public, query=query.id, prev=query.id, commitments=(listed,), declines=(), ride_along=()
        )
        await overlay.publish(TOPIC, seal(ME, PARAMS.digest, closing).envelope)
        answer, _ = await requester.contribution(Answer)
        record = open_record(PARAMS, query)
        assert isinstance(record, RoundRecord)
        assert commit_to(record, answer.author, answer.content, answer.salt) == commit.commitment


async def test_a_query_replayed_after_a_restart_is_refused(tmp_path: Path) -> None:
    requester = Requester()
    async with _overlay(requester) as overlay, AsyncExitStack() as stack:
        spec = NodeSpec(tmp_path / "node", SCRIPTED, overlay.addresses()[:1])
        before = await start_node(spec, stack)
        old, _, _ = await _kill_after_its_commit(before, overlay, requester)

        # It asks for the chain of the round it was in; it gets none, so it can only stay silent.
        await start_node(spec, stack)
        await requester.pull()
        new = await _query(overlay, requester, before)
        await overlay.publish(TOPIC, old.envelope)
        await overlay.publish(TOPIC, new.envelope)
        commit, _ = await requester.contribution(Commit, 1)
        # Messages of one author come in order: the replayed query was looked at before the new one.
        assert commit.query == new.id
        assert requester.commits_to(old.id) == 1


def _overlay(requester: Requester) -> AbstractAsyncContextManager[Overlay]:
    return open_overlay(SEED, config(protocols=PROTOCOLS), requester)


async def _query(overlay: Overlay, requester: Requester, member: Child) -> VerifiedMessage:
    """A query of ours to this member, when it hears us."""
    await overlay.subscribe(TOPIC)
    key = bytes.fromhex(member.key)
    offer = await requester.offer(key)
    await until(lambda: key in subscribers(overlay, TOPIC))
    body = Query(
        author=ME.public,
        specialty="rust",
        shard=0,
        task=TaskType.CODE,
        turns=single("Sum a slice."),
        content_digest=digest_of(single("Sum a slice.")),
        max_tokens=256,
        answer_ms=60_000,
        open_ms=60_000,
        judge_ms=60_000,
        cosign_ms=5_000,
        patience_ms=1_000,
        waves=(3,),
        threshold=ONE,
        calibration_intercept=0,
        calibration_slope=ONE,
        confidence_min=0,
        beta=45_875,
        tau_u=52_429,
        tau_v=26_214,
        sent_at_ms=Clock().now_ms(),
        nonce=len(requester.requests).to_bytes(32, "big"),
        roster=choose_roster(
            [offer], "rust", Trust(ONE, {}), PARAMS.members_max, Draw(ME.public, bytes(32), {offer.author})
        ),
    )
    return seal(ME, PARAMS.digest, body)


async def _kill_after_its_commit(
    member: Child, overlay: Overlay, requester: Requester
) -> tuple[VerifiedMessage, Commit, bytes]:
    """Ask this member, wait for its commitment, and kill it; the query, the commitment and its bytes."""
    query = await _query(overlay, requester, member)
    await overlay.publish(TOPIC, query.envelope)
    commit, raw = await requester.contribution(Commit)
    await _kill(member)
    await requester.gone(member)
    return query, commit, raw


async def _kill(node: Child) -> None:
    node.process.kill()
    await node.process.wait()


def _opened(envelope: bytes) -> VerifiedMessage:
    message = open_envelope(envelope, PARAMS.digest)
    assert isinstance(message, VerifiedMessage), message
    return message
