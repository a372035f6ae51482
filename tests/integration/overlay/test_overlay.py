"""Overlays of one process over loopback: gossip, requests, peers that come and go."""

from __future__ import annotations

import functools

import pytest
import trio
from structlog.testing import capture_logs

from node.overlay import OverlayError, PeerUnreachable, RequestRefused
from protocol.errors import Verdict
from tests.integration.overlay.world import ECHO, TOPIC, Recorder, config, node, seed, subscribers, until

# -- gossip ------------------------------------------------------------------------------------------------------------


async def test_a_message_reaches_every_other_subscriber_once_with_its_authors_key() -> None:
    a, b, c = Recorder(), Recorder(), Recorder()
    async with node(1, a) as na, node(2, b, na) as nb, node(3, c, na, nb) as nc:
        for overlay in (na, nb, nc):
            await overlay.subscribe(TOPIC)
        await until(lambda: len(subscribers(na)) == 2)
        await na.publish(TOPIC, b"one")
        await na.publish(TOPIC, b"two")
        for recorder in (b, c):
            await recorder.wait(lambda recorder=recorder: len(recorder.gossip) >= 2)
            assert sorted(recorder.gossip) == [(TOPIC, na.key, b"one"), (TOPIC, na.key, b"two")]
        assert a.gossip == []


async def test_own_messages_go_to_all_subscribers_before_any_mesh_link_exists() -> None:
    a, b, c = Recorder(), Recorder(), Recorder()
    async with node(1, a) as na, node(2, b, na) as nb, node(3, c, na) as nc:
        for overlay in (nb, nc):
            await overlay.subscribe(TOPIC)
        await until(lambda: len(subscribers(na)) == 2)
        assert TOPIC not in na._pubsub.gossip.mesh
        await na.publish(TOPIC, b"flooded")
        for recorder in (b, c):
            await recorder.wait(lambda recorder=recorder: recorder.data() == [b"flooded"])


async def test_topics_are_apart_and_bounded() -> None:
    a, b = Recorder(), Recorder()
    async with node(1, a, topics_max=2) as na, node(2, b, na) as nb:
        await na.subscribe("/one")
        await na.subscribe("/two")
        await na.subscribe("/two")
        with pytest.raises(OverlayError, match="2 topics"):
            await na.subscribe("/three")
        await nb.subscribe("/two")
        await until(lambda: subscribers(nb, "/two") and subscribers(nb, "/one"))
        await nb.publish("/one", b"1")
        await nb.publish("/two", b"2")
        await a.wait(lambda: len(a.gossip) == 2)
        assert sorted(a.gossip) == [("/one", nb.key, b"1"), ("/two", nb.key, b"2")]


@pytest.mark.parametrize("bytes_count", [0, 100_000, 512 * 1024])
async def test_a_message_of_any_size_up_to_the_limit_arrives(bytes_count: int) -> None:
    a, b = Recorder(), Recorder()
    async with node(1, a) as na, node(2, b, na) as nb:
        await nb.subscribe(TOPIC)
        await until(lambda: subscribers(na))
        await na.publish(TOPIC, bytes(bytes_count))
        await b.wait(lambda: b.data() == [bytes(bytes_count)])
        with pytest.raises(ValueError, match="524289"):
            await na.publish(TOPIC, bytes(512 * 1024 + 1))


async def test_a_burst_of_messages_is_paced_and_none_is_lost() -> None:
    a, b = Recorder(), Recorder()
    async with node(1, a) as na, node(2, b, na) as nb:
        await nb.subscribe(TOPIC)
        await until(lambda: subscribers(na))
        sent = [b"%d" % number for number in range(100)]
        for data in sent:
            await na.publish(TOPIC, data)
        await b.wait(lambda: len(b.gossip) == len(sent))
        assert sorted(b.data()) == sorted(sent)


