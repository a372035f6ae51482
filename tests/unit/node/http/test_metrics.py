"""`/metrics` over a node's real parts: what is told, under which names, and what is left out."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from consensus.learning.experience import Experience
from consensus.rounds.admission import Refusal
from consensus.rounds.participant import Participant
from node.clock import Clock
from node.config import NodeConfig
from node.facade.metrics import LABEL_CHARS_MAX, MetricsFacade
from node.facade.peers import PeersFacade
from node.facade.status import store_size
from node.inference import Engine, EngineConfig, EngineError, Sampling, open_engine
from node.inference.scripted import TOKENS_PER_SECOND
from node.overlay.types import ConnectionCounts, PeerInfo
from node.rounds.asking.queries import trust
from node.rounds.inbound import InboundRouter
from node.rounds.learning.gold_book import GoldBook
from node.rounds.learning.reputation import Reputation
from node.signals import Signal
from node.storage import CertificateSummary, Health, Store, StoreBlockedError, open_store
from node.work.serving import Serving, open_serving
from node.work.worker import EngineWorker
from protocol.conversation import single
from protocol.messages import Offer
from protocol.types import Digest, Key, Outcome, Role, TaskType
from tests.support.engine_server import PROMPT, as_json, engine_at, http, legacy_logprobs
from tests.support.shown import StillNetwork, http_client, shown
from tests.support.swarm import keypair, params

SCRIPTED = EngineConfig(kind="scripted", seed=1)
CACHED = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 4}}
JUDGED = as_json(legacy_logprobs(0.6, 0.2) | {"usage": CACHED})


LABELS = {"payer", "why", "state", "reason", "role"}


def peer(name: str, connected: bool) -> PeerInfo:
    return PeerInfo(keypair(name).public, f"id of {name}", (), connected, "inbound" if connected else None, None, ())


def offer(name: str, roles: Role, now_ms: int) -> Offer:
    return Offer(
        author=keypair(name).public,
        sequence=1,
        sent_at_ms=now_ms,
        roles=roles,
        specialties=("rust",),
        model="m",
        context_tokens=1,
        milli_tokens_per_second=1,
        queue=0,
        tool_versions="",
        addresses=(),
    )


class Scraped:
    """A node's metrics as its database reads them."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.families = {family.name: family for family in text_string_to_metric_families(response.text)}
        samples = [sample for family in self.families.values() for sample in family.samples]
        self.by_label = {
            (sample.name, label): sample.value
            for sample in samples
            for name, label in sample.labels.items()
            if name in LABELS
        }
        samples = [sample for sample in samples if not LABELS & sample.labels.keys()]
        self.values = {sample.name: sample.value for sample in samples}
        self.labels = {sample.name: sample.labels for sample in samples if sample.labels}
        assert len(self.values) == len(samples), "one sample of each name"


class NoRounds(Collector):
    """In place of the metrics of rounds, which test_round_metrics.py is about."""

    def collect(self) -> Iterator[Metric]:
        yield from ()


class Watched:
    """A node without a network behind its HTTP interface."""

    def __init__(
        self, worker: EngineWorker, store: Store, serving: Serving, reputation: Reputation, token: str
    ) -> None:
        self.worker, self.store, self.serving, self._token = worker, store, serving, token
        clock = Clock()
        participant = Participant(keypair("a"), params())
        for name, roles in (("a", Role.ANSWER | Role.JUDGE), ("b", Role(0)), ("c", Role.JUDGE)):
            participant.validator.offers.add(offer(name, roles, clock.now_ms()), clock.now_ms())
        network = StillNetwork(
            [peer("b", True), peer("c", False), peer("d", True)],
            ConnectionCounts(5, 96, 2, {"handshake": 7, "half-open of the address": 1}),
        )
        peers = PeersFacade(participant, network, Signal(), clock)
        self.metrics = MetricsFacade(worker, peers, serving, reputation, store, clock, NoRounds())

    async def get(self, **headers: str) -> httpx2.Response:
        async with http_client(shown(metrics=self.metrics), token=self._token) as http:
            return await http.get("/metrics", headers=headers)

    async def scrape(self) -> Scraped:
        response = await self.get()
        assert response.status_code == 200
        return Scraped(response)


