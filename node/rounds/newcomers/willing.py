"""The connected nodes that offer work of this node's specialty, in an order that nobody can foresee."""

import secrets
from collections.abc import Callable

from consensus.learning.roster import Draw, by_lot
from consensus.rounds.participant import Participant
from node.clock import Clock
from node.overlay import Overlay
from protocol.messages import Offer
from protocol.types import Key


class WillingNodes:
    """Draws by lot: first an address group, then a node in it, as rosters do, because keys are free."""

    def __init__(
        self, participant: Participant, overlay: Overlay, specialty: str, clock: Clock, is_open: Callable[[], bool]
    ) -> None:
        """Build the list. `is_open`: whether this node works for others now; if not, it asks nothing of them either."""
        self._participant = participant
        self._overlay = overlay
        self._specialty = specialty
        self._clock = clock
        self._is_open = is_open

    def drawn(self) -> list[Offer]:
        """Return the offers in force of others that were heard lately, are connected and agree on the time."""
        if not self._is_open():
            return []
        participant, now_ms = self._participant, self._clock.now_ms()
        own = participant.keypair.public
        groups = {Key(peer.key): peer.group for peer in self._overlay.peers() if peer.connected}
        offers = {
            offer.author: offer
            for offer in participant.validator.offers.valid(now_ms)
            if offer.roles and self._specialty in offer.specialties and offer.author in groups and offer.author != own
        }
        seatable = participant.presence.seatable(offers, now_ms, participant.params.offer_valid_ms)
        draw = Draw(own, secrets.token_bytes(32), seatable, groups)
        return [offers[key] for key in by_lot(seatable, draw)]
