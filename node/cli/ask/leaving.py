"""What an asker is told who leaves before the round's end: the node goes on with it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import trio
from rich.console import Console

from node.api.events import RoundEvent
from node.api.following import RoundLog
from node.cli.parts.certificates import FILE_DIGITS
from node.cli.parts.options import outside
from node.client import TimedOutError

_LEAVING: Final = (KeyboardInterrupt, trio.Cancelled)


@contextmanager
def told_if_left(console: Console) -> Iterator[Callable[[RoundEvent], None]]:
    """Yield what takes the round's events; who is interrupted or waits no longer is told how to get the answer.

    Nothing is told before the round has begun, and nothing after its end. Raises TimedOutError with the same words.
    """
    log = RoundLog()
    try:
        yield log.note
    except TimedOutError as error:
        if not _goes_on(log):
            raise
        raise TimedOutError(f"{error}; {_where(log)}") from error
    except (*_LEAVING, BaseExceptionGroup) as error:
        # A nursery that is interrupted wraps it.
        left = not isinstance(error, BaseExceptionGroup) or error.subgroup(_LEAVING) is not None
        if left and _goes_on(log):
            console.print(outside(_where(log)), soft_wrap=True, highlight=False)
        raise


def _goes_on(log: RoundLog) -> bool:
    return bool(log.query_id) and log.ended is None


def _where(log: RoundLog) -> str:
    digits = log.query_id[:FILE_DIGITS]
    return f"round {digits} goes on: `strand show {digits}` shows it once it is decided"
