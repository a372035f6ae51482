"""Who pays for what; time is a number."""

from __future__ import annotations

import pytest

from consensus.rounds.buckets import Rate
from node.overlay import budgets
from node.overlay.budgets import GossipBudgets, Over

PEER, OTHER, AUTHOR = b"p" * 32, b"o" * 32, b"a" * 32


def test_bytes_are_charged_to_the_connection_and_to_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "CONNECTION_BYTES", Rate(0, 100))
    monkeypatch.setattr(budgets, "GROUP_BYTES", Rate(0, 150))
    charged = GossipBudgets()
    assert charged.read(PEER, "g", 90, 0.0) is None
    assert charged.read(PEER, "g", 20, 0.0) is Over.PEER
    assert charged.read(OTHER, "g", 90, 0.0) is Over.SHARED
    assert charged.read(OTHER, None, 10, 0.0) is None, "an exempt address shares with nobody"


def test_an_author_pays_for_useless_messages_that_it_hands_over_itself() -> None:
    charged = GossipBudgets()
    for _ in range(int(budgets.AUTHOR_USELESS.burst)):
        assert charged.verify(AUTHOR, None, AUTHOR, False, 0.0) is None
        charged.useless(AUTHOR, AUTHOR, 0.0)
    assert charged.verify(AUTHOR, None, AUTHOR, False, 0.0) is Over.PEER
    assert charged.verify(PEER, None, AUTHOR, False, 0.0) is None, "others may still pass its messages on"
    assert charged.verify(AUTHOR, None, OTHER, False, 0.0) is None
    assert charged.verify(AUTHOR, None, AUTHOR, False, 1.0) is None


def test_nobody_can_spend_an_authors_budget_with_its_old_messages() -> None:
    charged = GossipBudgets()
    for _ in range(int(budgets.PEER_USELESS.burst)):
        assert charged.verify(PEER, None, AUTHOR, False, 0.0) is None
        charged.useless(PEER, AUTHOR, 0.0)
    assert charged.verify(PEER, None, AUTHOR, False, 0.0) is Over.PEER
    assert charged.verify(AUTHOR, None, AUTHOR, False, 0.0) is None
    assert charged.verify(OTHER, None, AUTHOR, False, 0.0) is None


def test_an_author_pays_for_what_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "AUTHOR_MESSAGES", Rate(0, 3))
    charged = GossipBudgets()
    assert [charged.charge(AUTHOR, 10, 0.0) for _ in range(4)] == [True, True, True, False]
    assert charged.verify(PEER, None, AUTHOR, False, 0.0) is Over.AUTHOR
    assert charged.verify(PEER, None, OTHER, False, 0.0) is None


def test_verifications_are_charged_before_anything_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "CONNECTION_VERIFICATIONS", Rate(0, 5))
    monkeypatch.setattr(budgets, "GROUP_VERIFICATIONS", Rate(0, 7))
    charged = GossipBudgets()
    overs = [charged.verify(PEER, "g", AUTHOR, False, 0.0) for _ in range(6)]
    assert overs == [None] * 5 + [Over.PEER]
    overs = [charged.verify(OTHER, "g", AUTHOR, False, 0.0) for _ in range(3)]
    assert overs == [None, None, Over.SHARED]


def test_strangers_leave_half_of_all_verifications_to_the_useful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "VERIFICATIONS", Rate(0, 10))
    charged = GossipBudgets()
    keys = [bytes([number]) * 32 for number in range(10)]
    overs = [charged.verify(key, None, AUTHOR, False, 0.0) for key in keys]
    assert overs == [None] * 6 + [Over.SHARED] * 4
    assert [charged.verify(PEER, None, AUTHOR, True, 0.0) for _ in range(5)] == [None] * 4 + [Over.SHARED]


def test_an_honest_busy_swarm_stays_far_below() -> None:
    """Ten messages a second, three copies of each, for five minutes; then a whole round by gossip from one peer."""
    charged = GossipBudgets()
    authors = [bytes([number]) * 32 for number in range(50)]
    for tick in range(3_000):
        now, author = tick / 10, authors[tick % 50]
        assert charged.read(PEER, "g", 3 * 10_000, now) is None
        assert all(charged.count(PEER, now) for _ in range(3))
        assert charged.verify(PEER, "g", author, False, now) is None
        assert charged.charge(author, 10_000, now)
    for number in range(400):
        assert charged.read(PEER, "g", 20_000, 300.0) is None
        assert charged.count(PEER, 300.0)
        assert charged.verify(PEER, "g", authors[0], False, 300.0) is None
        assert charged.charge(authors[0], 20_000, 300.0), number