async def test_what_a_node_rejects_goes_no_further_and_the_rest_does() -> None:
    a, b, c = Recorder(), Recorder(), Recorder()
    verdicts = {
        b"rejected": Verdict.REJECT,
        b"ignored": Verdict.IGNORE,
        b"relayed": Verdict.RELAY,
        b"accepted": Verdict.ACCEPT,
    }
    b.verdict = verdicts.__getitem__
    async with node(1, a) as na, node(2, b, na) as nb, node(3, c, nb) as nc:
        for overlay in (na, nb, nc):
            await overlay.subscribe(TOPIC)
        gossip = nb._pubsub.gossip
        await until(lambda: len(gossip.mesh[TOPIC]) == 2 and subscribers(na))
        for data in verdicts:
            await na.publish(TOPIC, data)
        await c.wait(lambda: len(c.gossip) == 2)
        assert c.data() == [b"relayed", b"accepted"]
        assert b.data() == list(verdicts)
        # The lines of the mesh carry what b cached: nothing else is left to be asked for.
        assert sorted(message.data for message in gossip.mcache.msgs.values()) == [b"accepted", b"relayed"]
        # One rejected message costs 4, and the first deliveries earn a little.
        (told,) = (peer for peer in nb.peers() if peer.key == na.key)
        assert -4 < told.score < -3 and told.score_reason == "invalid messages"


async def test_a_handler_that_raises_is_logged_and_the_overlay_lives() -> None:
    a, b = Recorder(), Recorder()

    def verdict(data: bytes) -> Verdict:
        if data == b"bug":
            raise RuntimeError("a bug of the node")
        return Verdict.ACCEPT

    b.verdict = verdict
    async with node(1, a) as na, node(2, b, na) as nb:
        await nb.subscribe(TOPIC)
        await until(lambda: subscribers(na))
        with capture_logs() as logs:
            await na.publish(TOPIC, b"bug")
            await na.publish(TOPIC, b"fine")
            await b.wait(lambda: b.data() == [b"bug", b"fine"])
        assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["gossip_handler.failed"]


# -- requests ----------------------------------------------------------------------------------------------------------


async def test_a_request_is_answered_and_names_its_authenticated_author() -> None:
    a, b = Recorder(), Recorder()
    async with node(1, a) as na, node(2, b, na) as nb:
        await b.wait_peer(na)
        for payload in (b"", b"small", bytes(512 * 1024)):
            assert await nb.request(na.key, ECHO, payload, timeout_ms=10_000) == payload
            assert a.requests[-1] == (ECHO, nb.key, payload)
        assert await na.request(nb.key, ECHO, b"back", timeout_ms=10_000) == b"back"


async def test_a_megabyte_comes_back() -> None:
    a, b = Recorder(), Recorder()
    a.answer = lambda _payload: bytes(1024 * 1024)
    async with node(1, a) as na, node(2, b, na) as nb:
        assert len(await nb.request(na.key, ECHO, b"much", timeout_ms=10_000)) == 1024 * 1024


async def test_requests_share_a_stream_and_survive_its_end() -> None:
    a, b = Recorder(), Recorder()
    async with node(1, a) as na, node(2, b, na) as nb:
        for number in range(3):
            await nb.request(na.key, ECHO, b"%d" % number, timeout_ms=5_000)
        ((stream, _),) = nb._client._idle[na.key, ECHO]
        await stream.reset()  # as by a server that closed it meanwhile
        assert await nb.request(na.key, ECHO, b"again", timeout_ms=5_000) == b"again"


async def test_more_requests_at_once_than_places_are_all_answered() -> None:
    a, b = Recorder(), Recorder()
    async with node(1, a) as na, node(2, b, na) as nb:
        answers: list[bytes] = []

        async def ask(number: int) -> None:
            answers.append(await nb.request(na.key, ECHO, b"%d" % number, timeout_ms=10_000))

        async with trio.open_nursery() as nursery:
            for number in range(60):
                nursery.start_soon(ask, number)
        assert sorted(answers) == sorted(b"%d" % number for number in range(60))
        assert nb._client._lanes == {}


async def test_a_peer_that_asks_too_much_at_once_is_refused() -> None:
    a, b = Recorder(), Recorder()
    a.gate = trio.Event()
    async with node(1, a) as na, node(2, b, na) as nb:
        streams = [await nb._peers.open_stream(na.key, ECHO) for _ in range(17)]
        for stream in streams[:16]:
            await stream.write(b"\x00\x00\x00\x01x")
        await a.wait(lambda: len(a.requests) == 16)
        await streams[16].write(b"\x00\x00\x00\x01x")
        assert await streams[16].read(4) == b"\xff\xff\xff\xff"
        a.gate.set()
        assert await nb.request(na.key, ECHO, b"after", timeout_ms=5_000) == b"after"


