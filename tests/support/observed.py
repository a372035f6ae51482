"""The tests' swarm, whose asker `a` tells what happens in its rounds as the daemon's driver does.

Every node has a timeline of its rounds.
"""

from typing import Any, cast

from consensus.rounds import effects as fx
from consensus.rounds.pulls import LeftOut
from node.api.asking import Question
from node.rounds.following.hub import RoundEvents
from node.rounds.following.observer import RoundObserver
from node.rounds.following.timeline import RoundTimeline
from node.rounds.queue import QueuedAsk, RoundQueue
from protocol.conversation import single
from protocol.types import Digest, Key
from tests.support.swarm import Node, Swarm


class ObservedSwarm(Swarm):
    """A swarm with a hub. It is its own clock, and the engine of `a` is never to blame."""

    def __init__(self, names: str, tool_versions: str = "") -> None:
        super().__init__(names, tool_versions=tool_versions)
        self.hub = RoundEvents()
        clock = cast(Any, _Clock(self))
        self.observer = RoundObserver(self.nodes["a"].participant, self.hub, cast(Any, self), clock)
        self.timelines = {name: RoundTimeline(node.participant, clock) for name, node in self.nodes.items()}

    def why_declined(self, _: Digest) -> str:
        return ""

    def begin(self, **changes: object) -> Digest:
        """Let `a` ask, as the driver does."""
        query = self.query(**changes)
        begun = self.nodes["a"].participant.ask(query, LeftOut(single("Which?")), self.now_ms)
        assert isinstance(begun, tuple), begun
        id, effects = begun
        for follower in (self.timelines["a"], self.observer):
            follower.asked(id, query, asks())
        self.perform(self.nodes["a"], effects)
        return id

    def perform(self, node: Node, effects: list[fx.Effect]) -> None:
        """Tell the progress that is due after each step, as the driver's loop does."""
        super().perform(node, effects)
        if node.name == "a":
            self.observer.tick(self.now_ms)

    def _perform(self, node: Node, effect: fx.Effect) -> None:
        super()._perform(node, effect)
        self.timelines[node.name].saw(effect)
        if node.name == "a":
            self.observer.saw(effect)

    def _text_fetched(self, query: Digest, member: Key) -> None:
        self.observer.text_fetched(query, member)


def asks() -> QueuedAsk:
    """The user's question, with a ticket that nobody waits for."""
    return QueuedAsk(Question.single("Which?"), False, 0, RoundQueue(1, 0))


class _Clock:
    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm

    def now_ms(self) -> int:
        return self._swarm.now_ms
