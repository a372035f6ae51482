"""Server-sent events: what is sent, and that a silent stream stays open."""

from __future__ import annotations

import pytest
import trio
from starlette.types import Message
from trio.testing import MockClock

from node.http.sse import COMMENT_CHARS_MAX, KEEP_ALIVE_S, EventStream, encode_comment, encode_event
from tests.support.sse import Parsed, parse


@pytest.mark.parametrize(
    ("encoded", "parsed"),
    [
        (encode_event(b'{"a": 1}'), Parsed("message", '{"a": 1}', "")),
        (encode_event(b"1", event="done", id="7"), Parsed("done", "1", "7")),
        (encode_event(b"two\nlines"), Parsed("message", "two\nlines", "")),
        (encode_event("ß\u2028".encode()), Parsed("message", "ß\u2028", "")),
    ],
)
def test_an_event_is_read_as_it_was_written(encoded: bytes, parsed: Parsed) -> None:
    assert parse(encoded).events == [parsed]


def test_a_comment_is_one_short_line_and_no_event() -> None:
    encoded = encode_comment("two\nlines\r" + "x" * 999)
    assert encoded.count(b"\n") == 2 and len(encoded) <= COMMENT_CHARS_MAX + 4
    told = parse(encoded)
    assert told.events == [] and told.comments[0].startswith("two lines x")


class Sent:
    """What an application has sent, with the time of each piece."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.times_s: list[float] = []

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)
        self.times_s.append(trio.current_time())


async def test_a_stream_begins_with_what_it_sends_first() -> None:
    sent = Sent()
    stream = EventStream(sent, [(b"x-more", b"1")])
    assert not stream.is_open and sent.messages == []
    await stream.send(encode_event(b"1"), encode_event(b"2"))
    await stream.close(encode_event(b"3"))
    start, first, last = sent.messages
    assert start["headers"] == [(b"content-type", b"text/event-stream"), (b"x-more", b"1")]
    assert (first["more_body"], last["more_body"]) == (True, False)
    assert [each.data for each in parse(first["body"] + last["body"]).events] == ["1", "2", "3"]


async def test_comments_fill_the_silence_alone(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    sent, began_s = Sent(), trio.current_time()
    stream = EventStream(sent)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.keep_alive, lambda: "answering 2/5")
        await trio.sleep(KEEP_ALIVE_S / 2)
        await stream.send(encode_event(b"1"))
        await trio.sleep(2.5 * KEEP_ALIVE_S)
        nursery.cancel_scope.cancel()
    pieces = [message["body"] for message in sent.messages[1:]]
    assert pieces == [encode_event(b"1"), b": answering 2/5\n\n", b": answering 2/5\n\n"]
    assert [time - began_s for time in sent.times_s[1:]] == [KEEP_ALIVE_S * each for each in (0.5, 1.5, 2.5)]


async def test_no_comment_follows_the_end(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    """A client that reads slowly holds the end back, and a comment becomes due meanwhile."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)
        await trio.sleep(2 * KEEP_ALIVE_S)

    stream = EventStream(send)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.keep_alive, lambda: "judging 1/5")
        await stream.close(encode_event(b"1"))
        await trio.sleep(3 * KEEP_ALIVE_S)
        nursery.cancel_scope.cancel()
    assert [message.get("more_body") for message in messages] == [None, False]
