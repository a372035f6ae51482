"""Token buckets; time is a number."""

import math

import pytest

from consensus.rounds.buckets import Bucket, Buckets, Rate


def test_a_bucket_is_full_at_first_and_refills_up_to_its_burst() -> None:
    bucket = Bucket(Rate(per_s=2, burst=3))
    assert [bucket.take(1, 100.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(1, 100.4)
    assert bucket.take(1, 100.5)
    assert bucket.level(1_000.0) == 3


def test_a_refusal_takes_nothing_and_a_clock_that_steps_back_gives_nothing() -> None:
    bucket = Bucket(Rate(per_s=1, burst=10))
    assert bucket.take(8, 10.0)
    assert not bucket.take(3, 10.0)
    assert bucket.level(5.0) == 2
    assert bucket.level(10.0) == 2, "nor when it comes forward again"
    assert bucket.level(10.5) == 2.5


def test_waits_are_as_long_as_the_missing_units_take() -> None:
    bucket = Bucket(Rate(per_s=4, burst=8))
    assert bucket.wait_s(8, 1.0) == 0
    assert bucket.take(7, 1.0)
    assert bucket.wait_s(3, 1.0) == 0.5
    assert bucket.take(3, 1.5)
    assert Bucket(Rate(per_s=0, burst=1)).wait_s(2, 1.0) == math.inf


def test_credit_is_paid_back_before_anything_else_is_there() -> None:
    bucket = Bucket(Rate(per_s=4, burst=2))
    assert [bucket.spend(1, 1.0) for _ in range(4)] == [0, 0, 0.25, 0.5]
    assert bucket.level(1.0) == -2
    assert not bucket.take(1, 1.5)
    assert bucket.take(1, 1.75)


def test_each_key_has_its_own_bucket() -> None:
    buckets = Buckets[str](Rate(per_s=2, burst=3), keys_max=8)
    assert buckets.take("a", 3, 0.0)
    assert not buckets.take("a", 1, 0.0)
    assert (buckets.level("a", 0.0), buckets.level("b", 0.0)) == (0, 3)
    assert (buckets.wait_s("a", 1, 0.0), buckets.wait_s("b", 1, 0.0)) == (0.5, 0)
    assert buckets.take("a", 1, 0.5)


@pytest.mark.parametrize("amount", [1, 2])
def test_a_table_is_bounded_and_forgets_the_longest_unused(amount: int) -> None:
    """Also where nothing is given: who is refused has used its bucket."""
    buckets = Buckets[str](Rate(per_s=0, burst=1), keys_max=2)
    for key in ("a", "b", "a", "c"):
        buckets.take(key, 1, 0.0)
        buckets.take(key, amount, 0.0)
    assert len(buckets) == 2
    assert (buckets.level("a", 0.0), buckets.level("b", 0.0)) == (0, 1)
