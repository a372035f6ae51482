"""Gossip on its way out: what rounds wait for in order, and evidence of our own finding beside it."""

from collections import deque
from typing import TYPE_CHECKING

import trio

from consensus.rounds.buckets import Bucket, Rate
from protocol.types import Digest

if TYPE_CHECKING:
    from node.overlay.host import Overlay

OUTBOX_MAX = 1024
"""gossip messages waiting to be sent; the loop waits when it is full."""

EVIDENCE_RATE = Rate(0.5, 32.0)
"""pieces of evidence of our own finding that are published: half of the useless messages that others take of us
(AUTHOR_USELESS), for who has found the same has no use for ours. Without it a few strangers who sign everything twice
filled the outbox for half a minute, and made honest nodes ban each other."""

EVIDENCE_MAX = 64
"""pieces of evidence that wait for that; more are not published, for others find the same or are shown it by the
closing that lists it."""


class Outbox:
    """Publishes in the background.

    Evidence goes out one piece of each round in turn, so that a stranger's round in which everybody signs twice does
    not delay the evidence of others.
    """

    def __init__(self, overlay: "Overlay") -> None:
        self._overlay = overlay
        self._send, self._to_publish = trio.open_memory_channel[tuple[str, bytes]](OUTBOX_MAX)
        self._evidence: dict[Digest, deque[tuple[str, bytes]]] = {}
        """By round, the one whose turn it is first; no empty ones, EVIDENCE_MAX pieces in all."""
        self._waiting = trio.Semaphore(0)

    async def send(self, topic: str, envelope: bytes) -> None:
        """Queue a message, waiting for room."""
        await self._send.send((topic, envelope))

    def accuse(self, query: Digest, topic: str, envelope: bytes) -> None:
        """Queue evidence about a round; without room, the round with most of it loses its newest piece."""
        self._evidence.setdefault(query, deque()).append((topic, envelope))
        if sum(map(len, self._evidence.values())) > EVIDENCE_MAX:
            most = max(self._evidence, key=lambda each: len(self._evidence[each]))
            self._evidence[most].pop()
            if not self._evidence[most]:
                del self._evidence[most]
        else:
            self._waiting.release()

    async def run(self) -> None:
        """Publish until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._publish_evidence)
            async for topic, envelope in self._to_publish:
                await self._overlay.publish(topic, envelope)

    async def _publish_evidence(self) -> None:
        budget = Bucket(EVIDENCE_RATE)
        while True:
            await self._waiting.acquire()
            await trio.sleep(budget.spend(1, trio.current_time()))
            query = next(iter(self._evidence))
            pieces = self._evidence.pop(query)
            topic, envelope = pieces.popleft()
            if pieces:
                self._evidence[query] = pieces
            await self._overlay.publish(topic, envelope)