async def test_what_a_peer_cannot_serve_is_refused() -> None:
    a, b = Recorder(), Recorder()

    def answer(payload: bytes) -> bytes:
        if payload == b"bug":
            raise RuntimeError("a bug of the node")
        return bytes(2_000)

    a.answer = answer
    async with node(1, a, stream_response_bytes_max=1_000) as na, node(2, b, na) as nb:
        for payload in (b"bug", b"too long an answer"):
            with capture_logs() as logs, pytest.raises(RequestRefused):
                await nb.request(na.key, ECHO, payload, timeout_ms=5_000)
            assert [entry["log_level"] for entry in logs if entry["log_level"] != "info"] == ["error"]


async def test_sizes_are_bounded_on_both_sides() -> None:
    a, b = Recorder(), Recorder()
    async with (
        node(1, a, stream_request_bytes_max=1_000) as na,
        node(2, b, na, stream_response_bytes_max=2_000, stream_request_bytes_max=3_000) as nb,
    ):
        with pytest.raises(ValueError, match="3001"):
            await nb.request(na.key, ECHO, bytes(3_001), timeout_ms=5_000)
        with pytest.raises(PeerUnreachable):
            await nb.request(na.key, ECHO, bytes(1_001), timeout_ms=5_000)
        assert a.requests == []
        a.answer = lambda _payload: bytes(2_001)
        with pytest.raises(PeerUnreachable, match="over the limit"):
            await nb.request(na.key, ECHO, b"", timeout_ms=5_000)
        a.answer = lambda payload: payload
        assert await nb.request(na.key, ECHO, bytes(1_000), timeout_ms=5_000) == bytes(1_000)


async def test_a_silent_peer_costs_the_timeout_and_not_the_connection() -> None:
    a, b = Recorder(), Recorder()
    a.gate = trio.Event()
    async with node(1, a) as na, node(2, b, na) as nb:
        await b.wait_peer(na)
        for _ in range(10):
            with pytest.raises(PeerUnreachable, match="30 ms"):
                await nb.request(na.key, ECHO, b"?", timeout_ms=30)
        a.gate.set()
        assert await nb.request(na.key, ECHO, b"!", timeout_ms=5_000) == b"!"
        assert (na.key, False) not in b.peers


async def test_nobody_is_asked_where_no_address_answers() -> None:
    a = Recorder()
    async with node(1, a) as na:
        with pytest.raises(PeerUnreachable):
            await na.request(bytes(32), ECHO, b"", timeout_ms=5_000)
        na.learn_address(bytes(32), ["/ip4/127.0.0.1/tcp/1"])
        with pytest.raises(PeerUnreachable):
            await na.request(bytes(32), ECHO, b"", timeout_ms=5_000)


