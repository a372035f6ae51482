"""A requester made of test code: it asks a real node over libp2p, and sees every byte that comes back."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from consensus.learning.roster import Draw, Trust, choose_roster
from node.clock import Clock
from node.local.nodes import Child
from node.overlay import Overlay, open_overlay
from node.rounds.inbound import CONTRIBUTE, PROTOCOLS, PULL
from protocol import codec
from protocol.conversation import digest_of, single
from protocol.messages import Commit, Message, Offer, Query
from protocol.signing import Keypair, VerifiedMessage, open_envelope, seal
from protocol.streams import PullReply
from protocol.topics import topic
from protocol.types import ONE, Digest, TaskType
from tests.integration.overlay.world import Recorder, config, subscribers, until
from tests.support.findings import NOTHING
from tests.support.swarm import params

PARAMS = params("devnet")
TOPIC = topic(PARAMS, "rust", 0)
SEED = b"a requester made of test code   "
ME = Keypair(SEED)

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
        return codec.encode(PullReply(turns=(), tests="", envelopes=tuple(message.envelope for message in self.chain)))

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


def overlay_of(requester: Requester) -> AbstractAsyncContextManager[Overlay]:
    return open_overlay(SEED, config(protocols=PROTOCOLS), requester)


async def query_to(overlay: Overlay, requester: Requester, member: Child) -> VerifiedMessage:
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
        calibration_findings=0,
        confidence_min=0,
        beta=45_875,
        tau_u=52_429,
        tau_v=26_214,
        futility=0,
        findings=NOTHING,
        sent_at_ms=Clock().now_ms(),
        nonce=len(requester.requests).to_bytes(32, "big"),
        roster=choose_roster(
            [offer], "rust", Trust(ONE, {}), PARAMS.members_max, Draw(ME.public, bytes(32), {offer.author})
        ),
    )
    return seal(ME, PARAMS.digest, body)


async def kill_after_its_commit(
    member: Child, overlay: Overlay, requester: Requester
) -> tuple[VerifiedMessage, Commit, bytes]:
    """Ask this member, wait for its commitment, and kill it; the query, the commitment and its bytes."""
    query = await query_to(overlay, requester, member)
    await overlay.publish(TOPIC, query.envelope)
    commit, raw = await requester.contribution(Commit)
    await kill(member)
    await requester.gone(member)
    return query, commit, raw


async def kill(node: Child) -> None:
    node.process.kill()
    await node.process.wait()


def _opened(envelope: bytes) -> VerifiedMessage:
    message = open_envelope(envelope, PARAMS.digest)
    assert isinstance(message, VerifiedMessage), message
    return message
