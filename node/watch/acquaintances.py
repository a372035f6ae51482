"""The address book on disk: places of peers, so that a node whose bootstrap peers are down finds the others."""

from typing import TYPE_CHECKING, Final

import structlog
import trio

from node.clock import Clock
from node.overlay.types import Remembered
from node.storage import Acquaintance, Store

if TYPE_CHECKING:
    from node.overlay.host import Overlay

BEAT_S: Final = 2.0
"""Seconds between two checks of the book, and the most that a killed node forgets. With a thousand peers one takes some
ms."""

CHANGE_S: Final = 30.0
"""Seconds for which a change of peers is followed: a new peer announces its addresses in its offers soon after."""

REFRESH_MS: Final = 600_000
"""Milliseconds after which the dates are stored anew even without other changes."""

LAST_S: Final = 2.0
"""Seconds for the last write, when the node stops."""

log = structlog.get_logger()


class Acquaintances:
    """Stores the peers that the overlay has met, and restores them at the next start."""

    def __init__(self, overlay: "Overlay", store: Store, clock: Clock) -> None:
        self._overlay = overlay
        self._store = store
        self._clock = clock
        self._written: dict[bytes, tuple[tuple[str, ...], bool]] = {}
        self._written_ms = 0

    async def recall(self) -> None:
        """Restore the peers met before the restart. Raises StoreError."""
        known = await self._store.peers(0)
        if known:
            log.info("acquaintances.recalled", count=len(known))
        before = [Remembered(each.key, each.addresses, each.reached, each.met_ms) for each in known]
        self._overlay.recall(before, self._clock.now_ms())

    async def run(self) -> None:
        """Store changes until cancelled, and then once more. Raises StoreError."""
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
