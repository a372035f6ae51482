"""Commands run within the test's process."""

import io
import sys

import pytest

from tests.support.home import home as home


@pytest.fixture(autouse=True)
def stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on stdin, unless a test puts it there: `strand ask` reads what is."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
