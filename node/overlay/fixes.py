"""Every change to the code of libp2p 0.8.1, with its reason.

Changes to its classes are subclasses beside this module: pubsub.py and muxer.py (yamux). bounds.py reads with limits
that stock lacks; connections.py admits connections. Each was found by measurement; docs/explanation/libp2p.md has the
table, and tests/integration/overlay/test_libp2p_regressions.py demonstrates the stock library's behaviour. All touch
private names, so any other version of libp2p is refused.
"""

from __future__ import annotations

import functools
import logging
import socket
import weakref
from typing import Any, ClassVar, Final

import libp2p
import libp2p.host.basic_host as basic_host
import libp2p.io.trio as trio_io
import libp2p.network.swarm as swarm
import libp2p.peer.peerstore as peerstore
import libp2p.pubsub.gossipsub as gossipsub
import libp2p.pubsub.pubsub as pubsub
import libp2p.stream_muxer.muxer_multistream as muxer_multistream
import libp2p.stream_muxer.yamux.yamux as yamux
import libp2p.transport.tcp.tcp as tcp
import trio
from libp2p.abc import IHost
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.rpc_queue import RpcQueue
from libp2p.transport.exceptions import OpenConnectionError

from node.overlay import bounds
from node.overlay.addresses import canonical_host
from node.overlay.muxer import MuxedStream, Muxer
from node.overlay.types import GOSSIP_BYTES_CEILING

VERSION: Final = "0.8.1"

RPC_BYTES_MAX: Final = GOSSIP_BYTES_CEILING + 64 * 1024
"""Bytes of one pubsub frame, sent or received: a payload, its envelope (key, signature, ids) and the sender's address
record."""

_ENVELOPE_S: Final = 5.0
"""Seconds for which the own signed address record is reused before it is compared with the addresses again."""
_BACKLOG: Final = 128
"""Connections that the system holds until we accept them; incoming ones are accepted at once."""
_QUEUE_RPCS_MAX: Final = 256
"""Frames waiting for one peer (32 in libp2p, where 200 unpaced messages lost 63 %)."""
_QUEUE_BYTES_MAX: Final = 1536 * 1024
"""Bytes waiting for one peer: a burst of own messages (1 MiB) and one more frame. A peer that does not read them loses
its connection (muxer.py)."""
_QUEUE_FAIR_BYTES: Final = 256 * 1024
"""Bytes that every peer's queue may hold, however full the others are."""
_QUEUES_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes waiting for all peers. Above it no queue may hold more than the fair share: 96 MiB with 128 peers."""


@functools.cache
def apply() -> None:
    """Apply all changes, once per process. Raises RuntimeError for another version of libp2p."""
    if libp2p.__version__ != VERSION:
        raise RuntimeError(f"the overlay's fixes are for libp2p {VERSION}, but {libp2p.__version__} is installed")
    _join_logs()
    # Stock waits 250 ms in each dial for a faster address even if there is only one address.
    swarm._HAPPY_EYEBALLS_DELAY = 0.0
    muxer_multistream.Yamux = Muxer  # type: ignore[attr-defined]
    yamux.YamuxStream = MuxedStream  # type: ignore[misc]
    MultiselectCommunicator.read = bounds.read_line  # type: ignore[method-assign]
    basic_host.read_length_prefixed_protobuf = bounds.read_identify  # type: ignore[attr-defined]
    pubsub.RpcQueue = _BoundedRpcQueue  # type: ignore[attr-defined, assignment]
    pubsub.env_to_send_in_RPC = _sender_record  # type: ignore[attr-defined]
    gossipsub.env_to_send_in_RPC = _sender_record  # type: ignore[attr-defined]
    tcp._open_reuseport_listeners = _open_listeners
    trio_io.TrioTCPStream.get_remote_address = _remote_address  # type: ignore[method-assign]


def _join_logs() -> None:
    """Connect libp2p's loggers to ours again.

    Importing libp2p detaches them, and Python then prints their lines raw into a JSON log. They report each failed dial
    as an error; the overlay logs the relevant events itself.
    """
    logging.getLogger("libp2p").propagate = True
    for name in ("libp2p", "libp2p.network.auto_connector"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


class _BoundedRpcQueue(RpcQueue):
    """A peer's outbound queue, wider in frames and bounded in bytes; frames fit what our own nodes accept."""

    _all: ClassVar[weakref.WeakSet[_BoundedRpcQueue]] = weakref.WeakSet()

    def __init__(self) -> None:
        super().__init__(max_size=_QUEUE_RPCS_MAX, max_message_size=RPC_BYTES_MAX)
        self._bytes = 0
        _BoundedRpcQueue._all.add(self)

    def push(self, rpc: rpc_pb2.RPC, priority: bool = False) -> bool:
        size = rpc.ByteSize()
        if not self._has_room(size) or not super().push(rpc, priority):
            return False
        self._bytes += size
        return True

    def _has_room(self, size: int) -> bool:
        waiting = self._bytes + size
        if waiting <= _QUEUE_FAIR_BYTES:
            return True
        return waiting <= _QUEUE_BYTES_MAX and sum(q._bytes for q in _BoundedRpcQueue._all) + size <= _QUEUES_BYTES_MAX

    async def pop(self) -> rpc_pb2.RPC | None:
        rpc = await super().pop()
        if rpc is not None:
            self._bytes -= rpc.ByteSize()
        return rpc


_stock_sender_record = peerstore.env_to_send_in_RPC
_sender_records: weakref.WeakKeyDictionary[IHost, tuple[bytes, float]] = weakref.WeakKeyDictionary()


def _sender_record(host: IHost) -> tuple[bytes, bool]:
    """Return the own signed address record, cached: stock compares all addresses for each frame and peer."""
    now = trio.current_time()
    record, until = _sender_records.get(host, (b"", 0.0))
    if now >= until:
        record, _ = _stock_sender_record(host)
        _sender_records[host] = (record, now + _ENVELOPE_S)
    return record, False


async def _open_listeners(host: str | None, port: int) -> list[trio.SocketListener]:
    """Listen on one IP address. Raises OpenConnectionError.

    Stock treats a name as no address, and no address as all of them: /dns4/localhost was served to the world. Its
    sockets of IPv6 also serve IPv4, so that the two wildcards exclude each other. And it adds SO_REUSEPORT for hole
    punching: two nodes on one port then start, and share its connections.
    """
    if host is None:
        raise OpenConnectionError("only IP addresses are listened on")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        bind_rules(sock, family)
        await sock.bind((host, port))
        sock.listen(_BACKLOG)
    except OSError as fault:
        sock.close()
        raise OpenConnectionError(f"cannot listen on {host}, port {port}: {fault}") from fault
    return [trio.SocketListener(sock)]


def bind_rules(sock: Any, family: int) -> None:
    """Set the options of a listening socket before it is bound."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


def _remote_address(self: trio_io.TrioTCPStream) -> tuple[str, int] | None:
    """Return host and port of the other end; stock fails for IPv6, where getpeername() has four fields."""
    if self._cached_remote_address is None:
        try:
            host, port = self.stream.socket.getpeername()[:2]
        except OSError:
            return None
        self._cached_remote_address = (canonical_host(str(host)), int(port))
    return self._cached_remote_address
