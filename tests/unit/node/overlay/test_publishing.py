"""The pace of own messages and the queues that they wait in."""

from __future__ import annotations

from libp2p.pubsub.pb import rpc_pb2

from node.overlay import fixes, host
from node.overlay.types import GOSSIP_BYTES_CEILING

FRAME_BYTES = 1_024
"""For a key, a signature, ids and the sender's address record."""


def largest_burst() -> list[int]:
    """Sizes of messages that may go out at once: as much as the pace allows before the last, which is the largest."""
    count = before = 0
    while before >= count * GOSSIP_BYTES_CEILING:
        count += 1
        before = int((host._PUBLISH_BURST_S - count / host._PUBLISH_PER_S) * host._PUBLISH_BYTES_PER_S)
    return [before // count] * count + [GOSSIP_BYTES_CEILING]


def frame(size: int) -> rpc_pb2.RPC:
    return rpc_pb2.RPC(publish=[rpc_pb2.Message(data=bytes(size))], senderRecord=bytes(FRAME_BYTES))


async def test_a_peers_queue_holds_the_largest_burst() -> None:
    """With a burst of one second, 2 MiB, the last two of five large messages were dropped."""
    queue = fixes._BoundedRpcQueue()
    assert [queue.push(frame(size)) for size in largest_burst()] == [True] * 3
