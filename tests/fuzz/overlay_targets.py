"""What peers send: multistream lines, yamux and pubsub frames, and requests over streams."""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from hypothesis import strategies as st
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.keys import KeyPair
from libp2p.peer.id import ID
from libp2p.protocol_muxer.exceptions import MultiselectError
from libp2p.protocol_muxer.multiselect import MULTISELECT_PROTOCOL_ID, Multiselect
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import PUBSUB_SIGNING_PREFIX
from libp2p.stream_muxer import muxer_multistream
from libp2p.stream_muxer.exceptions import MuxedConnUnavailable, MuxedStreamError
from libp2p.utils import encode_varint_prefixed
from libp2p.utils.varint import encode_uvarint

from consensus.rounds.participant import Participant
from node.overlay import OverlayConfig, fixes, open_overlay
from node.overlay.identity import peer_id_bytes
from node.overlay.streams import StreamServer
from node.rounds.inbound import PROTOCOLS, PULL
from protocol import codec
from protocol.errors import Fault, Verdict
from protocol.streams import PullRequest
from protocol.types import Digest, Key
from tests.fuzz.target import MemoryStream, One, Target, joined, pieces
from tests.support.swarm import Swarm, keypair, params

STRANGER = create_new_key_pair(b"\x07" * 32)
HONEST = create_new_key_pair(b"\x08" * 32)
PEER = ID.from_pubkey(STRANGER.public_key)
BUFFERED_BYTES_MAX = 4 * 1024 * 1024
"""bytes of a connection that nobody has read yet, as the overlay bounds them. Inputs are smaller: it guards copies."""
FRAME_BYTES_MAX = 16 * 1024 * 1024
"""bytes that one read of a muxed connection may ask for: Noise hands out 64 KiB at a time, whatever is asked."""


# -- multistream -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def open_negotiation() -> AsyncIterator[One]:
    """Negotiate a protocol. What is refused raises MultiselectError, and nothing else."""
    fixes.apply()
    offered: dict[Any, Any] = dict.fromkeys(PROTOCOLS)

    async def one(data: bytes) -> None:
        stream = MemoryStream(*pieces(data))
        try:
            protocol, _ = await Multiselect(offered).negotiate(MultiselectCommunicator(stream))  # type: ignore[arg-type]
            assert protocol in offered
        except MultiselectError:
            pass
        stream.check()

    yield one


def line(words: bytes) -> bytes:
    """One multistream message."""
    return encode_varint_prefixed(words + b"\n")


WORDS = [MULTISELECT_PROTOCOL_ID.encode(), b"ls", b"na", PULL.encode(), b"/noise", b"/yamux/1.0.0", b"\xff\xfe", b""]

MULTISTREAM = Target(
    name="multistream",
    open=open_negotiation,
    seeds=lambda: [
        b"\x00" + line(WORDS[0]) + line(PULL.encode()),
        b"\x01" + line(WORDS[0]) + line(b"ls") + line(b"/nothing/1") + line(PULL.encode()),
        b"\x02" + line(WORDS[0]) + line(b"\xc3\x28"),
    ],
    tokens=[*map(line, WORDS), *WORDS, b"\xff" * 9 + b"\x01", encode_uvarint(1 << 40), encode_uvarint(80_000_000)],
    structured=joined(
        st.one_of(
            st.sampled_from(WORDS).map(line),
            st.binary(max_size=20).map(line),
            st.integers(0, (1 << 64) - 1).map(encode_uvarint),
        )
    ).map(lambda lines: b"\x00" + lines),
)


# -- yamux -------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def open_muxer() -> AsyncIterator[One]:
    """Run a muxed connection until its bytes end; every stream that it opens is read to its end."""
    fixes.apply()

    async def one(data: bytes) -> None:
        stream = MemoryStream(*pieces(data), FRAME_BYTES_MAX)
        muxer = muxer_multistream.Yamux(stream, PEER, is_initiator=False)  # type: ignore[arg-type]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(muxer.start)
            await muxer.event_started.wait()
            nursery.start_soon(_accept, muxer)
            await muxer.event_shutting_down.wait()
            assert sum(map(len, muxer.stream_buffers.values())) <= BUFFERED_BYTES_MAX
        assert muxer.event_closed.is_set() and stream.closed, "the connection outlives its bytes"
        assert not muxer.streams and not muxer.stream_buffers, "streams stay in the tables"
        stream.check()

    yield one


async def _accept(muxer: Any) -> None:
    async with trio.open_nursery() as nursery:
        while True:
            try:
                opened = await muxer.accept_stream()
            except MuxedConnUnavailable:
                return
            nursery.start_soon(_read_out, opened)


