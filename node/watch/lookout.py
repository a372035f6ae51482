"""Observes the node's place in the network, and logs each condition once, with its remedy."""

from typing import TYPE_CHECKING, Final

import structlog
import trio

from consensus.rounds.participant import Participant
from node.clock import Clock
from node.config import NodeConfig
from node.rounds.learning.reputation import Reputation
from node.watch.conditions import Condition, Teller, View, conditions
from protocol.topics import topic
from protocol.types import TaskType

if TYPE_CHECKING:
    from node.overlay.host import Overlay

BEAT_S: Final = 1.0
"""Seconds between two checks: tens of microseconds each, a few ms if all peers are hostile."""

log = structlog.get_logger()


class Lookout:
    """The present conditions, for the log and for other callers."""

    def __init__(
        self, participant: Participant, overlay: "Overlay", reputation: Reputation, config: NodeConfig, clock: Clock
    ) -> None:
        self._participant = participant
        self._overlay = overlay
        self._reputation = reputation
        self._topic = topic(participant.params, config.node.specialty, config.node.shard)
        self._clock = clock

    def conditions(self) -> tuple[Condition, ...]:
        """Return all present conditions, the most important first."""
        clock = self._participant.presence.clock
        view = View(
            topic=self._topic,
            bootstraps=self._overlay.bootstraps(),
            topics=self._overlay.topics_of_peers(),
            protocols=self._overlay.protocols_of_peers(),
            clocks=clock.peers,
            clocks_off=clock.off,
            offset_ms=clock.offset_ms,
            ours_is_off=clock.ours_is_off,
            has_weight=self._has_weight(),
        )
        return conditions(view)

    async def run(self) -> None:
        """Check and report until cancelled."""
        teller = Teller()
        while True:
            fresh, over = teller.news(self.conditions(), self._clock.now_ms())
            for each in fresh:
                log.warning("condition.raised", condition=str(each.kind), text=each.text, remedy=each.remedy)
            for each in over:
                log.info("condition.cleared", condition=str(each.kind), about=each.about or each.text)
            await trio.sleep(BEAT_S)

    def _has_weight(self) -> bool:
        """Whether a round of ours could seat anybody whose vote counts: among the offers, else among named nodes."""
        trusts = [self._reputation.trust(task) for task in TaskType]
        offers = self._participant.validator.offers.valid(self._clock.now_ms())
        if offers:
            return any(trust.weight(offer.author) > 0 for offer in offers for trust in trusts)
        return any(trust.default_weight > 0 or any(trust.weights.values()) or trust.merits for trust in trusts)
