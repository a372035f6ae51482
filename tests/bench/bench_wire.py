"""What our wire costs beside the bare libraries under it: `python -P -m tests.bench.bench_wire`.

The bare contestants do the same work on the same bytes: pynacl signs and verifies the message's preimage, msgpack packs
and unpacks the plain value that the codec hands it. Ours also check every bound, scan before decoding, and encode again
to prove that the bytes are canonical. Nothing is recalled: each time is a message's first. All take turns within each
repetition.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgpack
from nacl.signing import SigningKey, VerifyKey

from protocol import codec
from protocol.hashing import message_preimage
from protocol.messages import Answer, AnswerContent, Ballot, BallotEntry, CloseSlate, Message
from protocol.recall import forgetting
from protocol.signing import VerifiedMessage, open_envelope, seal
from protocol.types import FinishReason
from tests.bench.harness import Bench, Figure
from tests.support.samples import KEYPAIR, NETWORK, SEED, digest

RIDERS = 7
ANSWER_BYTES = 1_500


@dataclass(frozen=True, slots=True)
class Settings:
    """How long each operation is measured."""

    repetitions: int = 15
    batch_ms: float = 10.0
    """of one contestant in one repetition: long beside the clock's resolution, short beside a neighbour's burst of load
    """


@dataclass(frozen=True, slots=True)
class Pair:
    """One operation of ours and the bare library's share of it."""

    name: str
    ours: Callable[[], object]
    bare: Callable[[], object]


def bodies() -> dict[str, Message]:
    """The messages that most of a round's bytes and most of its signatures are."""
    author, query = KEYPAIR.public, digest("q")
    content = AnswerContent(text="x" * ANSWER_BYTES, finish=FinishReason.STOP, prompt_tokens=200, answer_tokens=400)
    answers = [
        seal(
            KEYPAIR, NETWORK, Answer(author=author, query=query, on=digest("k"), content=content, salt=bytes([n]) * 32)
        )
        for n in range(RIDERS)
    ]
    judgements = tuple(BallotEntry(first=n, second=n + 1, preference=40_000 + n) for n in range(3))
    answer = answers[0].body
    slate = CloseSlate(
        author=author,
        query=query,
        prev=digest("k"),
        answers=tuple(sorted(message.id for message in answers)),
        evidence=(),
        ride_along=tuple(message.envelope for message in answers),
    )
    ballot = Ballot(author=author, query=query, on=digest("s"), wave=0, judgements=judgements)
    return {"Ballot, 3 pairs": ballot, "Answer, 1.5 KB": answer, f"CloseSlate, {RIDERS} riders": slate}


def pairs(body: Message) -> tuple[list[Pair], int]:
    """The four operations on one message, and its envelope's bytes. Each is shown to work before it is timed."""
    sealed = seal(KEYPAIR, NETWORK, body)
    raw = codec.encode(body)
    plain = msgpack.unpackb(raw, use_list=False)
    preimage = message_preimage(NETWORK, body.KIND, raw)
    signing, verifying = SigningKey(SEED), VerifyKey(KEYPAIR.public)
    signature = signing.sign(preimage).signature
    assert isinstance(open_envelope(sealed.envelope, NETWORK), VerifiedMessage)
    assert codec.decode(type(body), raw) == body
    assert msgpack.packb(plain) == raw
    return [
        Pair("sign", lambda: seal(KEYPAIR, NETWORK, body), lambda: signing.sign(preimage)),
        Pair("verify", lambda: open_envelope(sealed.envelope, NETWORK), lambda: verifying.verify(preimage, signature)),
        Pair("encode", lambda: codec.encode(body), lambda: msgpack.packb(plain)),
        Pair("decode", lambda: codec.decode(type(body), raw), lambda: msgpack.unpackb(raw, use_list=False)),
    ], len(sealed.envelope)


def seconds_per_call(contestants: list[Callable[[], object]], settings: Settings) -> list[float]:
    """Median over the repetitions, in the order given."""
    calls = [_calls(run, settings.batch_ms / 1000) for run in contestants]
    times: list[list[float]] = [[] for _ in contestants]
    for _ in range(settings.repetitions):
        for index, run in enumerate(contestants):
            start = time.perf_counter()
            for _ in range(calls[index]):
                run()
            times[index].append((time.perf_counter() - start) / calls[index])
    return [statistics.median(each) for each in times]


def _calls(run: Callable[[], object], batch_s: float) -> int:
    """How many calls fill a batch; the first call, which may fill caches, is not counted."""
    run()
    start = time.perf_counter()
    run()
    return max(1, int(batch_s / (time.perf_counter() - start)))


def measure(settings: Settings) -> Iterator[Figure]:
    """Print the table: calls per second, and how many bare calls one of ours costs."""
    print(f"{'message':24}{'bytes':>7}  {'operation':10}{'ours/s':>12}{'bare/s':>12}{'bare/ours':>11}")
    for name, body in bodies().items():
        operations, size = pairs(body)
        for pair in operations:
            with forgetting():
                ours, bare = seconds_per_call([pair.ours, pair.bare], settings)
            print(f"{name:24}{size:7}  {pair.name:10}{1 / ours:12,.0f}{1 / bare:12,.0f}{ours / bare:10.1f}x")
            library = "pynacl" if pair.name in ("sign", "verify") else "msgpack"
            yield Figure(
                name=f"{pair.name}: {name}, {size} bytes",
                value=1 / ours,
                unit="/s",
                anchor=f"{library} alone {1 / bare:,.0f}/s, {ours / bare:.1f} of ours",
            )


BENCH = Bench("wire", measure, Settings(), Settings(repetitions=1, batch_ms=0.1))

if __name__ == "__main__":
    BENCH.main()
