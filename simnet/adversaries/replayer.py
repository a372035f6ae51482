"""Replayer: sends other nodes' signed messages again, hoping that somebody acts on them twice."""

from collections.abc import Sequence

from protocol.messages import Query
from protocol.params import NetworkParams
from protocol.signing import VerifiedMessage
from protocol.topics import topic
from protocol.types import CLOSINGS
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour, Frame, Later

REPLAYS_MS = (1_000, 3_000, 6_000, 10_000, 125_000)
"""Milliseconds after arrival: while the round runs, when nodes may have restarted, and when the mesh has forgotten it.
"""


class Replayer(Behaviour):
    """A frame that its author signed stays valid for nodes that do not remember the first one."""

    KIND = "replayer"
    topic = ""

    def hear(self, message: VerifiedMessage, context: AdversaryContext) -> Sequence[Action]:
        """Repeat queries and closings several times."""
        if isinstance(message.body, Query):
            self.topic = _topic(context.params, message.body)
        elif message.kind not in CLOSINGS or not self.topic:
            return ()
        frame = Frame(self.topic, message.author, message.envelope)
        return [Later(after_ms, frame) for after_ms in REPLAYS_MS]


def _topic(params: NetworkParams, query: Query) -> str:
    return topic(params, query.specialty, query.shard)