@asynccontextmanager
async def watched(
    folder: Path, engine: Engine, config: EngineConfig = SCRIPTED, token: str = ""
) -> AsyncIterator[Watched]:
    async with open_store(folder, public_key=keypair("a").public, fresh_key=True, now_ms=0) as store:
        reputation = Reputation(Experience(rounds=7), GoldBook(), trust(NodeConfig()), store, "rust")
        serving = await open_serving(keypair("a").public, NodeConfig(), reputation, store, Clock())
        worker = EngineWorker(engine, config, cast(InboundRouter, None), Clock())
        yield Watched(worker, store, serving, reputation, token)


async def test_every_figure_under_the_name_that_conventions_give_it(tmp_path: Path) -> None:
    async with open_engine(SCRIPTED) as engine, watched(tmp_path, engine) as node:
        await node.worker.probe()
        await node.worker.engine.answer(single("q"), TaskType.CODE, Sampling(0.8, 0.95, 1, 10))
        for _ in range(2):
            await node.worker.engine.preference(PROMPT)
        summary = CertificateSummary(Digest(bytes(32)), Outcome.DECIDED, b"", 0)
        await node.store.put_certificate(summary, b"certificate")
        scraped = await node.scrape()
    judgement_s = scraped.values.pop("strand_engine_judgement_seconds")
    assert 0 <= judgement_s < 60
    assert scraped.values.pop("strand_engine_tokens_per_second") >= TOKENS_PER_SECOND
    assert scraped.values == {
        "strand_engine_up": 1,
        "strand_engine_info": 1,
        "strand_engine_concurrency": 1,
        "strand_engine_requests_in_flight": 0,
        "strand_engine_answers_total": 1,
        "strand_engine_judgements_total": 2,
        "strand_engine_abstentions_total": 2,
        "strand_engine_failures_total": 0,
        "strand_work_pieces": 0,
        "strand_peers_connected": 2,
        "strand_nodes_offering": 2,
        "strand_store_ok": 1,
        "strand_certificates": 1,
        "strand_rounds_learned_total": 7,
        "strand_serving": 1,
        "strand_strangers_left_engine_seconds": 900,
        "strand_queries_ignored_total": 0,
    }
    for role in ("answer", "judge"):
        assert scraped.by_label["strand_role_fit", role] == 1
        assert scraped.by_label["strand_rounds_failed_total", role] == 0
    assert scraped.labels == {"strand_engine_info": {"kind": "scripted", "model": "scripted", "judging": "by a script"}}
    for family in scraped.families.values():
        assert family.documentation.endswith(".")
        assert (family.type == "counter") == all(sample.name.endswith("_total") for sample in family.samples)


async def test_what_was_spent_on_whom(tmp_path: Path) -> None:
    """Three payers and as many reasons as there are: nobody outside can add a label."""
    async with open_engine(SCRIPTED) as engine, watched(tmp_path, engine) as node:
        for stranger in range(100):
            node.serving.charge(Key(stranger.to_bytes(32, "big")), 10, 2_000)
        node.serving.charge(keypair("a").public, 1, 500)
        node.serving.refused[Refusal.BUSY] = 3
        scraped = await node.scrape()
    told = scraped.by_label
    assert told["strand_served_day_tokens", "strangers"] == 1_000
    assert told["strand_served_day_engine_seconds", "strangers"] == 200
    assert told["strand_served_day_engine_seconds", "own"] == 0.5
    assert told["strand_served_day_rounds", "known"] == 0
    assert told["strand_queries_refused_total", "busy"] == 3
    assert told["strand_connections", "established"] == 5
    assert told["strand_connections", "half_open"] == 2
    assert told["strand_connections_refused_total", "handshake"] == 7
    assert told["strand_connections_refused_total", "half_open_of_the_address"] == 1
    assert len(told) == 3 * 3 + len(node.serving.refused) + 2 + 2 + 4
    assert scraped.values["strand_strangers_left_engine_seconds"] == 700