async def _read_out(stream: Any) -> None:
    try:
        while await stream.read(4096):
            await stream.write(b"x")
        await stream.close()
    except (MuxedStreamError, OSError):
        return


def frame(kind: int, flags: int, stream_id: int, length: int, body: bytes = b"", version: int = 0) -> bytes:
    """A yamux frame, whose length need not be its body's."""
    return struct.pack("!BBHII", version, kind, flags, stream_id, length) + body


def data(flags: int, stream_id: int, body: bytes) -> bytes:
    """A DATA frame as it should be."""
    return frame(0, flags, stream_id, len(body), body)


SYN, ACK, FIN, RST = 1, 2, 4, 8

frames = st.one_of(
    st.builds(
        frame,
        st.integers(0, 4),
        st.integers(0, 15),
        st.integers(0, 9),
        st.sampled_from([0, 1, 3, 256 * 1024, 1 << 24, (1 << 24) + 1, (1 << 32) - 1]),
        st.binary(max_size=4),
        st.sampled_from([0, 0, 0, 1]),
    ),
    st.builds(data, st.integers(0, 15), st.integers(0, 9), st.binary(max_size=40)),
)

YAMUX = Target(
    name="yamux",
    open=open_muxer,
    seeds=lambda: [
        b"\x00" + data(SYN, 1, b"hello") + data(0, 1, b"more") + data(FIN, 1, b""),
        b"\x02" + frame(1, SYN, 1, 256 * 1024) + data(0, 1, b"x" * 300) + frame(1, FIN, 1, 0) + frame(2, SYN, 0, 7),
        b"\x00" + frame(1, SYN, 3, 0) + frame(1, RST, 3, 0) + data(0, 3, b"late") + frame(3, 0, 0, 0),
        b"\x00" + b"".join(frame(1, SYN, number, 0) for number in range(1, 60, 2)),
        b"\x00" + frame(1, SYN, 1, 0) + data(0, 1, b"y" * 60_000),
    ],
    tokens=[frame(kind, flags, 1, 0) for kind in range(4) for flags in (0, SYN, ACK, FIN, RST, SYN | RST, SYN | FIN)],
    structured=joined(frames).map(lambda frames: b"\x00" + frames),
)


# -- pubsub ------------------------------------------------------------------------------------------------------------

TOPIC = "/strand/test/0/rust/0"


class _Judge:
    """A node that finds fault with every third message."""

    def __init__(self) -> None:
        self.heard = 0

    def on_gossip(self, _topic: str, source: bytes, data: bytes) -> Verdict:
        assert len(source) == 32
        self.heard += 1
        return list(Verdict)[len(data) % len(Verdict)]

    async def on_request(self, _protocol: str, _source: bytes, payload: bytes) -> bytes:
        return payload

    def on_peer(self, peer: bytes, connected: bool) -> None:
        """Of no interest here."""


@asynccontextmanager
async def open_pubsub() -> AsyncIterator[One]:
    """Read the pubsub streams of strangers at a running overlay, which must still hear and publish at the end.

    Each input comes from another peer: who has sent nonsense may be heard no more.
    """
    config = OverlayConfig(listen=("/ip4/127.0.0.1/tcp/0",))
    judge, numbers = _Judge(), itertools.count()
    async with open_overlay(b"\x09" * 32, config, judge) as overlay:
        await overlay.subscribe(TOPIC)
        pubsub: Any = overlay._pubsub  # type: ignore[attr-defined]

        async def one(data: bytes) -> None:
            stream: Any = MemoryStream(*pieces(data))
            key = hashlib.blake2b(next(numbers).to_bytes(8, "big"), digest_size=32).digest()
            peer = ID(peer_id_bytes(key))
            stream.muxed_conn = muxer_multistream.Yamux(MemoryStream(b""), peer, is_initiator=False)  # type: ignore[arg-type]
            await pubsub.stream_handler(stream)
            stream.check()

        yield one
        before = judge.heard
        await one(b"\x00" + rpc_frame(rpc_pb2.RPC(publish=[message(1 << 40, b"honest", by=HONEST)])))
        assert judge.heard == before + 1, "an honest message is not heard any more"
        await overlay.publish(TOPIC, b"still here")


def message(number: int, data: bytes, topic: str = TOPIC, by: KeyPair = STRANGER) -> rpc_pb2.Message:
    """A message as its author signs it."""
    author = ID.from_pubkey(by.public_key)
    made = rpc_pb2.Message(from_id=author.to_bytes(), seqno=number.to_bytes(8, "big"), data=data, topicIDs=[topic])
    made.signature = by.private_key.sign(PUBSUB_SIGNING_PREFIX.encode() + made.SerializeToString())
    made.key = by.public_key.serialize()
    return made


def rpc_frame(rpc: rpc_pb2.RPC) -> bytes:
    """One frame of the stream."""
    return encode_varint_prefixed(rpc.SerializeToString())


