"""A round that is left: what was signed last was not journalled, so nobody may ever see it."""

from consensus.rounds import effects as fx
from consensus.rounds.pulls import LeftOut
from protocol import codec
from protocol.errors import Fault, FaultReason
from protocol.streams import PullRequest
from tests.support.swarm import START_MS, Swarm


def test_a_round_that_is_left_is_neither_served_nor_gone_on_with() -> None:
    swarm = Swarm("abc")
    asker = swarm.nodes["a"].participant
    begun = asker.ask(swarm.query(), LeftOut(), START_MS)
    assert not isinstance(begun, Fault)
    query, _ = begun
    assert asker.take_local_message(START_MS) is not None
    finishes = asker.leave(query)
    assert [(each.role, each.ending) for each in finishes if isinstance(each, fx.RoundEnded)] == [
        ("member", fx.Ending.LEFT),
        ("requester", fx.Ending.LEFT),
    ]
    assert asker.take_local_message(START_MS) is None
    assert asker.wake_at_ms is None
    request = codec.encode(PullRequest(query=query, ids=()))
    served = asker.serve_pull(swarm.nodes["b"].participant.keypair.public, request)
    assert isinstance(served, Fault) and served.reason is FaultReason.UNKNOWN_ROUND
    assert asker.leave(query) == []
