"""One node, assembled: key, store, engine, overlay, driver, and the HTTP interface on its data.

The nursery of `run_node` holds everything.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Final

import structlog
import trio

from consensus.rounds.participant import Participant
from node import logs
from node.boot import boot_id
from node.clock import Clock
from node.config import LoadedConfig, NodeConfig, load_params
from node.facade.config import ConfigFacade
from node.facade.engine import EngineFacade
from node.facade.history import HistoryFacade
from node.facade.metrics import MetricsFacade
from node.facade.peers import PeersFacade
from node.facade.replays import ReplaysFacade
from node.facade.reputation import ReputationFacade
from node.facade.round_metrics import RoundMetrics
from node.facade.rounds import RoundsFacade
from node.facade.serving import ServingFacade
from node.facade.status import StatusFacade
from node.gold.grading import AnswerGrader
from node.gold.item_maker import ItemMaker
from node.http.server import reserve, serve
from node.http.shown import Shown
from node.inference import open_engine
from node.keys import NodeKey, load_or_create_key
from node.overlay import OverlayConfig, open_overlay
from node.overlay.host import Overlay
from node.rounds.challenges import Challenger
from node.rounds.driver import Driver
from node.rounds.examiner import Examiner
from node.rounds.gold import GoldBook, load_gold
from node.rounds.history import RoundHistory
from node.rounds.inbound import PROTOCOLS, SLOW_PROTOCOLS, InboundRouter
from node.rounds.meter import RoundMeter
from node.rounds.offers import Offers
from node.rounds.pulse import Pulse
from node.rounds.queries import QueryBuilder, trust
from node.rounds.queue import RoundQueue
from node.rounds.reputation import Reputation, open_reputation
from node.rounds.round_log import log_rounds
from node.rounds.service import RoundService
from node.rounds.timeline import RoundListener
from node.rounds.willing import WillingNodes
from node.storage import Store, open_store
from node.watch.acquaintances import Acquaintances
from node.watch.lookout import Lookout
from node.watch.shutdown import Shutdown, StopRequest
from node.watch.tracing import open_tracing
from node.work.challenged import ChallengeServer
from node.work.serving import Serving, open_serving
from node.work.toolbox import Toolbox, find_tester
from node.work.verifying import ToolboxVerifier
from node.work.worker import EngineWorker
from protocol.params import NetworkParams
from protocol.topics import topic

MADE_REMEDY: Final = "stop it and use `strand init` for a node with a configuration of its own"
"""What else one can do about a node that `strand run` made without being asked to."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Node:
    """A running node's parts."""

    config: NodeConfig
    params: NetworkParams
    participant: Participant
    overlay: Overlay
    worker: EngineWorker
    driver: Driver
    store: Store
    reputation: Reputation
    serving: Serving
    rounds: RoundService
    challenger: Challenger
    examiner: Examiner
    history: RoundHistory
    lookout: Lookout
    clock: Clock
    inbound: InboundRouter
    meter: RoundMeter

    def shown(self, origins: Mapping[str, str] | None = None) -> Shown:
        """Return the data that the HTTP interface shows. `origins`: where settings that are no defaults come from."""
        engine = EngineFacade(self.worker, self.config.engine, self.config.challenge.enabled == "auto")
        peers = PeersFacade(self.participant, self.overlay, self.driver.offers_changed, self.clock)
        serving = ServingFacade(self.serving, self.config, self.clock)
        own = self.participant.keypair.public
        # Verifying takes a core for up to seconds: one at a time, so that rounds keep the others.
        verifying = trio.CapacityLimiter(1)
        return Shown(
            status=StatusFacade(own, self.config, self.params, (engine, peers, serving), self.store, self.lookout),
            peers=peers,
            rounds=RoundsFacade(self.rounds),
            history=HistoryFacade(self.history, self.store, verifying),
            replays=ReplaysFacade(own, self.participant.record, self.store, verifying),
            events=self.driver.events,
            engine=engine,
            serving=serving,
            reputation=ReputationFacade(self.reputation, self.challenger, self.config.node.specialty),
            metrics=MetricsFacade(
                self.worker,
                peers,
                self.serving,
                self.reputation,
                self.store,
                self.clock,
                RoundMetrics(self.meter, self.driver.timeline, self.rounds, self.inbound, peers),
            ),
            config=ConfigFacade(LoadedConfig(self.config, origins or {})),
        )


