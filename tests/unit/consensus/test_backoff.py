"""Pauses that grow while tries fail."""

from consensus.rounds.backoff import Backoff, Restarts


def test_pauses_double_from_the_first_to_the_longest_in_their_own_kind_of_number() -> None:
    assert [Backoff(30, 200).pause(failures) for failures in range(1, 6)] == [30, 60, 120, 200, 200]
    assert all(isinstance(Backoff(30, 200).pause(failures), int) for failures in (1, 9))
    assert [Backoff(0.25, 60.0).pause(failures) for failures in (0, 1, 2, 9, 10)] == [0.25, 0.25, 0.5, 60.0, 60.0]


def test_no_number_of_failures_is_too_many() -> None:
    assert Backoff(1, 10**12).pause(10**9) == 2**32
    assert Backoff(0.5, 15.0).pause(10**9) == 15.0


def test_ends_are_in_a_row_until_a_run_was_long_enough() -> None:
    restarts = Restarts(Backoff(1.0, 60.0), stable_s=10.0)
    assert [restarts.ended(ran_s) for ran_s in (0.0, 9.9, 0.0, 10.0, 0.0)] == [1.0, 2.0, 4.0, 1.0, 2.0]
    assert restarts.failures == 2
