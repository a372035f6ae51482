"""Who may read a question: the offers that its audience allows, and texts that no other node should read."""

from collections.abc import Iterable, Sequence
from typing import Final

from consensus.learning.roster import Trust, named_offers
from node.api.conversation import Audience, Turn
from node.rounds.asking.text_secrets import find_secret
from protocol.messages import Offer
from protocol.types import Key

NOBODY_NAMED: Final = (
    "no other node that offers {specialty!r} now is trusted with a question's text: name keys of nodes that you trust "
    "under [trust.trusted], or ask with audience members (`strand ask --audience members`)"
)
"""Why a trusted question begins no round although other nodes offer to work."""

_SECRET: Final = "{place} looks like it holds {kind}, which other nodes would read: take it out"


def allowed_offers(offers: Iterable[Offer], audience: Audience, trust: Trust, own: Key) -> Sequence[Offer]:
    """Return the offers of nodes that may get a seat: for trusted questions those of named nodes, and our own."""
    return named_offers(offers, trust, own) if audience is Audience.TRUSTED else list(offers)


def lacks_named(offers: Iterable[Offer], allowed: Iterable[Offer], specialty: str, own: Key) -> bool:
    """Whether other nodes offer the specialty, and none of them is allowed.

    Our own model alone would then answer, although the asker sees that there are others. Where nobody else is there,
    it may.
    """

    def others(among: Iterable[Offer]) -> set[Key]:
        return {offer.author for offer in among if specialty in offer.specialties} - {own}

    return bool(others(offers)) and not others(allowed)


def secret_line(turns: Sequence[Turn], tests: str = "") -> str | None:
    """Return what turns, or the asker's tests, hold that looks like a secret, and to take it out; None: nothing.

    It names kind and place, never the secret.
    """
    for number, turn in enumerate(turns, start=1):
        if (kind := find_secret(turn.text)) is not None:
            place = "the question" if len(turns) == 1 else f"turn {number} ({turn.role})"
            return _SECRET.format(place=place, kind=kind)
    if (kind := find_secret(tests)) is not None:
        return _SECRET.format(place="the text of the tests", kind=kind)
    return None
