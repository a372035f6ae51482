import errno
import io
import json
import logging
from collections import Counter
from collections.abc import Iterator

import pytest
import structlog

from node.log_filters import (
    COUNTED_MAX,
    HIDDEN,
    LINES_MAX,
    LINES_PER_EVENT_MAX,
    LINES_PER_PEER_MAX,
    SECRETS_MAX,
    WINDOW_S,
    Limiter,
    Secrets,
)
from node.logs import Format, configure, hide


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_json_is_one_object_a_line_for_us_and_for_libraries() -> None:
    out = io.StringIO()
    configure("info", "json", out)
    log = structlog.get_logger().bind(query_id="q1")
    log.info("round decided", members=3)
    log.debug("not shown")
    logging.getLogger("some.library").warning("lost %s", "peer")
    ours, theirs = map(json.loads, out.getvalue().splitlines())
    assert (ours["event"], ours["level"], ours["query_id"], ours["members"]) == ("round decided", "info", "q1", 3)
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("lost peer", "warning", "some.library")


class _FullDisk(io.StringIO):
    """A log on a disk without room."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, f"no room for {len(text)} characters")


def test_a_log_that_cannot_be_written_is_lost_and_no_more() -> None:
    configure("info", "json", _FullDisk())
    structlog.get_logger().info("round decided")
    logging.getLogger("some.library").warning("lost a peer")


def test_an_exception_stays_one_json_line() -> None:
    out = io.StringIO()
    configure("info", "json", out)
    try:
        raise ValueError("boom")
    except ValueError:
        structlog.get_logger().exception("handler failed")
        logging.getLogger("some.library").exception("also failed")
    for line in out.getvalue().splitlines():
        assert json.loads(line)["exception"][0]["exc_value"] == "boom"


@pytest.mark.parametrize(("level", "shown"), [("debug", "dwe"), ("warning", "we"), ("error", "e")])
def test_levels(level: str, shown: str) -> None:
    out = io.StringIO()
    configure(level, "console", out)  # type: ignore[arg-type]
    for log in (structlog.get_logger(), logging.getLogger("some.library")):
        log.debug("<d>")
        log.warning("<w>")
        log.error("<e>")
    text = out.getvalue()
    assert text.count("<") == 2 * len(shown)
    assert "\x1b" not in text
    assert all(text.count(f"<{letter}>") == 2 for letter in shown)


def test_libraries_are_quiet_and_a_second_call_replaces_the_first() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure("debug", "json", first)
    configure("debug", "json", second)
    logging.getLogger("libp2p.host").warning("dropped")
    logging.getLogger("httpx2").info("dropped")
    logging.getLogger("httpx2").warning("kept")
    assert first.getvalue() == ""
    assert [json.loads(line)["event"] for line in second.getvalue().splitlines()] == ["kept"]


def test_the_default_stream_is_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    structlog.get_logger().info("here")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["event"] == "here"


# -- what no line holds ------------------------------------------------------------------------------------------------

formats = pytest.mark.parametrize("format", ["console", "json"])


@formats
def test_a_traceback_shows_no_local_variable(format: Format) -> None:
    """At 044b2f0 both formats print them all."""
    out = io.StringIO()
    configure("debug", format, out)

    def handle(payload: bytes, seed: str) -> None:
        raise ValueError(f"no good: {len(payload)} bytes, {len(seed)} digits")

    sent = ("what a peer" + " sent").encode(), "ab" * 32

    for log in (structlog.get_logger(), logging.getLogger("some.library")):
        try:
            handle(*sent)
        except ValueError:
            log.exception("handler failed")
    text = out.getvalue()
    assert text.count("no good") >= 2
    assert "what a peer sent" not in text and "abab" not in text


@formats
def test_secrets_stay_out_wherever_they_stand(format: Format) -> None:
    out = io.StringIO()
    configure("debug", format, out, secrets=["s3cr3t/token", "x"])
    hide("fresh-engine-key")
    log = structlog.get_logger()
    log.info("fresh-engine-key", url="http://a/?q=s3cr3t%2Ftoken&next=1", deep={"why": ["s3cr3t/token"]}, count=3)
    log.info("named", api_key="unknown1", token="unknown2", headers={"Authorization": "unknown3"}, seed="unknown4")
    log.info("shaped", text="Authorization: Bearer unknown5", url="https://user:unknown6@host/?token=unknown7&a=b")
    logging.getLogger("some.library").warning(
        "GET http://h/?api_key=unknown8 s3cr3t/token %r", {"a": "fresh-engine-key"}
    )
    try:
        raise RuntimeError("refused s3cr3t/token")
    except RuntimeError:
        log.exception("failed")
        logging.getLogger("some.library").exception("failed")
    text = out.getvalue()
    for secret in ("s3cr3t", "fresh-engine-key", "unknown"):
        assert secret not in text
    assert text.count(HIDDEN) >= 12
    assert "next=1" in text and "a=b" in text and "x" in text


def test_of_too_many_secrets_the_newest_are_hidden() -> None:
    secrets, names = Secrets(), [f"secret{number:04}" for number in range(2 * SECRETS_MAX + 1)]
    secrets.hide(names)
    assert secrets.clean(names[0]) == names[0]
    assert {secrets.clean(name) for name in names[1:]} == {HIDDEN}


@formats
def test_what_a_peer_says_forges_no_line_and_moves_no_cursor(format: Format) -> None:
    out = io.StringIO()
    configure("info", format, out)
    structlog.get_logger().info("refused", why="a\x1b[2Jb\r\nlevel=error\u202e", much="z" * 1_000_000)
    (line,) = out.getvalue().splitlines()
    assert not {"\x1b", "\r", "\u202e"} & set(line)
    assert len(line) < 10_000


# -- how many lines there are ------------------------------------------------------------------------------------------


class _Time:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_lines_of_one_peer_and_event_are_bounded_and_the_rest_is_counted() -> None:
    out, clock = io.StringIO(), _Time()
    configure("info", "json", out)
    limiter = Limiter(clock)
    assert sum(limiter.passes("refused", "peer 1") for _ in range(1_000)) == LINES_PER_PEER_MAX
    assert limiter.passes("refused", "peer 2")
    assert limiter.passes("another event", "peer 1")
    assert out.getvalue() == ""
    clock.now_s = WINDOW_S
    assert limiter.passes("refused", "peer 1")
    (line,) = map(json.loads, out.getvalue().splitlines())
    told = {name: line[name] for name in ("event", "suppressed", "peer", "lines")}
    expected = {"suppressed": "refused", "peer": "peer 1", "lines": 1_000 - LINES_PER_PEER_MAX}
    assert told == {"event": "log.suppressed", **expected}


def test_many_peers_have_so_many_lines_together() -> None:
    limiter = Limiter(_Time())
    passed = sum(limiter.passes("refused", f"peer {number}") for number in range(20 * COUNTED_MAX))
    assert passed == LINES_PER_EVENT_MAX
    assert len(limiter._by_peer._counts) <= COUNTED_MAX + 1
    assert limiter.passes("round", "peer 1")
    names = sum(limiter.passes(f"event {number}") for number in range(5 * COUNTED_MAX))
    assert names == 5 * COUNTED_MAX, "what comes once is written"
    assert len(limiter._by_event._counts) <= COUNTED_MAX + 1


def test_what_strangers_cause_without_effort_has_fewer_lines_of_each_kind() -> None:
    out = io.StringIO()
    configure("info", "json", out)
    for number in range(1_000):
        structlog.get_logger().info("query.refused", reason="too_fast", requester=f"key {number}")
        structlog.get_logger().error("api.connection_failed", what="a request failed")
    structlog.get_logger().info("query.refused", reason="paused", requester="key 1")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    said = Counter((line["event"], line.get("reason")) for line in lines)
    assert said == {
        ("query.refused", "too_fast"): LINES_MAX["query.refused"],
        ("query.refused", "paused"): 1,
        ("api.connection_failed", None): LINES_MAX["api.connection_failed"],
    }


def test_what_is_left_out_of_one_kind_is_told_with_it() -> None:
    out, clock = io.StringIO(), _Time()
    configure("info", "json", out)
    limiter = Limiter(clock)
    assert sum(limiter.passes("query.refused", f"key {n}", "too_fast") for n in range(20)) == LINES_MAX["query.refused"]
    clock.now_s = WINDOW_S
    assert limiter.passes("query.refused", "key 1", "paused")
    (line,) = map(json.loads, out.getvalue().splitlines())
    assert (line["event"], line["suppressed"], line["lines"]) == ("log.suppressed", "query.refused too_fast", 14)


def test_the_limit_holds_in_the_log_for_us_and_for_libraries() -> None:
    out = io.StringIO()
    configure("info", "json", out)
    for _ in range(2 * LINES_PER_EVENT_MAX):
        structlog.get_logger().info("refused", source="abc")
        logging.getLogger("some.library").warning("lost")
    events = [json.loads(line)["event"] for line in out.getvalue().splitlines()]
    assert events.count("refused") == LINES_PER_PEER_MAX
    assert events.count("lost") == LINES_PER_EVENT_MAX
