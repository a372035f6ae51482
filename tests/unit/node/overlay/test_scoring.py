"""Peer scores and bans; time is a number."""

from __future__ import annotations

import pytest

from node.overlay import scoring
from node.overlay.scoring import BAN, GOSSIP_MIN, GRAYLIST, Misbehaviour, PeerScores

PEER = b"p" * 32


def blamed(fault: Misbehaviour, times: int, now: float = 0.0) -> PeerScores:
    scores = PeerScores()
    for _ in range(times):
        scores.blame(PEER, fault, now)
    return scores


def test_an_unknown_peer_has_neither_score_nor_ledger() -> None:
    scores = PeerScores()
    assert (scores.score(PEER, 0.0), scores.reason(PEER, 0.0)) == (0.0, "")
    assert not scores.is_banned(PEER, 0.0) and not scores.is_useful(PEER, 0.0)
    assert not scores._ledgers


def test_time_in_a_mesh_and_first_deliveries_count_up_to_their_caps() -> None:
    scores = PeerScores()
    scores.grafted(PEER, 0.0)
    assert scores.score(PEER, 300.0) == pytest.approx(1)
    assert scores.score(PEER, 6_000.0) == pytest.approx(2)
    scores.pruned(PEER, 6_000.0)
    assert scores.score(PEER, 6_000.0) == 0
    for _ in range(1_000):
        scores.delivered(PEER, 6_000.0)
    assert scores.score(PEER, 6_000.0) == pytest.approx(8)
    assert scores.is_useful(PEER, 6_000.0)


@pytest.mark.parametrize(
    ("times", "least", "most"), [(1, GOSSIP_MIN, 0), (2, GRAYLIST, GOSSIP_MIN), (4, BAN, GRAYLIST), (5, -1_000, BAN)]
)
def test_invalid_messages_cost_their_square(times: int, least: float, most: float) -> None:
    scores = blamed(Misbehaviour.INVALID, times)
    assert least < scores.score(PEER, 0.0) < most
    assert scores.reason(PEER, 0.0) == "invalid messages"
    assert scores.ban_if_due(PEER, 0.0) == (times == 5)


def test_some_misbehaviour_is_free_and_much_is_a_ban() -> None:
    assert blamed(Misbehaviour.GRAFT, 6).score(PEER, 0.0) == 0
    assert blamed(Misbehaviour.GRAFT, 6).reason(PEER, 0.0) == ""
    scores = blamed(Misbehaviour.GRAFT, 15)
    assert scores.reason(PEER, 0.0) == "graft during back-off"
    assert scores.ban_if_due(PEER, 0.0)
    assert scores.reason(PEER, 1.0) == "banned for 59 s: graft during back-off"


def test_deeds_fade() -> None:
    scores = blamed(Misbehaviour.INVALID, 4)
    assert scores.score(PEER, 0.0) == -64
    assert scores.score(PEER, 120.0) == pytest.approx(-16)
    assert scores.score(PEER, 3_600.0) == 0


def test_a_reconnect_washes_nobody_clean() -> None:
    scores = blamed(Misbehaviour.INVALID, 3)
    scores.connected(PEER, "203.0.113.1", "203.0.113.0/24", 0.0)
    scores.disconnected(PEER, 1.0)
    scores.connected(PEER, "203.0.113.1", "203.0.113.0/24", 2.0)
    assert scores.score(PEER, 2.0) < -30


def test_bans_end_and_grow() -> None:
    scores = PeerScores()
    now, lengths = 0.0, []
    for _ in range(8):
        for _ in range(30):
            scores.blame(PEER, Misbehaviour.BUDGET, now)
        assert scores.ban_if_due(PEER, now)
        began = now
        while scores.is_banned(PEER, now):
            now += 1.0
        lengths.append(now - began)
    assert lengths == [60, 120, 240, 480, 960, 1_920, 3_600, 3_600]
    now += 3_600
    for _ in range(30):
        scores.blame(PEER, Misbehaviour.BUDGET, now)
    assert scores.ban_if_due(PEER, now)
    assert not scores.is_banned(PEER, now + 60), "forgiven after an hour"


def test_an_address_is_banned_when_several_of_its_keys_are() -> None:
    scores = PeerScores()
    keys = [bytes([number]) * 32 for number in range(3)]
    for number, key in enumerate(keys):
        assert not scores.is_address_banned("203.0.113.1", 0.0)
        scores.connected(key, "203.0.113.1", "203.0.113.0/24", 0.0)
        for _ in range(5):
            scores.blame(key, Misbehaviour.INVALID, 0.0)
        assert scores.ban_if_due(key, 0.0), number
    assert scores.is_address_banned("203.0.113.1", 59.0)
    assert not scores.is_address_banned("203.0.113.2", 59.0)
    assert not scores.is_address_banned("203.0.113.1", 61.0)


def test_an_exempt_address_is_never_banned() -> None:
    scores = PeerScores()
    for number in range(5):
        key = bytes([number]) * 32
        scores.connected(key, "127.0.0.1", None, 0.0)
        for _ in range(5):
            scores.blame(key, Misbehaviour.INVALID, 0.0)
        assert scores.ban_if_due(key, 0.0)
    assert not scores.is_address_banned("127.0.0.1", 0.0)


def test_a_crowd_of_one_group_suffers_together() -> None:
    scores = PeerScores()
    keys = [bytes([number]) * 32 for number in range(24)]
    for key in keys[:16]:
        scores.connected(key, "203.0.113.1", "203.0.113.0/24", 0.0)
    assert scores.score(keys[0], 0.0) == 0
    for key in keys[16:]:
        scores.connected(key, "203.0.113.2", "203.0.113.0/24", 0.0)
    assert [scores.score(key, 0.0) for key in keys] == [-9.0] * 24
    assert scores.reason(keys[0], 0.0) == "crowded address"
    for key in keys[16:]:
        scores.disconnected(key, 1.0)
    assert scores.score(keys[0], 1.0) == 0


def test_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_LEDGERS_MAX", 4)
    monkeypatch.setattr(scoring, "_BANS_MAX", 4)
    scores = PeerScores()
    for number in range(50):
        key = bytes([number]) * 32
        scores.connected(key, "203.0.113.1", "203.0.113.0/24", 0.0)
        for _ in range(5):
            scores.blame(key, Misbehaviour.INVALID, 0.0)
        scores.ban_if_due(key, 0.0)
    assert (len(scores._ledgers), len(scores._bans), scores._crowds["203.0.113.0/24"]) == (4, 4, 4)
