"""Drives one round machine by hand: a requester or a member among others that a test plays."""

from collections.abc import Iterable
from typing import Any

from consensus.rounds import effects as fx
from consensus.rounds import member, requester
from consensus.rounds.events import Delivered, Event, Generated, Received
from consensus.rounds.membership import Restored
from consensus.rounds.pulls import LeftOut
from protocol.conversation import single
from protocol.messages import Turn
from protocol.signing import VerifiedMessage
from protocol.types import Kind
from tests.support.hand import Hand
from tests.support.swarm import START_MS, params

NOW = START_MS
GRACE_MS = params().grace_ms


def of_kind(effects: Iterable[fx.Effect], kind: type[Any]) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]


class AtRequester:
    """The requester's machine, beside a hand that follows what it publishes."""

    def __init__(self, hand: Hand, *, slack_ms: int = 0) -> None:
        self.hand = hand
        self.state = requester.start(hand.record, hand.pair("a"), NOW, slack_ms).state

    def step(self, event: Event, now_ms: int = NOW) -> tuple[fx.Effect, ...]:
        transition = requester.step(self.state, event, now_ms)
        self.state = transition.state
        self.hand.record = self.state.record
        return transition.effects

    def receive(self, *messages: VerifiedMessage, now_ms: int = NOW) -> list[fx.Effect]:
        return [effect for message in messages for effect in self.step(Received(message), now_ms)]

    def published(self, effects: Iterable[fx.Effect]) -> list[Kind]:
        return [effect.message.kind for effect in of_kind(effects, fx.Publish)]


class AtMember:
    """The machine of the member `b`, beside a hand that says what the others say."""

    def __init__(
        self,
        hand: Hand,
        *,
        turns: tuple[Turn, ...] = single("Which?"),
        tests: str = "",
        restored: Restored | None = None,
    ) -> None:
        self.hand = hand
        begun = member.start(hand.record, hand.pair("b"), LeftOut(turns, tests), NOW, restored or Restored())
        self.state, self.begun = begun.state, begun.effects

    def step(self, event: Event, now_ms: int = NOW, *, delivered: bool = True) -> tuple[fx.Effect, ...]:
        """One event; what the member then sends is acknowledged at once, unless it is not `delivered`."""
        transition = member.step(self.state, event, now_ms)
        self.state = transition.state
        for sent in of_kind(transition.effects, fx.Contribute) if delivered else ():
            self.state = member.step(self.state, Delivered(sent.message.id), now_ms).state
        return transition.effects

    def close(self, closing: VerifiedMessage, now_ms: int = NOW, *pool: VerifiedMessage) -> tuple[fx.Effect, ...]:
        """A closing that stands comes to the member, and the hand's record grows with it."""
        extended = self.hand.extend(closing, *pool)
        assert extended is self.hand.record, extended
        return self.step(Received(closing), now_ms)

    def generated(self, now_ms: int = NOW) -> tuple[fx.Effect, ...]:
        return self.step(Generated(self.hand.content("b"), b"b" * 32), now_ms)


def contributed(effects: Iterable[fx.Effect]) -> list[Any]:
    return [effect.message.body for effect in of_kind(effects, fx.Contribute)]
