import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from node.logs import configure


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
