"""The capacity of our engine: estimates from measurements, and the limits that follow. The only place for them.

A node that cannot keep a phase's budget declines it: a late answer costs the engine as much as one that counts, and the
other members their patience.
"""

import math
from dataclasses import dataclass

PLANNED = 0.8
"""Share of a budget that an estimate may fill: models and neighbours are slower than measured as often as faster."""

BYTES_PER_TOKEN = 5
"""Bytes per token, more than the tokenizers of our models have for code or English: a text over it certainly does not
fit."""

RESERVED_TOKENS = 64
"""Tokens of our system message and the server's chat template, which every query needs."""

TURN_TOKENS = 8
"""Tokens that a server's chat template puts around each further message."""

RESERVE_SHARE = 0.1
RESERVE_S_MAX = 2.0
"""Part of a ballot's budget for signing and sending it to the requester, whose own budget ends some delays before ours:
a tenth, and at most the seconds of a slow hop and an unacknowledged stream."""


@dataclass(frozen=True, slots=True)
class QuerySize:
    """Size of a query."""

    bytes: int
    """Bytes of all its texts."""
    turns: int = 1

    @property
    def tokens_min(self) -> int:
        """Tokens that it takes at least, with our system message and the server's chat template."""
        return self.bytes // BYTES_PER_TOKEN + self._around

    @property
    def tokens_max(self) -> int:
        """Tokens that it takes at most: no tokenizer makes more tokens than bytes."""
        return self.bytes + self._around

    @property
    def _around(self) -> int:
        return RESERVED_TOKENS + TURN_TOKENS * (self.turns - 1)


@dataclass(frozen=True, slots=True)
class Pace:
    """Speed of the engine, and its work in hand."""

    context_tokens: int
    tokens_per_second: float
    """0: the server reports no tokens, and writing counts as free."""
    prompt_byte_s: float | None
    """Seconds per byte of prompt, moving average; None: no prompt was timed yet, and reading counts as free."""
    concurrency: int
    backlog_s: float
    """Seconds of work in hand, for one request at a time."""

    def answer_s(self, query_bytes: int, max_tokens: int) -> float:
        """Seconds to read a query and write an answer of the full length, without the wait for other work."""
        return self._reading_s(query_bytes) + self._writing_s(max_tokens)

    def ballot_s(self, pairs: int, prompt_bytes: int, reasoning_tokens: int = 0) -> float:
        """Seconds to ask for both orders of each pair, one after the other, without the wait for other work.

        Each with reasoning of the full length, because a judge's actual length is unknown.
        """
        return 2 * pairs * (self._reading_s(prompt_bytes) + self._writing_s(reasoning_tokens))

    def _reading_s(self, prompt_bytes: int) -> float:
        return prompt_bytes * (self.prompt_byte_s or 0.0)

    def _writing_s(self, tokens: int) -> float:
        return tokens / self.tokens_per_second if self.tokens_per_second else 0.0

    @property
    def wait_s(self) -> float:
        """Seconds until the work in hand makes room."""
        return self.backlog_s / self.concurrency


def answer_refusal(pace: Pace, query: QuerySize, max_tokens: int, budget_s: float) -> str | None:
    """Return why we do not answer; None if we do."""
    tokens = query.tokens_min + max_tokens
    if tokens > pace.context_tokens:
        return f"query and answer take some {tokens} tokens, more than the context of {pace.context_tokens}"
    needed_s = pace.wait_s + pace.answer_s(query.bytes, max_tokens)
    return _over("the answer", needed_s, budget_s)


def ballot_refusal(pace: Pace, pairs: int, prompt_bytes: int, budget_s: float, reasoning_tokens: int = 0) -> str | None:
    """Return why we do not judge; None if we do. Half of a ballot counts, so half must fit."""
    half_s = pace.ballot_s(math.ceil(pairs / 2), prompt_bytes, reasoning_tokens)
    needed_s = pace.wait_s + half_s / min(pace.concurrency, 2 * pairs)
    return _over("half of the ballot", needed_s, budget_s)


def reserve_s(budget_s: float) -> float:
    """Return the seconds before a ballot's deadline at which the finished judgements are sent."""
    return min(RESERVE_S_MAX, RESERVE_SHARE * budget_s)


def _over(what: str, needed_s: float, budget_s: float) -> str | None:
    if needed_s <= PLANNED * budget_s:
        return None
    return f"{what} would take some {needed_s:.1f} s of a budget of {max(budget_s, 0.0):.1f} s"
