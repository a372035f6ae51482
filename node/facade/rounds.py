"""The node's own rounds and their certificates."""

from contextlib import AbstractAsyncContextManager

from node.api.asking import Question
from node.rounds.service import RoundHandle, RoundService
from node.storage import Store
from node.work.worker import EngineWorker
from protocol.types import Digest


class RoundsFacade:
    """One node's rounds."""

    def __init__(self, service: RoundService, store: Store, worker: EngineWorker) -> None:
        self._service = service
        self._store = store
        self._worker = worker

    def ask(self, question: Question) -> AbstractAsyncContextManager[RoundHandle]:
        """Begin a round in its turn, and follow it while the block runs. Raises AskError."""
        return self._service.ask(question)

    def own_engine(self, query_id: Digest) -> str:
        """Return why this node's own engine contributed nothing to a round; empty if it did, or if nothing is known."""
        return self._worker.why_declined(query_id)

    async def certificate(self, query_id: Digest) -> bytes | None:
        """Return a certificate's canonical bytes, or None. Raises StoreBlockedError."""
        return await self._store.certificate(query_id)
