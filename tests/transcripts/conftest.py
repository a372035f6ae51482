"""Every scenario is played twice: with results shared among its nodes, and with each node on its own."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from protocol.recall import forgetting


@pytest.fixture(autouse=True, params=["sharing", "alone"])
def sharing(request: pytest.FixtureRequest) -> Iterator[None]:
    """The transcript must be the same to the letter."""
    with forgetting() if request.param == "alone" else nullcontext():
        yield
