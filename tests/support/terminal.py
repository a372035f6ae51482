"""A user at a terminal: a command on a pseudo-terminal, what it shows, and what is typed after a question."""

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import PATIENCE_S


class Terminal:
    """One command at a terminal."""

    def __init__(self, process: subprocess.Popen[bytes], ours: int) -> None:
        self.process = process
        self._ours = ours
        self.shown = ""
        self._read = 0

    def expect(self, words: str) -> str:
        """Wait until `words` are shown, after what was expected before; return what came up to them."""
        until_s = time.monotonic() + PATIENCE_S
        while (at := self.shown.find(words, self._read)) < 0:
            left_s = until_s - time.monotonic()
            assert left_s > 0, f"{words!r} never came: {self.shown!r}"
            assert self._more(left_s), f"the command ended before {words!r}: {self.shown!r}"
        came, self._read = self.shown[self._read : at + len(words)], at + len(words)
        return came

    def type(self, answer: str) -> None:
        """Type a line."""
        os.write(self._ours, f"{answer}\n".encode())

    def answer(self, question: str, answer: str) -> str:
        """Wait for a question, and answer it."""
        came = self.expect(question)
        # All of the prompt is there when its end is: the terminal may otherwise show the answer before it.
        self.expect(": ")
        self.type(answer)
        return came

    def end(self) -> int:
        """Read to the end; return the exit code."""
        while self._more(PATIENCE_S):
            pass
        return self.process.wait(PATIENCE_S)

    def interrupt(self) -> None:
        """Press Ctrl-C, as far as the command sees it."""
        self.process.send_signal(signal.SIGINT)

    def _more(self, patience_s: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], patience_s)
        if not ready:
            return False
        try:
            chunk = os.read(self._ours, 65_536)
        except OSError:
            return False  # so ends a terminal whose program has ended
        self.shown += chunk.decode(errors="replace").replace("\r\n", "\n")
        return bool(chunk)


@contextmanager
def at_a_terminal(command: Sequence[str | Path], environment: Mapping[str, str], folder: Path) -> Iterator[Terminal]:
    """Run a command on a terminal of its own: stdin, stdout and stderr."""
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={**environment, "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "200"},
        ) as process:
            os.close(theirs)
            try:
                yield Terminal(process, ours)
            finally:
                process.kill()
    finally:
        os.close(ours)