async def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    async with open_engine(SCRIPTED) as engine, watched(tmp_path, engine) as node:
        values = (await node.scrape()).values
    assert values["strand_engine_up"] == 0
    assert values["strand_engine_tokens_per_second"] == 0
    assert {"strand_engine_info", "strand_engine_judgement_seconds"}.isdisjoint(values)
    assert not [name for name in values if "cache" in name]


async def test_a_scrape_tells_what_is_and_not_what_was(tmp_path: Path) -> None:
    """An engine that comes, works, fails and goes."""
    async with (
        engine_at({"/v1/completions": JUDGED, "/v1/chat/completions": as_json({})}) as (engine, server),
        watched(tmp_path, engine) as node,
    ):
        await node.worker.engine.preference(PROMPT)
        before = (await node.scrape()).values
        await node.worker.engine.preference(PROMPT)
        server.replies["/v1/completions"] = http(b"", "500 Internal Server Error")
        with pytest.raises(EngineError):
            await node.worker.engine.preference(PROMPT)
        after = (await node.scrape()).values
    changes = {name: after[name] - value for name, value in before.items() if name.endswith("_total")}
    assert {name: change for name, change in changes.items() if change} == {
        "strand_engine_judgements_total": 2,
        "strand_engine_failures_total": 1,
        "strand_engine_prefix_cache_tokens_total": 9,
        "strand_engine_prefix_cache_hits_total": 4,
    }


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("models/strand", "models/strand"),
        ('"} 1\\', '"} 1\\'),
        ("ü" * 512, "ü" * LABEL_CHARS_MAX),
        ("/long" * 100 + "/strand-7b", ("/long" * 100 + "/strand-7b")[-LABEL_CHARS_MAX:]),
        ("a\n# TYPE b gauge\nb 1\r\x1b[31m\x00", "a # TYPE b gauge b 1 �[31m�"),
        ("\ud800lone", "�lone"),
        ("", ""),
    ],
)
async def test_a_models_name_is_one_bounded_label_whatever_it_is(tmp_path: Path, name: str, shown: str) -> None:
    async with open_engine(SCRIPTED) as engine, watched(tmp_path, engine) as node:
        info = await node.worker.probe()
        assert info is not None
        node.worker.info = replace(info, model=name)
        scraped = await node.scrape()
    assert scraped.labels["strand_engine_info"]["model"] == shown
    assert all(family.startswith("strand_") for family in scraped.families)


async def test_certificates_are_counted(tmp_path: Path) -> None:
    async with open_engine(SCRIPTED) as engine, watched(tmp_path, engine) as node:
        for number in range(3):
            summary = CertificateSummary(Digest(number.to_bytes(32, "big")), Outcome.DECIDED, b"", 0)
            await node.store.put_certificate(summary, b"")
        scraped = await node.scrape()
    assert scraped.values["strand_certificates"] == 3


class RefusingStore:
    """A store whose disk cannot be read."""

    health = Health()

    async def count_certificates(self) -> int:
        raise StoreBlockedError("the disk refuses to tell of certificates")

    async def counted_bytes(self) -> int:
        raise StoreBlockedError("the disk refuses to tell of sizes")


async def test_a_disk_that_cannot_be_read_costs_its_own_figure_alone(tmp_path: Path) -> None:
    async with open_engine(SCRIPTED) as engine, watched(tmp_path, engine) as node:
        with_disk = await node.scrape()
        node.metrics.store = cast(Store, RefusingStore())
        scraped = await node.scrape()
    assert with_disk.families.keys() - scraped.families.keys() == {"strand_certificates"}
    assert await store_size(node.metrics.store, 0) is None


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        ("", {}, 200),
        ("", {"Host": "rebound.example"}, 403),
        ("", {"Origin": "https://page.example"}, 403),
        ("secret", {}, 401),
        ("secret", {"Authorization": "Bearer secret"}, 200),
    ],
)
async def test_it_is_guarded_as_everything_is(tmp_path: Path, token: str, headers: dict[str, Any], status: int) -> None:
    async with open_engine(SCRIPTED) as engine, watched(tmp_path, engine, token=token) as node:
        response = await node.get(**headers)
    assert response.status_code == status
    assert ("strand_" in response.text) == (status == 200)
    if status == 200:
        assert response.headers["content-type"].startswith("text/plain; version=")
