"""What the node relies on, asked of the servers that take minutes to start: one start for all tests of a server.

`transformers serve` has neither log probabilities nor constraints, ignores both silently, and SmolLM2 writes an essay
where it is asked for a letter: a node with such a server answers and abstains from judging.
"""

from collections.abc import Iterator

import pytest

from node.inference import JudgingMethod
from tests.support.conformance import Conformance, Expected, Server
from tests.support.held import held_server
from tests.vllm.servers import BIN, transformers_serve, vllm

pytestmark = pytest.mark.skipif(not BIN.is_dir(), reason=f"there is no {BIN}: make test-vllm makes it")

SERVERS = [
    pytest.param(Server(vllm, Expected((JudgingMethod.RAW,), ("structured_outputs",))), id="vLLM"),
    pytest.param(
        Server(transformers_serve, Expected((JudgingMethod.NONE,), ("",), prefers=False, context=False)),
        id="transformers-serve",
    ),
]


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with held_server(request.param) as server:
        yield server


class TestServers(Conformance):
    """See Conformance."""
