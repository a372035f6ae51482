"""Inputs from inputs: small changes, as libFuzzer makes them, drawn from one seeded generator."""

from collections.abc import Sequence
from random import Random

INPUT_BYTES_MAX = 64 * 1024
"""bytes of one input: bounds beyond it have tests of their own, and larger inputs only make the others fewer."""

CORPUS_MAX = 2_000
"""inputs that are mutated further; of those that are made, one in fifty is, in place of any."""

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 32, (1 << 64) - 1)


class Mutator:
    """An endless supply. The same seed, seeds and tokens give the same inputs."""

    def __init__(self, seed: int, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> None:
        self._random = Random(seed)
        self._corpus = [*seeds] or [b""]
        self._first = len(self._corpus)
        self._tokens = [*tokens] or [b"\x00"]

    def next(self) -> bytes:
        """One more."""
        random = self._random
        data = bytearray(random.choice(self._corpus))
        for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5, 9))):
            self._change(data)
        made = bytes(data[:INPUT_BYTES_MAX])
        if random.random() < 0.02:
            if len(self._corpus) < CORPUS_MAX:
                self._corpus.append(made)
            elif self._first < CORPUS_MAX:
                self._corpus[random.randrange(self._first, CORPUS_MAX)] = made
        return made

    def _change(self, data: bytearray) -> None:
        random = self._random
        at = random.randrange(len(data) + 1)
        end = min(len(data), at + random.choice((1, 2, 4, 8, 32, 200)))
        match random.randrange(10):
            case 0 if data:
                data[at % len(data)] ^= 1 << random.randrange(8)
            case 1 if data:
                data[at % len(data)] = random.randrange(256)
            case 2:
                data[at:at] = random.randbytes(random.choice((1, 1, 2, 8, 64)))
            case 3:
                del data[at:end]
            case 4:
                data[at:at] = random.choice(self._tokens)
            case 5:
                data[at:end] = random.choice(self._tokens)
            case 6:
                data[at:at] = bytes(data[at:end]) * random.choice((1, 2, 3, 30, 300))
            case 7:
                other = random.choice(self._corpus)
                start = random.randrange(len(other) + 1)
                data[at:] = other[start:]
            case 8:
                width = random.choice((1, 2, 4, 8))
                number = (random.choice(_NUMBERS) + random.randint(-1, 1)) % (1 << 8 * width)
                data[at : at + width] = number.to_bytes(width, random.choice(("big", "little")))
            case _:
                del data[at:]
