"""The OpenAPI document of real nodes, against which schemathesis makes up requests.

2,000 of them, and with other seeds: `make test-soak SOAK=schemathesis`.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import httpx2
import trio

from node.api.operations import OPERATIONS
from node.client import connect
from node.inference import EngineConfig
from node.local.nodes import NodeSpec
from node.local.swarm import open_swarm
from tests.support.contract import explore

CASES = 500
"""a quarter of a minute on two cores that have nothing else to do"""

NODES = 3


UNMADE = [
    b'"n":1e999',
    b'"tools":"\xff"',
    b'"include":"\xff"',
    b'"suffix":"\xff"',
    b'"\xff":1',
    b'"logit_bias":{"a":1e999}',
]
"""Fields that schemathesis never makes up: no UTF-8, or numbers that Python has not."""

# Of no model of the node's: what is not refused for its field asks nobody.
QUESTIONS = {
    "/v1/chat/completions": b'{"model":"none","messages":[{"role":"user","content":"Hello"}]',
    "/v1/responses": b'{"model":"none","input":"Hello"',
    "/v1/completions": b'{"model":"none","prompt":"Hello"',
}


async def test_every_reply_is_one_that_the_document_describes(tmp_path: Path) -> None:
    """No 5xx but 503 and those of failed rounds; what does not fit is refused; also a question is asked for real."""
    specs = [NodeSpec(tmp_path / str(number), EngineConfig(kind="scripted")) for number in range(NODES)]
    async with AsyncExitStack() as stack:
        asked = (await stack.enter_async_context(open_swarm(specs))).nodes[0]
        async with connect(asked.url) as client:
            await client.wait_offers(NODES, 60.0)
        explored = await trio.to_thread.run_sync(partial(explore, asked.url, CASES))
        assert explored.faults == {}, "\n".join(explored.lines())
        assert explored.cases >= CASES
        assert {label for label, _ in explored.replies} == {f"{each.method} {each.path}" for each in OPERATIONS}
        for path in ("/api/ask", "/v1/chat/completions", "/v1/responses", "/v1/completions"):
            assert explored.replies[f"POST {path}", 200] > 0, "\n".join(explored.lines())
        async with httpx2.AsyncClient(base_url=asked.url) as http:
            for path, question in QUESTIONS.items():
                for field in UNMADE:
                    told = await http.post(path, content=b"%s,%s}" % (question, field))
                    assert told.status_code in {400, 404}, (path, field, told.text)
        assert asked.process.returncode is None
