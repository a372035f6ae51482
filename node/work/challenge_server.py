"""Serves challenges of other nodes (rule R20): work as for a round, in tight limits.

A challenge is answered with the engine and the prompts of a round, on the account of the challenger, and costs it a
round of its quota. So no node gets more of this engine by challenges than by rounds.
"""

import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from consensus.rounds.admission import KEYS_MAX, Refusal
from consensus.rounds.buckets import Bucket, Buckets, Rate
from consensus.rounds.effects import Generate, Judge
from consensus.rounds.events import Generated, Judged, Unable
from node.clock import Clock
from node.overlay.types import Refused
from node.work.serving import Serving
from node.work.worker import EngineWorker
from protocol import codec
from protocol.errors import Fault
from protocol.limits import CHALLENGE_ANSWERS, CHALLENGE_BYTES_MAX
from protocol.streams import Challenge, ChallengeReply
from protocol.types import ABSTAIN, DeclineReason, Digest, Key, Role, TurnRole

PLACES: Final = 2
"""Challenges at a time, of all peers together; of one peer one. The engine is there for rounds."""

BUDGET_MS_MAX: Final = 120_000
"""Milliseconds of one challenge, whatever it states: a small model's whole answer. The stream is kept a little longer
(`OverlayConfig.slow_serve_timeout_ms`)."""

PEER_RATE: Final = Rate(1 / 30, 4)
"""Challenges of one stranger: two a minute, four at once. Forty in all decide about a newcomer."""

KNOWN_RATE: Final = Rate(1 / 5, 20)
"""Challenges of one peer that the owner knows: a whole record within minutes, should it want one."""

STRANGERS_RATE: Final = Rate(1 / 6, 16)
"""Challenges of all strangers together, because keys are free: ten a minute, enough for fifty that each want eight an
hour. What they take of the engine is bounded by `[serve]`."""

TOO_FAST: Final = "too_fast"

log = structlog.get_logger()


class ChallengeServer:
    """Serves `/strand/challenge`. A challenge never waits: what does not fit now is refused with a word."""

    def __init__(self, worker: EngineWorker, serving: Serving, clock: Clock) -> None:
        self._worker = worker
        self._serving = serving
        self._clock = clock
        self._known = Buckets[Key](KNOWN_RATE, KEYS_MAX)
        self._peers = Buckets[Key](PEER_RATE, KEYS_MAX)
        self._strangers = Bucket(STRANGERS_RATE)
        self._places: Counter[Key] = Counter()
        self.done = 0
        """Challenges that had a reply since the node's start."""
        self.refused = 0
        """Challenges that were refused since the node's start."""

    async def serve(self, peer: Key, payload: bytes) -> bytes | Refused:
        """Do what a challenge asks, or refuse it with a word. Cancelling stops the engine's work."""
        now_ms = self._clock.now_ms()
        if not self._admits(peer, now_ms / 1000):
            return self._refuse(peer, TOO_FAST)
        challenge = codec.decode(Challenge, payload, bytes_max=CHALLENGE_BYTES_MAX)
        if isinstance(challenge, Fault) or not _is_sound(challenge):
            return Refused("malformed challenge")
        if not self._serving.knows(peer) and not self._strangers.take(1, now_ms / 1000):
            return self._refuse(peer, TOO_FAST)
        if (refusal := self._refusal(peer, challenge, now_ms)) is not None:
            return self._refuse(peer, refusal)
        with self._place(peer):
            reply = await self._work(peer, challenge, now_ms)
        if isinstance(reply, str):
            return self._refuse(peer, reply)
        self.done += 1
        return codec.encode(reply)

    def _admits(self, peer: Key, now_s: float) -> bool:
        """Let the peer pay for one challenge before it is read.

        What all strangers have together is paid only for sound ones: else free keys with garbage would use it up.
        """
        return (self._known if self._serving.knows(peer) else self._peers).take(peer, 1, now_s)

    def _refusal(self, peer: Key, challenge: Challenge, now_ms: int) -> str | None:
        """Return why the node does not begin; None if it does."""
        if (refusal := self._serving.challenge_refusal(peer, challenge, now_ms)) is not None:
            return refusal
        if not self._worker.roles & (Role.JUDGE if challenge.answers else Role.ANSWER):
            return DeclineReason.ENGINE
        return Refusal.BUSY if self._places[peer] or self._places.total() >= PLACES else None

    @contextmanager
    def _place(self, peer: Key) -> Iterator[None]:
        self._places[peer] += 1
        try:
            yield
        finally:
            del self._places[peer]

    async def _work(self, peer: Key, challenge: Challenge, now_ms: int) -> ChallengeReply | str:
        """Let the engine work, on the challenger's account. Returns the word of a refusal if it gave nothing."""
        id = Digest(secrets.token_bytes(32))
        budget_ms = min(challenge.budget_ms, BUDGET_MS_MAX, self._serving.phase_ms_max(id, peer))
        with self._serving.challenged(id, peer, now_ms):
            done = await self._worker.perform(_work_of(challenge, id, now_ms + budget_ms))
        match done:
            case Generated(content, _):
                return ChallengeReply(refusal="", text=content.text, preference=ABSTAIN)
            case Judged(_, (preference,)):
                return ChallengeReply(refusal="", text="", preference=preference)
            case Unable(_, _, reason):
                return reason
            case _:
                return DeclineReason.CAPACITY

    def _refuse(self, peer: Key, reason: str) -> bytes:
        self.refused += 1
        log.info("challenge.refused", peer=peer.hex()[:16], reason=str(reason))
        return codec.encode(ChallengeReply(refusal=str(reason), text="", preference=ABSTAIN))


def _is_sound(challenge: Challenge) -> bool:
    """Whether it asks for an answer or a comparison, and its last turn asks (P7)."""
    return len(challenge.answers) in (0, CHALLENGE_ANSWERS) and challenge.turns[-1].role is TurnRole.USER


def _work_of(challenge: Challenge, id: Digest, deadline_ms: int) -> Generate | Judge:
    """Return the work that a round with this question would ask for."""
    if not challenge.answers:
        return Generate(id, challenge.turns, challenge.task, challenge.max_tokens, deadline_ms)
    first, second = challenge.answers
    return Judge(id, 0, challenge.turns, ((first, second),), deadline_ms)
