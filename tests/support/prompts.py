"""One prompt of a judge, as a test looks at it."""

from collections.abc import Collection, Container, Sequence

from node.inference import JudgePrompt
from node.work.judging import PromptLimits, ShownPair, pair_prompt, quote_task
from protocol.messages import Turn


def judge_prompt(
    turns: Sequence[Turn],
    first: str,
    second: str,
    *,
    nonce: bytes,
    limits: PromptLimits,
    cut: Container[str] = frozenset(),
    facts: tuple[str, str] = ("", ""),
    told: Collection[str] = frozenset(),
) -> JudgePrompt:
    """Return the prompt that shows `first` as A and `second` as B."""
    return pair_prompt(quote_task(turns, nonce, told), ShownPair((first, second), facts), limits, cut, told)
