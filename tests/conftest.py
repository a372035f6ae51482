"""Hypothesis profiles: `pytest --hypothesis-profile=small` for a quick look. A failure prints what reproduces it."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

# Their assertions are those of the tests that use them.
pytest.register_assert_rewrite("tests.support.conformance", "tests.support.processes")

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