def _control(**entries: Any) -> bytes:
    return rpc_frame(rpc_pb2.RPC(control=rpc_pb2.ControlMessage(**entries)))


CONTROLS = [
    _control(graft=[rpc_pb2.ControlGraft(topicID=TOPIC)]),
    _control(prune=[rpc_pb2.ControlPrune(topicID=TOPIC, backoff=60)]),
    _control(ihave=[rpc_pb2.ControlIHave(topicID=TOPIC, messageIDs=[b"\x00" * 12, b"zz"])]),
    _control(iwant=[rpc_pb2.ControlIWant(messageIDs=[b"\x00" * 12, b"zz", b""])]),
    _control(idontwant=[rpc_pb2.ControlIDontWant(messageIDs=[b"\x00" * 12])]),
]

MESSAGES = [rpc_frame(rpc_pb2.RPC(publish=[message(number, b"x" * number)])) for number in range(6)]

SUBSCRIPTIONS = [
    rpc_frame(rpc_pb2.RPC(subscriptions=[rpc_pb2.RPC.SubOpts(subscribe=on, topicid=topic)]))
    for on in (True, False)
    for topic in (TOPIC, "t" * 300, "")
]

fields = st.tuples(st.integers(1, 8), st.sampled_from([0, 1, 2, 5]), st.binary(max_size=12)).map(
    lambda field: (
        encode_uvarint(field[0] << 3 | field[1]) + (encode_varint_prefixed(field[2]) if field[1] == 2 else field[2])
    )
)

PUBSUB = Target(
    name="pubsub",
    open=open_pubsub,
    seeds=lambda: [b"\x00" + each for each in (*CONTROLS, *MESSAGES, *SUBSCRIPTIONS, b"".join([*MESSAGES, *CONTROLS]))],
    tokens=[*CONTROLS, *SUBSCRIPTIONS, MESSAGES[1], TOPIC.encode(), PEER.to_bytes(), b"\xff" * 9 + b"\x01"],
    structured=joined(
        st.one_of(
            st.sampled_from([*CONTROLS, *MESSAGES, *SUBSCRIPTIONS]),
            joined(fields, 6).map(encode_varint_prefixed),
            joined(fields, 4).map(lambda inner: encode_varint_prefixed(b"\x1a" + encode_varint_prefixed(inner))),
            joined(fields, 4).map(lambda inner: encode_varint_prefixed(b"\x12" + encode_varint_prefixed(inner))),
        ),
        6,
    ).map(lambda frames: b"\x00" + frames),
    mock_clock=False,
)


# -- the stream server -------------------------------------------------------------------------------------------------


@asynccontextmanager
async def open_server() -> AsyncIterator[One]:
    """Serve a stranger's stream with a node that has played a round; at the end it must serve a good request."""
    swarm = Swarm("abcd", params())
    query = swarm.ask()
    swarm.run()
    participant: Participant = swarm.nodes["a"].participant

    async def serve(_protocol: str, peer: bytes, payload: bytes) -> bytes:
        served = participant.serve_pull(Key(peer), payload)
        if isinstance(served, Fault):
            raise ConnectionAbortedError(str(served))
        return served.reply

    server = StreamServer(serve, OverlayConfig(listen=("/ip4/127.0.0.1/tcp/0",)))

    async def one(data: bytes) -> None:
        stream = MemoryStream(*pieces(data))
        await server.run(PULL, keypair("b").public, stream)
        stream.check()

    yield one
    good = MemoryStream(request(codec.encode(PullRequest(query=query, ids=()))))
    await server.run(PULL, keypair("c").public, good)
    assert good.written > 4, "it serves nobody any more"


def request(payload: bytes) -> bytes:
    """A request as it should be."""
    return len(payload).to_bytes(4, "big") + payload


def _pulls() -> list[bytes]:
    swarm = Swarm("abcd", params())
    query = swarm.ask()
    swarm.run()
    ids = tuple(sorted(Digest(each.id) for each in swarm.heard["b"]))[:6]
    return [codec.encode(PullRequest(query=query, ids=some)) for some in ((), ids)]


STREAMS = Target(
    name="streams",
    open=open_server,
    seeds=lambda: [bytes((way,)) + request(pull) * 2 for pull in _pulls() for way in range(4)],
    tokens=[
        b"\xff\xff\xff\xff",
        b"\x00\x08\x00\x00",
        b"\x00\x08\x00\x01",
        b"\x00\x00\x00\x00",
        *map(request, _pulls()),
    ],
    structured=joined(st.one_of(st.binary(max_size=40).map(request), st.sampled_from(_pulls()).map(request)), 6).map(
        lambda requests: b"\x00" + requests
    ),
)
