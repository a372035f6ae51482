"""What a user is told of the engine, over HTTP and in words."""

from typing import Any, cast

import msgspec
import pytest

from node.api.engine import EngineReport
from node.cli.engine import rows
from node.clock import Clock
from node.facade.engine import EngineFacade
from node.inference import EngineConfig, EngineError, open_engine
from node.rounds.inbound import InboundRouter
from node.work.worker import EngineWorker
from tests.support.engine_server import PROMPT, StandIn, http, serving
from tests.support.shown import http_client, shown


async def told(worker: EngineWorker, config: EngineConfig) -> Any:
    """The body of GET /api/engine at a node with this engine worker."""
    async with http_client(shown(engine=EngineFacade(worker, config))) as client:
        return (await client.get("/api/engine")).json()


async def test_a_good_engine_in_figures_and_words() -> None:
    async with serving(StandIn()) as url:
        config = EngineConfig(kind="openai", url=url, api_key=StandIn.KEY)
        async with open_engine(config) as engine:
            worker = EngineWorker(engine, config, cast(InboundRouter, None), Clock())
            await worker.probe()
            await worker.engine.preference(PROMPT)
            answer = await told(worker, config)
    assert answer["answers"] is True
    assert answer["trouble"] is None
    assert answer["probe"]["model"] == "stand-in"
    assert answer["asked"] == {"answers": 0, "judgements": 1}
    assert (answer["failures"], answer["in_flight"], answer["working_on"]) == (0, 0, 0)
    words = dict(rows(msgspec.convert(answer, EngineReport)))
    assert words["judges by"] == "raw completion with logprobs"
    assert words["constrained choice"] == "structured_outputs"
    assert (answer["abstentions"], words["asked without"]) == (0, "nothing is refused")
    assert words["role judge"] == "offered; the engine left 0 rounds without"
    assert words["prefix cache hits"] == "not told"
    assert "last failure" not in words
    assert StandIn.KEY not in str(answer)


async def test_an_engine_that_went_away_is_one_line_and_its_figures() -> None:
    server = StandIn()
    async with serving(server) as url:
        config = EngineConfig(kind="openai", url=url, api_key=StandIn.KEY)
        async with open_engine(config) as engine:
            worker = EngineWorker(engine, config, cast(InboundRouter, None), Clock())
            await worker.probe()
            server.replies["/v1/completions"] = http(b"", "500 Internal Server Error")
            with pytest.raises(EngineError):
                await worker.engine.preference(PROMPT)
            server.models = []
            await worker.probe()
            answer = await told(worker, config)
    assert answer["answers"] is False
    assert answer["probe"] is None
    assert "no model" in answer["trouble"]
    assert "\n" not in answer["trouble"]
    assert answer["failures"] == 2
    assert dict(rows(msgspec.convert(answer, EngineReport)))["last failure"] == answer["trouble"]


async def test_the_running_engine_is_tried_where_the_node_counts_it() -> None:
    config = EngineConfig(kind="scripted", seed=1)
    async with open_engine(config) as engine:
        worker = EngineWorker(engine, config, cast(InboundRouter, None), Clock())
        async with http_client(shown(engine=EngineFacade(worker, config))) as client:
            tried = (await client.post("/api/engine/trial")).json()
    assert (tried["works"], tried["error"], tried["probe"]["text"]) == (True, "", "scripted")
    assert "pub fn" in tried["answer"]["text"] and tried["judgement"]["text"].startswith("50%")
    assert (worker.engine.counts.answers, worker.engine.counts.judgements) == (1, 2)
