"""Who judges which pairs (rule R6): a pure function of public values, so that every member computes the same lists.

Judges choose in turn, one pair per turn, in an order that the beacon shuffles anew for each turn. A judge takes, of the
pairs that hold no answer of its own and that it does not have yet, the first by these criteria:

1. answers of different clusters: pairs within a cluster cannot move the choice of the cluster;
2. the fewest judgements of this pair so far: judges see different pairs, and the graph is as dense as it can be;
3. the fewest judgements of its two answers: each answer is seen, as rule R9 wants of the best ones;
4. a lot drawn by hash from beacon, wave and judge.

In the simulated world of the design (35 judges, one pair each) criterion 3 raises the share of rounds that satisfy R9
from .93 to .98. Evenness over clusters instead of answers was tried and is worse: .43, and 1.6 points of accuracy.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

_SEED_TAG = b"strand/pairs/1"
_LOTS_PER_BLOCK = 16  # 32-bit words in a BLAKE2b-512 digest


def assign_pairs(
    *,
    beacon: bytes,
    wave: int,
    judges: Sequence[bytes],
    authors: Sequence[bytes],
    clusters: Sequence[int],
    pairs_per_judge: int,
    used: Mapping[tuple[int, int], int],
) -> dict[bytes, tuple[tuple[int, int], ...]]:
    """The ordered pairs (first shown, second shown) of answer indices for each judge.

    Args:
        beacon: the round's randomness, rule R5.
        judges: 32-byte keys in any order; a judge may be an author.
        authors: 32-byte key of each answer's author, answers in canonical order.
        clusters: cluster of each answer.
        used: judgements of each unordered pair in earlier waves; a pair's two indices in either order.

    Returns:
        One entry per judge, by ascending key. It has fewer than `pairs_per_judge` pairs only where no more are
        eligible, and never the same two answers twice.

    Raises:
        ValueError: `authors` and `clusters` differ in length.
    """
    if len(authors) != len(clusters):
        raise ValueError(f"{len(authors)} authors but {len(clusters)} clusters")
    seed = blake2b(_SEED_TAG + beacon + wave.to_bytes(4, "big"), digest_size=32).digest()
    coverage = _Coverage(clusters, used)
    keys = sorted(set(judges))
    lots = {judge: _lots(seed, judge, coverage.size) for judge in keys}
    eligible = {judge: coverage.without(authors, judge) for judge in keys}
    assigned: dict[bytes, list[tuple[int, int]]] = {judge: [] for judge in keys}
    for turn in range(min(pairs_per_judge, coverage.size)):
        for judge in sorted(keys, key=lambda key: _digest(seed, key, turn)):
            if not eligible[judge].any():
                continue
            pair = coverage.take(eligible[judge], lots[judge])
            eligible[judge][pair] = False
            first, second = coverage.answers(pair)
            # Judges favour a position; which answer gets it is a coin, the lot's lowest bit.
            assigned[judge].append((first, second) if lots[judge][pair] & 1 else (second, first))
    return {judge: tuple(pairs) for judge, pairs in assigned.items()}


class _Coverage:
    """How often each pair and each answer has been judged; pairs are numbered, arrays have shape (pairs,)."""

    def __init__(self, clusters: Sequence[int], used: Mapping[tuple[int, int], int]) -> None:
        cluster = np.array(clusters, dtype=np.int64)
        self._low, self._high = np.triu_indices(len(cluster), 1)
        self._within = (cluster[self._low] == cluster[self._high]).astype(np.int64)
        self._pair_uses = np.zeros(len(self._low), dtype=np.int64)
        self._answer_uses = np.zeros(len(cluster), dtype=np.int64)
        number = {pair: index for index, pair in enumerate(zip(self._low.tolist(), self._high.tolist(), strict=True))}
        for (one, other), uses in used.items():
            self._add(number[min(one, other), max(one, other)], uses)

    @property
    def size(self) -> int:
        """How many pairs there are."""
        return len(self._low)

    def answers(self, pair: int) -> tuple[int, int]:
        return int(self._low[pair]), int(self._high[pair])

    def without(self, authors: Sequence[bytes], judge: bytes) -> npt.NDArray[np.bool_]:
        """Mask of the pairs that hold no answer of this judge."""
        own = np.array([author == judge for author in authors], dtype=np.bool_)
        return ~(own[self._low] | own[self._high])

    def take(self, eligible: npt.NDArray[np.bool_], lots: IntArray) -> int:
        """Choose among the eligible pairs (at least one) by the criteria above, and count the choice."""
        candidates = _least(np.flatnonzero(eligible), self._within)
        candidates = _least(candidates, self._pair_uses)
        candidates = _least(candidates, self._answer_uses[self._low] + self._answer_uses[self._high])
        pair = int(candidates[np.argmin(lots[candidates])])
        self._add(pair, 1)
        return pair

    def _add(self, pair: int, uses: int) -> None:
        self._pair_uses[pair] += uses
        self._answer_uses[self._low[pair]] += uses
        self._answer_uses[self._high[pair]] += uses


def _least(candidates: IntArray, measure: IntArray) -> IntArray:
    """Those candidates whose measure is the least among them."""
    values = measure[candidates]
    least: IntArray = candidates[values == values.min()]
    return least


def _digest(seed: bytes, judge: bytes, counter: int) -> bytes:
    return blake2b(judge + counter.to_bytes(4, "big"), key=seed, person=b"order").digest()


def _lots(seed: bytes, judge: bytes, count: int) -> IntArray:
    """This judge's lot for each pair, 32 bits."""
    stream = b"".join(
        blake2b(judge + block.to_bytes(4, "big"), key=seed, person=b"lots").digest()
        for block in range(-(-count // _LOTS_PER_BLOCK))
    )
    return np.frombuffer(stream, dtype=">u4")[:count].astype(np.int64)