async def test_a_silent_listener_is_given_up() -> None:
    """It accepts, says that it speaks Noise, and then says nothing."""

    async def listen(stream: trio.SocketStream) -> None:
        await stream.send_all(b"\x13/multistream/1.0.0\n\x07/noise\n")
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(functools.partial(trio.serve_tcp, listen, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        async with node(1, Recorder(), handshake_ms=200) as na, node(2, Recorder()) as nb:
            na.learn_address(nb.key, [f"/ip4/127.0.0.1/tcp/{port}"])
            with pytest.raises(PeerUnreachable, match="no known address answers"):
                await na.request(nb.key, ECHO, b"", timeout_ms=10_000)
        nursery.cancel_scope.cancel()


async def test_an_unknown_protocol_is_unreachable() -> None:
    a, b = Recorder(), Recorder()
    async with node(1, a) as na, node(2, b, na) as nb:
        with pytest.raises(PeerUnreachable):
            await nb.request(na.key, "/strand/other/1", b"", timeout_ms=5_000)


# -- peers that come and go --------------------------------------------------------------------------------------------


async def test_peers_are_told_and_described() -> None:
    a, b = Recorder(), Recorder()
    async with node(1, a, ping_ms=20) as na:
        async with node(2, b, na) as nb:
            await a.wait_peer(nb)
            await until(lambda: na.peers() and na.peers()[0].round_trip_ms is not None)
            (info,) = na.peers()
            assert (info.key, info.connected, info.direction) == (nb.key, True, "inbound")
            assert (info.host, info.away_ms) == ("127.0.0.1", 0)
            assert nb.peers()[0].direction == "outbound"
            assert nb.addresses()[0].endswith(info.peer_id)
        await a.wait_peer(nb, connected=False)
        (gone,) = na.peers()
        assert (gone.connected, gone.host) == (False, "") and gone.away_ms is not None
        assert a.peers == [(nb.key, True), (nb.key, False)]


async def test_a_restarted_node_is_redialled_and_heard_at_once() -> None:
    """Sequence numbers go on after a restart: none of the new messages passes for one that was seen."""
    a, b = Recorder(), Recorder()
    sent: list[bytes] = []
    async with node(1, a) as na:
        await na.subscribe(TOPIC)
        async with node(2, b, na) as nb:
            port = nb.addresses()[0].split("/")[4]
            await until(lambda: subscribers(nb))
            for number in range(20):
                sent.append(b"first %d" % number)
                await nb.publish(TOPIC, sent[-1])
            await a.wait(lambda: len(a.gossip) == 20)
        await a.wait_peer(nb, connected=False)
        async with node(2, Recorder(), listen=(f"/ip4/127.0.0.1/tcp/{port}",)) as nb:  # it does not dial: na must
            await until(lambda: subscribers(nb))
            for number in range(20):
                sent.append(b"second %d" % number)
                await nb.publish(TOPIC, sent[-1])
            await a.wait(lambda: len(a.gossip) == 40)
            assert sorted(a.data()) == sorted(sent)


async def test_a_learned_address_connects_and_reaches() -> None:
    a, b = Recorder(), Recorder()
    async with node(1, a) as na, node(2, b) as nb:
        # Nobody answers at the first; each message is worth one dial.
        told = ["/ip4/127.0.0.2/tcp/1", "nonsense", *na.addresses()]
        nb.learn_address(na.key, told)
        await until(lambda: nb._book.addresses(na.key)[0].startswith("/ip4/127.0.0.1/"))
        nb._book._entries[na.key].paid_ms = None  # as ten seconds later
        nb.learn_address(na.key, told)
        await b.wait_peer(na)
        assert await na.request(nb.key, ECHO, b"hello", timeout_ms=5_000) == b"hello"


async def test_a_request_dials_where_the_redial_loop_has_enough() -> None:
    a, b, c = Recorder(), Recorder(), Recorder()
    async with node(1, a) as na, node(2, b) as nb, node(3, c, na, connections_target=1) as nc:
        await c.wait_peer(na)
        nc.learn_address(nb.key, nb.addresses())
        assert await nc.request(nb.key, ECHO, b"on demand", timeout_ms=5_000) == b"on demand"


# -- what cannot start -------------------------------------------------------------------------------------------------


async def test_a_port_in_use_is_named() -> None:
    async with node(1, Recorder()) as na:
        address = na.addresses()[0].partition("/p2p/")[0]
        with pytest.raises(OverlayError, match=address):
            async with node(2, Recorder(), listen=(address,)):
                pytest.fail("two nodes listen on one port")


@pytest.mark.parametrize("setting", ["listen", "announce"])
async def test_a_bad_address_is_named(setting: str) -> None:
    with pytest.raises(OverlayError, match=r"'localhost:1'.*write /(ip4|dns)/"):
        async with node(1, Recorder(), **{setting: ("localhost:1",)}):
            pytest.fail("started")


async def test_a_bad_bootstrap_address_is_named() -> None:
    with pytest.raises(OverlayError, match="bootstrap:"):
        async with node(1, Recorder(), bootstrap=("/ip4/127.0.0.1/tcp/4001",)):
            pytest.fail("started")


async def test_an_exception_in_the_body_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with node(1, Recorder()):
            raise KeyError("mine")


async def test_announced_addresses_replace_the_own_ones() -> None:
    async with node(1, Recorder(), announce=("/dns4/node.example/tcp/4001",)) as na:
        (address,) = na.addresses()
        assert address.startswith("/dns4/node.example/tcp/4001/p2p/12D3KooW")


def test_settings_are_checked() -> None:
    assert len(seed(1)) == 32
    with pytest.raises(OverlayError, match="peers_max"):
        config(peers_max=0)
    with pytest.raises(OverlayError, match="gossip_message_bytes_max"):
        config(gossip_message_bytes_max=512 * 1024 + 1)
