"""Records of challenges (rule R20) by key, bounded, and the weights that follow from them."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from consensus.learning.challenge_weight import ChallengeRecord, challenge_weights
from consensus.learning.reputation import NodeStats
from consensus.learning.roster import SeatWeights
from protocol.types import Key

NEWCOMERS_MAX: Final = 256
"""Nodes whose challenges are remembered, 300 bytes each. A node has at most 128 peers. Of keys that nobody would miss,
those without weight, open records go before decided ones, and of these the one that was challenged longest ago goes
first: fresh keys push out no node that passed, and none that was refused, which would be asked anew before its time."""


class ChallengeRecords:
    """Records of challenges, the node that was challenged last at the end."""

    def __init__(self) -> None:
        self._records: OrderedDict[Key, ChallengeRecord] = OrderedDict()

    @property
    def records(self) -> Mapping[Key, ChallengeRecord]:
        """All that is remembered."""
        return self._records

    def put(self, key: Key, record: ChallengeRecord) -> None:
        """Remember a node's record in place of its last one."""
        self._records[key] = record
        self._records.move_to_end(key)
        if len(self._records) > NEWCOMERS_MAX:
            *earlier, _ = self._records
            without = [each for each in earlier if self._records[each].earned_at is None]
            undecided = [each for each in without if self._records[each].is_open]
            del self._records[(undecided or without or earlier)[0]]

    def weights(self, rounds: int, met: Mapping[Key, NodeStats]) -> dict[Key, SeatWeights]:
        """Return the weights in force of nodes that passed.

        A node that equivocated has none, whatever it has passed. `rounds`: those from which this node has learned;
        `met`: statistics of the nodes met in them.
        """
        weights: dict[Key, SeatWeights] = {}
        for key, record in self._records.items():
            found = challenge_weights(record, rounds)
            if found is not None and not (key in met and met[key].equivocations):
                weights[key] = found
        return weights
