"""Hypothesis profiles: `pytest --hypothesis-profile=small` for a quick look. A failure prints what reproduces it."""

import logging
import signal
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

# Their assertions are those of the tests that use them.
pytest.register_assert_rewrite("tests.support.conformance", "tests.support.processes")

# A run in the background or under nohup has these ignored, and so would everything that the tests start and end.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Always fresh examples, also where a CI service is detected: a fixed set would find nothing after its first run.
settings.register_profile("default", deadline=None, print_blob=True, derandomize=False)
settings.register_profile("small", parent=settings.get_profile("default"), max_examples=20)
settings.load_profile("default")


@pytest.fixture(autouse=True)
def stock_logging() -> Iterator[None]:
    """Undo what modules that run as programs configure when they are imported: other tests read logs."""
    structlog.reset_defaults()
    logging.disable(logging.NOTSET)
    yield
