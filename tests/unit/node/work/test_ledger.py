"""What was spent on whom: sliding sums, and bounds in both directions."""

from node.work.ledger import HOUR_MS, HOURS_KEPT, KEYS_PER_HOUR, OTHERS, Ledger, Row, Spent
from protocol.types import Key

NOW_MS = 1_000 * HOUR_MS


def key(number: int) -> Key:
    return Key(number.to_bytes(32, "big"))


def everybody(_: Key) -> bool:
    return True


def test_a_part_of_the_oldest_hour_has_rounds_as_it_has_tokens() -> None:
    """Many requesters of one round each are many rounds: they are summed before their share is taken."""
    ledger = Ledger([])
    for number in range(8):
        ledger.add(key(number), Spent(rounds=1, tokens=1_000), NOW_MS)
    assert ledger.lately(1, NOW_MS + HOUR_MS + HOUR_MS // 4, everybody) == Spent(6, 6_000)
    assert ledger.lately(1, NOW_MS + HOUR_MS + 9 * HOUR_MS // 10, lambda each: each == key(0)) == Spent(0, 100)


def test_an_hour_slides() -> None:
    """Given 60 rounds in the hour before, then a quarter into this one three quarters of them still count."""
    ledger = Ledger([])
    ledger.add(key(1), Spent(rounds=60), NOW_MS - 1)
    ledger.add(key(1), Spent(rounds=1), NOW_MS)
    assert ledger.lately(1, NOW_MS, everybody).rounds == 61
    assert ledger.lately(1, NOW_MS + HOUR_MS // 4, everybody).rounds == 46
    assert ledger.lately(1, NOW_MS + HOUR_MS, everybody).rounds == 1
    assert ledger.lately(24, NOW_MS + 20 * HOUR_MS, everybody).rounds == 61


def test_only_those_who_count_are_summed() -> None:
    ledger = Ledger([Row(NOW_MS // HOUR_MS, key(1), Spent(1, 10, 100))])
    ledger.add(key(2), Spent(2, 20, 200), NOW_MS)
    assert ledger.lately(1, NOW_MS, lambda each: each == key(1)) == Spent(1, 10, 100)
    assert ledger.by_requester(NOW_MS) == [(key(2), Spent(2, 20, 200)), (key(1), Spent(1, 10, 100))]


def test_keys_of_an_hour_are_bounded_and_nothing_is_lost() -> None:
    ledger = Ledger([])
    dear = key(10_000)
    ledger.add(dear, Spent(1, 1, 1_000), NOW_MS)
    for number in range(3 * KEYS_PER_HOUR):
        ledger.add(key(number), Spent(1, 2, 3), NOW_MS)
    rows = ledger.by_requester(NOW_MS)
    assert len(rows) == KEYS_PER_HOUR + 1
    assert {dear, OTHERS} <= {each for each, _ in rows}
    assert ledger.lately(1, NOW_MS, everybody).rounds == 3 * KEYS_PER_HOUR + 1


def test_hours_are_bounded() -> None:
    ledger = Ledger([])
    for hour in range(100):
        ledger.add(key(1), Spent(rounds=1), NOW_MS + hour * HOUR_MS)
    (kept,) = ledger.by_requester(NOW_MS + 99 * HOUR_MS)
    assert kept == (key(1), Spent(rounds=HOURS_KEPT))


def test_what_has_changed_is_told_once_and_whole() -> None:
    ledger = Ledger([Row(NOW_MS // HOUR_MS, key(1), Spent(1, 1, 1))])
    ledger.add(key(2), Spent(2, 2, 2), NOW_MS)
    ((hour, rows),) = ledger.take_changed()
    assert hour == NOW_MS // HOUR_MS
    assert {row.requester for row in rows} == {key(1), key(2)}
    assert list(ledger.take_changed()) == []