@asynccontextmanager
async def open_node(
    config: NodeConfig, make_participant: Callable[..., Participant] = Participant
) -> AsyncIterator[Node]:
    """Run a node for as long as the block runs. `make_participant` is called like Participant.

    Raises ConfigError, KeyFileError, StoreError, EngineError or OverlayError, each one line for the user.
    """
    params = load_params(config.node.network)
    gold = load_gold(config.gold.file) if config.gold.file else GoldBook()
    key = _load_key(config.node.data_dir)
    clock = Clock()
    async with (
        _open_store(config, key, clock) as store,
        open_engine(config.engine, config.vllm, config.node.data_dir / "vllm") as engine,
    ):
        toolbox = Toolbox()
        grader = AnswerGrader(ToolboxVerifier(toolbox))
        reputation = await open_reputation(store, gold, trust(config), config.node.specialty, grader)
        serving = await open_serving(key.keypair.public, config, reputation, store, clock)
        participant = make_participant(
            key.keypair,
            params,
            joins_from_ms=_joins_from_ms(store, params),
            admission=serving,
            trusted=(*trust(config).weights, key.keypair.public),
        )
        inbound = InboundRouter(participant, store, clock, serving.admits_query)
        worker = EngineWorker(engine, config.engine, inbound, clock, serving, toolbox)
        inbound.serve_challenges(ChallengeServer(worker, serving, clock).serve)
        if engine.server is None or engine.server.ready:
            # An engine that fails later is waited for, and so is a server of ours that takes minutes to load.
            await worker.start()
        async with (
            open_overlay(key.seed, _overlay_config(config), inbound) as overlay,
            open_tracing(config.tracing, key.keypair.public) as tracer,
        ):
            driver = Driver(participant, overlay, inbound, worker, store, reputation, clock)
            await overlay.subscribe(topic(params, config.node.specialty, config.node.shard))
            queries = QueryBuilder(participant, overlay, reputation, config, clock)
            queue = RoundQueue(params.open_rounds_per_key_max, config.capacity.waiting_queries_max)
            rounds = RoundService(queries, queue, inbound, driver.events, clock)
            history = RoundHistory(key.keypair.public, driver.events, store, clock)
            node = Node(
                config=config,
                params=params,
                participant=participant,
                overlay=overlay,
                worker=worker,
                driver=driver,
                store=store,
                reputation=reputation,
                serving=serving,
                rounds=rounds,
                challenger=Challenger(rounds, reputation, config.gold.share),
                examiner=_examiner(
                    WillingNodes(participant, overlay, config.node.specialty, clock, serving.is_open),
                    overlay,
                    worker,
                    reputation,
                    config,
                    clock,
                ),
                history=history,
                lookout=Lookout(participant, overlay, reputation, config, clock),
                clock=clock,
                inbound=inbound,
                meter=_follow_rounds(driver, tracer),
            )
            async with trio.open_nursery() as nursery:
                await _start_tasks(nursery, node)
                _say_started(key, overlay)
                yield node
                nursery.cancel_scope.cancel()


def _examiner(
    nodes: WillingNodes,
    overlay: Overlay,
    worker: EngineWorker,
    reputation: Reputation,
    config: NodeConfig,
    clock: Clock,
) -> Examiner:
    """Return what challenges newcomers, with items that nobody can foresee."""
    random = SystemRandom()
    items = ItemMaker(ToolboxVerifier(worker.inspector.toolbox), random)
    return Examiner(nodes.drawn, overlay, items, reputation, config.challenge, random, clock)


