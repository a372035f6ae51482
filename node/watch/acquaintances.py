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
"""seconds between two looks at the book: what a killed node forgets. With a thousand peers in it one takes some ms."""

CHANGE_S: Final = 30.0
"""seconds for which a change of peers is looked at: one that came tells its addresses in its offers, soon after."""

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
            log.info("acquaintances.recalled", count=len(known))
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
        is_fresh = now_ms - self._written_ms < REFRESH_MS
        if is_fresh and self._overlay.quiet_for_s() > CHANGE_S:
            return
        met = self._overlay.remembered(now_ms)
        places = {each.key: (each.addresses, each.reached) for each in met}
        if not met or (is_fresh and places == self._written):
            return
        await self._store.put_peers([Acquaintance(each.key, each.addresses, each.reached, each.met_ms) for each in met])
        self._written, self._written_ms = places, now_ms
