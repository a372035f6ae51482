"""How a model is shown a query's conversation."""

from collections.abc import Sequence

from protocol.messages import Turn


def as_text(turns: Sequence[Turn]) -> str:
    """Return a conversation as one text: a single question as it is, else each turn after the name of its role."""
    if len(turns) == 1:
        return turns[0].text
    return "\n\n".join(f"{turn.role}: {turn.text}" for turn in turns)
