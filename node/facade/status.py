"""Status of the node, and whether it really takes part."""

from dataclasses import asdict
from importlib.metadata import version

from node.api.common import Readiness
from node.api.status import Condition, Status, StoreSize, Versions
from node.config import NodeConfig
from node.facade.engine import EngineFacade
from node.facade.peers import PeersFacade
from node.facade.serving import ServingFacade
from node.storage import Store, StoreBlockedError
from node.watch.lookout import Lookout
from protocol.params import NetworkParams
from protocol.types import Key
from protocol.versions import AGGREGATOR, WIRE


class StatusFacade:
    """Reports the status of one node, and whether it is ready."""

    def __init__(
        self,
        own: Key,
        config: NodeConfig,
        params: NetworkParams,
        facades: tuple[EngineFacade, PeersFacade, ServingFacade],
        store: Store,
        lookout: Lookout,
    ) -> None:
        """Build a facade. `facades`: those whose reports are parts of the status; `lookout`: knows the conditions."""
        self._own = own
        self._config = config.node
        self._params = params
        self._engine, self._peers, self._serving = facades
        self._store = store
        self._lookout = lookout

    def readiness(self) -> Readiness:
        """Return whether the node is ready: the engine answers, a peer is connected, and it is not being stopped."""
        engine, peers, stopping = self._engine.answers, self._peers.connected() > 0, self._serving.is_stopping
        return Readiness(engine and peers and not stopping, engine, peers, stopping)

    async def report(self) -> Status:
        """Report the node's status: who it is, what it does, and what keeps it from taking part.

        A disk that cannot be read makes its figures None; it raises nothing.
        """
        return Status(
            key=self._own.hex(),
            name=self._config.name,
            addresses=self._peers.addresses(),
            network=self._params.network,
            params_digest=self._params.digest.hex(),
            specialty=self._config.specialty,
            engine=self._engine.summary(),
            working_on=self._engine.working_on,
            tools=self._engine.tools(),
            serving=self._serving.report(),
            peers_connected=self._peers.connected(),
            connections=self._peers.connections(),
            clock=self._peers.clock(),
            nodes_offering=self._peers.offering(),
            conditions=tuple(Condition(**asdict(each)) for each in self._lookout.conditions()),
            store=str(self._store.health),
            certificates=await count_certificates(self._store),
            store_size=await store_size(self._store, self._config.store_bytes_max),
            data_dir=str(self._config.data_dir),
            versions=Versions(version("strand-swarm"), WIRE, AGGREGATOR),
        )


async def count_certificates(store: Store) -> int | None:
    """Count the stored certificates; None while the disk cannot be read."""
    try:
        return await store.count_certificates()
    except StoreBlockedError:
        return None


async def store_size(store: Store, bytes_max: int) -> StoreSize | None:
    """Return the size of the store beside its quota, both in bytes; None while the disk cannot be read."""
    try:
        return StoreSize(await store.counted_bytes(), bytes_max)
    except StoreBlockedError:
        return None
