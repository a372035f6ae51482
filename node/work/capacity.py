"""What our engine can take on: estimates from what was measured, and the limits that follow. The one place for them.

A node that cannot keep a phase's budget stays out of it, quietly: an answer that comes late costs the engine as much as
one that counts, and those who wait for it their patience.
"""

import math
from dataclasses import dataclass

PLANNED = 0.8
"""Share of a budget that an estimate may fill: models and neighbours are as often slower than measured as faster."""

BYTES_PER_TOKEN = 5
"""More than the tokenizers of our models give for code or English: what does not fit then does surely not fit."""

RESERVED_TOKENS = 64
"""Our system message and the server's chat template, without which no query is asked."""

RESERVE_SHARE = 0.1
RESERVE_S_MAX = 2.0
"""Of a ballot's budget, for signing it and for its way to the requester, whose own budget ends some delays before ours:
a tenth, and never more seconds than a slow hop and an unacknowledged stream take."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the engine works, and what it has to do."""

    context_tokens: int
    tokens_per_second: float
    """0: the server tells no tokens, and writing is taken for free."""
    prompt_byte_s: float | None
    """Seconds that a byte of a prompt takes, as last seen; None: no prompt was timed yet, and is taken for free."""
    concurrency: int
    backlog_s: float
    """Seconds of work in hand, for one request at a time."""

    def answer_s(self, query_bytes: int, max_tokens: int) -> float:
        """Seconds to read a query and write an answer of the full length, without the wait for other work."""
        return self._reading_s(query_bytes) + self._writing_s(max_tokens)

    def ballot_s(self, pairs: int, prompt_bytes: int, reasoning_tokens: int = 0) -> float:
        """Seconds to ask for both orders of each pair, one after the other, without the wait for other work.

        Each with reasoning of the full length: how much less a judge writes is not known.
        """
        return 2 * pairs * (self._reading_s(prompt_bytes) + self._writing_s(reasoning_tokens))

    def _reading_s(self, prompt_bytes: int) -> float:
        return prompt_bytes * (self.prompt_byte_s or 0.0)

    def _writing_s(self, tokens: int) -> float:
        return tokens / self.tokens_per_second if self.tokens_per_second else 0.0

    @property
    def wait_s(self) -> float:
        """Seconds until what is in hand makes room."""
        return self.backlog_s / self.concurrency


def answer_refusal(pace: Pace, query_bytes: int, max_tokens: int, budget_s: float) -> str | None:
    """Why we do not answer; None: we do."""
    tokens = query_bytes // BYTES_PER_TOKEN + RESERVED_TOKENS + max_tokens
    if tokens > pace.context_tokens:
        return f"query and answer take some {tokens} tokens, more than the context of {pace.context_tokens}"
    needed_s = pace.wait_s + pace.answer_s(query_bytes, max_tokens)
    return _over("the answer", needed_s, budget_s)


def ballot_refusal(pace: Pace, pairs: int, prompt_bytes: int, budget_s: float, reasoning_tokens: int = 0) -> str | None:
    """Why we do not judge; None: we do. Half of a ballot counts, so there must be time for half."""
    half_s = pace.ballot_s(math.ceil(pairs / 2), prompt_bytes, reasoning_tokens)
    needed_s = pace.wait_s + half_s / min(pace.concurrency, 2 * pairs)
    return _over("half of the ballot", needed_s, budget_s)


def reserve_s(budget_s: float) -> float:
    """Seconds before a ballot's deadline at which what is judged by then is sent."""
    return min(RESERVE_S_MAX, RESERVE_SHARE * budget_s)


def _over(what: str, needed_s: float, budget_s: float) -> str | None:
    if needed_s <= PLANNED * budget_s:
        return None
    return f"{what} would take some {needed_s:.1f} s of a budget of {max(budget_s, 0.0):.1f} s"
