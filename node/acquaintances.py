"""The address book on disk: where peers were met, so that a node whose bootstrap peers are down finds the others."""

from typing import TYPE_CHECKING, Final

import structlog
import trio

from node.clock import Clock
from node.overlay.types import Remembered
from node.storage import Acquaintance, Store

if TYPE_CHECKING:
    from node.overlay.host import Overlay

BEAT_S: Final = 2.0
"""seconds between two looks at the book: what a killed node forgets."""

REFRESH_MS: Final = 600_000
"""ms after which the dates are written anew though nothing else has changed."""

LAST_S: Final = 2.0
"""seconds for the last write, when the node stops."""

log = structlog.get_logger()


class Acquaintances:
    """Writes down whom the overlay has met, and tells it at the next start."""

    def __init__(self, overlay: "Overlay", store: Store, clock: Clock) -> None:
        self._overlay = overlay
        self._store = store
        self._clock = clock
        self._written: dict[bytes, tuple[tuple[str, ...], bool]] = {}
        self._written_ms = 0

    async def recall(self) -> None:
        """Tell the overlay whom earlier lives met. Raises StoreError."""
        known = await self._store.peers(0)
        if known:
            log.info("peers of before", count=len(known))
        before = [Remembered(each.key, each.addresses, each.reached, each.met_ms) for each in known]
        self._overlay.recall(before, self._clock.now_ms())

    async def run(self) -> None:
        """Write down what is new until cancelled, and then once more. Raises StoreError."""
        try:
            while True:
                await trio.sleep(BEAT_S)
                await self._write()
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(LAST_S):
                await self._write()

    async def _write(self) -> None:
        now_ms = self._clock.now_ms()
        met = self._overlay.remembered(now_ms)
        places = {each.key: (each.addresses, each.reached) for each in met}
        if not met or (places == self._written and now_ms - self._written_ms < REFRESH_MS):
            return
        await self._store.put_peers([Acquaintance(each.key, each.addresses, each.reached, each.met_ms) for each in met])
        self._written, self._written_ms = places, now_ms
