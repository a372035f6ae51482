"""Draws depend on the seed and the purpose alone."""

from itertools import combinations

from simnet.chance import chance


def test_equal_purposes_draw_equally_in_every_process() -> None:
    # Pinned, because hash seeds and whatever was drawn before must not matter.
    assert [chance(1, "links").getrandbits(64) for _ in range(2)] == [11711178449034170949] * 2


def test_every_other_purpose_draws_otherwise() -> None:
    purposes = [(), ("a",), ("b",), ("a", 1), ("a", 11), ("a1", 1), ("a", b"\x01"), ("", "a")]
    draws = [chance(seed, *purpose).getrandbits(64) for purpose in purposes for seed in (1, 2)]
    assert all(one != other for one, other in combinations(draws, 2))
