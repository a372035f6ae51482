"""The conversation that `strand ask --continue` goes on with."""

from collections.abc import Sequence

from node.api.conversation import Turn
from node.api.rounds import RoundDetail
from node.cli.parts.certificates import FILE_DIGITS, ID_DIGITS, is_id
from node.cli.parts.errors import CliError, Exit
from node.cli.rounds import listed, whole_id
from node.client import Client
from protocol.types import TurnRole


def named_round(values: Sequence[str], query: str | None) -> tuple[str | None, str | None]:
    """Return the id of the round to continue, None for the last one, and the question.

    An option whose value may be left out takes the words after it, up to two: an id, the question, or both in this
    order. Raises CliError.
    """
    named = values[0] if values and is_id(values[0]) else None
    rest = values if named is None else values[1:]
    if len(rest) > 1 or (rest and query is not None):
        digits = f"{FILE_DIGITS} to {ID_DIGITS} digits"
        raise CliError(f"--continue takes {digits} of a query's id, not {values[0]!r}", Exit.USAGE)
    return named, rest[0] if rest else query


async def earlier_round(client: Client, named: str | None) -> RoundDetail:
    """Return the round to continue: that of an id or of its first digits, else the last one. Raises CliError."""
    if named is None:
        last, _ = await listed(client, 1, gold=0)
        if not last:
            raise CliError("there is no round to continue: `strand ask` begins one")
        named = last[0].query_id
    elif len(named) < ID_DIGITS:
        named = await whole_id(client, named)
    detail = await client.round(named)
    if not detail.conversation:
        raise CliError(f"this node does not have the text of round {named[:FILE_DIGITS]}, so it cannot continue it")
    if not detail.answer:
        raise CliError(f"round {named[:FILE_DIGITS]} has no answer to continue from: name another one, or ask anew")
    return detail


def turns_of(detail: RoundDetail) -> tuple[Turn, ...]:
    """Return the conversation of a round with its answer as the last turn."""
    return (*detail.conversation, Turn(TurnRole.ASSISTANT, detail.answer))
