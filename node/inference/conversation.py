"""A query's conversation as a model is shown it: as the messages of a chat."""

from collections.abc import Callable, Iterable
from typing import Final

from protocol.messages import Turn
from protocol.types import TurnRole

BETWEEN: Final = "\n\n"
"""Stands between texts that share a message: a paragraph's end."""

CONTEXT: Final = "Context that the asker gives for the conversation:"
"""Heads a system turn of the asker, which is no instruction of the node that answers."""

BEFORE: Final = "The conversation began with these words of the assistant:"
"""Heads an assistant's turn that no user's turn precedes."""


def as_messages(turns: Iterable[Turn], shown: Callable[[str], str]) -> list[dict[str, str]]:
    """Return a conversation as messages of a chat, user and assistant in turns, the user's first and last.

    Templates of many models (Llama 2, Mistral, Gemma) refuse anything else. So neighbours of one role share a message.
    What the asker says as the system is data: it becomes the head of the next message of the user, as does what the
    assistant says before any user. `shown`: the form in which a message shows a text.
    """
    messages: list[dict[str, str]] = []
    heads: list[str] = []
    for turn in turns:
        text = shown(turn.text)
        if turn.role is TurnRole.SYSTEM:
            heads.append(f"{CONTEXT}\n{text}")
            continue
        if turn.role is TurnRole.ASSISTANT and not messages:
            heads.append(f"{BEFORE}\n{text}")
            continue
        if turn.role is TurnRole.USER:
            text, heads = BETWEEN.join((*heads, text)), []
        if messages and messages[-1]["role"] == turn.role:
            messages[-1]["content"] += f"{BETWEEN}{text}"
        else:
            messages.append({"role": str(turn.role), "content": text})
    return messages
