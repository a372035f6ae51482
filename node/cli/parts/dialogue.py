"""Questions at a terminal: one line each, asked on stderr, so that stdout is for the result."""

import os
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TextIO, cast

import trio
from rich.console import Console
from rich.prompt import Confirm, IntPrompt, InvalidResponse, Prompt, PromptBase
from rich.text import Text

from node.cli.parts.errors import CliError
from node.cli.parts.options import outside

LINE_BYTES_MAX: Final = 64 * 1024
"""Longest answer in bytes: some hundred keys. A terminal itself gives 4,096."""

Check = Callable[[str], str | None]
"""Returns why an answer cannot be used; None if it can."""


def is_terminal() -> bool:
    """Whether somebody can be asked: both stdin and stderr are a terminal."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


class Dialogue:
    """Asks at a terminal. Every question can be cancelled: whoever leaves, or a signal, ends the command at once."""

    def __init__(self, console: Console, lines: TextIO | None = None) -> None:
        """Ask on `console`. `lines`: where the answers come from; None: stdin."""
        self.console = console
        self._lines = cast(TextIO, _Lines()) if lines is None else lines

    async def text(self, question: str, default: str = "", check: Check = lambda _: None) -> str:
        """Ask for a text until `check` has nothing against it."""
        prompt = _Checked(Text(question), console=self.console, show_default=bool(default))
        prompt.check = check
        return str(await self._ask(prompt, default))

    async def secret(self, question: str) -> str:
        """Ask for a text that is not shown."""
        with _without_echo():
            told = await self._ask(Prompt(Text(question), console=self.console, show_default=False), "")
        self.console.print()
        return str(told)

    async def confirm(self, question: str, default: bool) -> bool:
        """Ask for yes or no."""
        return bool(await self._ask(Confirm(Text(question), console=self.console), default))

    async def choose(self, question: str, options: Sequence[str], default: int = 0) -> int:
        """Ask for one of some options by its number, from 1; return its index."""
        for number, option in enumerate(options, 1):
            self.console.print(Text(f"  {number}  ").append_text(outside(option)), soft_wrap=True)
        numbers = [str(number) for number in range(1, len(options) + 1)]
        prompt = IntPrompt(Text(question), console=self.console, choices=numbers, show_choices=False)
        return int(str(await self._ask(prompt, default + 1))) - 1

    async def _ask(self, prompt: PromptBase[Any], default: object) -> object:
        # In a thread, and left there if the command ends: a read from a terminal cannot be interrupted.
        try:
            return await trio.to_thread.run_sync(
                lambda: prompt(default=default, stream=self._lines),
                abandon_on_cancel=True,  # type: ignore[call-arg]  # libp2p brings stubs of an older trio
            )
        except EOFError as error:
            raise CliError("nothing was written: the answers ended before the last question") from error


class _Checked(Prompt):
    check: Check

    def process_response(self, value: str) -> str:
        told = super().process_response(value)
        if (why := self.check(told)) is not None:
            raise InvalidResponse(outside(why))
        return told


class _Lines:
    """The lines of stdin, past its buffer: a thread that hangs in that one would hold its lock at the end."""

    def readline(self) -> str:
        """Return a line. Raises EOFError at the end."""
        if not (raw := os.read(sys.stdin.fileno(), LINE_BYTES_MAX)):
            raise EOFError
        # Without the end of line, by which the prompts would not know an empty answer.
        return raw.decode(errors="replace").rstrip("\r\n")


@contextmanager
def _without_echo() -> Iterator[None]:
    """Keep a terminal from showing what is typed; anything else is left as it is."""
    try:
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, termios.error):
        yield
        return
    silent = [*before]
    silent[3] &= ~termios.ECHO
    try:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, silent)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