def _load_key(data_dir: Path) -> NodeKey:
    """Load the node's key, or make one and say so; no line of the log will hold it. Raises KeyFileError."""
    key = load_or_create_key(data_dir)
    logs.hide(key.seed.hex(), repr(key.seed))
    if key.fresh:
        log.info("node.made", folder=str(data_dir), remedy=MADE_REMEDY)
    return key


def _joins_from_ms(store: Store, params: NetworkParams) -> int:
    """Return the date of a query from which the node may take part (rule R12)."""
    return 0 if store.journal_is_complete else store.journal_began_ms + params.clock_skew_ms


def _follow_rounds(driver: Driver, tracer: RoundListener | None) -> RoundMeter:
    """Let a meter, and the tracer if there is one, follow the node's rounds. Returns the meter."""
    driver.timeline.follow(meter := RoundMeter())
    if tracer is not None:
        driver.timeline.follow(tracer)
    return meter


def _open_store(config: NodeConfig, key: NodeKey, clock: Clock) -> AbstractAsyncContextManager[Store]:
    return open_store(
        config.node.data_dir,
        public_key=key.keypair.public,
        fresh_key=key.fresh,
        now_ms=clock.now_ms(),
        boot_id=boot_id(),
        bytes_max=config.node.store_bytes_max,
    )


async def _start_tasks(nursery: trio.Nursery, node: Node) -> None:
    """Start everything that runs for as long as the node lives."""
    acquaintances = Acquaintances(node.overlay, node.store, node.clock)
    await acquaintances.recall()
    nursery.start_soon(acquaintances.run)
    nursery.start_soon(node.store.mend)
    await nursery.start(log_rounds, node.driver.events)
    await nursery.start(node.history.run)
    nursery.start_soon(node.driver.run)
    nursery.start_soon(node.lookout.run)
    nursery.start_soon(Pulse(node.participant, node.overlay, node.inbound, node.clock).run)
    serving, toolbox = node.serving, node.worker.inspector.toolbox
    repeat_on = (node.driver.peer_joined, serving.turned, node.overlay.addresses_changed, toolbox.changed)
    offers = Offers(node.inbound, node.worker, node.store.health, serving.is_open, repeat_on, node.config, node.params)
    nursery.start_soon(offers.run, node.overlay.addresses)
    nursery.start_soon(toolbox.open, partial(find_tester, node.config.sandbox))
    nursery.start_soon(serving.run)
    nursery.start_soon(node.reputation.run)
    nursery.start_soon(node.challenger.run)
    if node.config.challenge.enabled == "auto":
        nursery.start_soon(node.examiner.run)


async def run_node(
    config: NodeConfig,
    on_ready: Callable[[Node, str], None],
    make_participant: Callable[..., Participant] = Participant,
    origins: Mapping[str, str] | None = None,
    stop: StopRequest | None = None,
) -> None:
    """Run a node with its HTTP interface until it is stopped (`node.watch.shutdown`) or cancelled, which is abrupt.

    `on_ready` gets the node and the interface's URL.
    """
    # Before the engine, which may take minutes to load: a port that is taken is the commonest mistake.
    with await reserve(config.api) as reserved:
        async with open_node(config, make_participant) as node, trio.open_nursery() as nursery:
            url = await nursery.start(serve, node.shown(origins), config.api, reserved)
            on_ready(node, url)
            if stop is not None:
                shutdown = Shutdown(node.serving, node.rounds, node.worker, node.driver)
                await shutdown.run(await stop.wait(), config.node.stop_ms)
                nursery.cancel_scope.cancel()


def _overlay_config(config: NodeConfig) -> OverlayConfig:
    return OverlayConfig(
        listen=config.overlay.listen,
        bootstrap=config.overlay.bootstrap,
        announce=config.overlay.announce,
        private_networks=config.overlay.private_networks,
        trusted_keys=tuple(trust(config).weights),
        protocols=PROTOCOLS,
        slow_protocols=SLOW_PROTOCOLS,
    )


def _say_started(key: NodeKey, overlay: Overlay) -> None:
    log.info("node.started", key=key.keypair.public.hex(), addresses=list(overlay.addresses()))
