"""Assigns answers to testers, and finds the tool versions that they must share (rule R17)."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final

from protocol.limits import FURTHER_TESTERS, TESTERS
from protocol.messages import Seat
from protocol.types import Key

_SEED_TAG: Final = b"strand/testers/1"


def tool_versions_of(seats: Iterable[Seat]) -> str:
    """Return the tool versions of the round: those with most vote weight, then seats, then the highest name.

    Only reports of equal versions can be compared, so the other seats test nothing. Empty: nobody can test.
    """
    votes: Counter[str] = Counter()
    heads: Counter[str] = Counter()
    for seat in seats:
        if seat.tool_versions:
            votes[seat.tool_versions] += seat.vote_weight
            heads[seat.tool_versions] += 1
    return max(heads, key=lambda name: (votes[name], heads[name], name), default="")


def assign_testers(
    *,
    beacon: bytes,
    stage: int,
    testers: Sequence[Key],
    authors: Sequence[Key],
    answers: Sequence[int],
    tested: Mapping[int, Collection[Key]],
) -> dict[Key, tuple[int, ...]]:
    """Return the answers that each tester reports on in one stage, ascending; testers without any are left out.

    Each answer gets the testers with the least work so far; a lot drawn by hash from beacon, stage and answer decides
    among equals. Nobody tests its own answer, or one that it reported on before.

    Args:
        beacon: the round's randomness, rule R5.
        stage: number of the stage.
        testers: keys that may test.
        authors: key of each answer's author, in the order of the slate.
        answers: positions of the answers to test.
        tested: keys that were asked about an answer in the stage before.
    """
    count = FURTHER_TESTERS if stage else TESTERS
    seed = blake2b(_SEED_TAG + beacon + stage.to_bytes(4, "big"), digest_size=32).digest()
    work: dict[Key, list[int]] = {key: [] for key in sorted(testers)}
    for answer in answers:
        able = [key for key in work if key != authors[answer] and key not in tested.get(answer, ())]
        lots = {key: blake2b(key + answer.to_bytes(4, "big"), key=seed, person=b"testers").digest() for key in able}
        for key in sorted(able, key=lambda each: (len(work[each]), lots[each]))[:count]:
            work[key].append(answer)
    return {key: tuple(sorted(positions)) for key, positions in work.items() if positions}
