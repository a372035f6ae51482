"""The node's own rounds and their certificates."""

from contextlib import AbstractAsyncContextManager

from node.api.asking import Question
from node.rounds.service import RoundHandle, RoundService
from node.storage import Store
from protocol.types import Digest


class RoundsFacade:
    """One node's rounds."""

    def __init__(self, service: RoundService, store: Store) -> None:
        self._service = service
        self._store = store

    def ask(self, question: Question, *, details: bool) -> AbstractAsyncContextManager[RoundHandle]:
        """Begin a round in its turn, and follow it while the block runs. Raises AskError."""
        return self._service.ask(question, details=details)

    async def cancel(self, query_id: Digest) -> bool:
        """Cancel a round of ours, even in a scope that is cancelled itself; False: nothing is left to cancel."""
        return await self._service.cancel(query_id)

    async def certificate(self, query_id: Digest) -> bytes | None:
        """Return a certificate's canonical bytes, or None. Raises StoreBlockedError."""
        return await self._store.certificate(query_id)
