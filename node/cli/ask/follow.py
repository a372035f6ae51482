"""Live display of a round on a terminal, and its certificate in a file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBars

from consensus.certificates.counting import stage_words, wave_words
from consensus.certificates.reading import describe
from node.api.asking import Question
from node.api.conversation import Audience
from node.api.events import Asked, Progress, RoundEvent
from node.cli.ask.waiting import follow_patiently
from node.cli.parts.options import outside
from node.client import Client, FollowedRound
from node.files import write_whole

TakesEvent = Callable[[RoundEvent], None]

_PHASES = {
    "answering": "answering",
    "opening": "opening commitments",
    "testing": "testing",
    "judging": "judging",
    "cosigning": "co-signing",
}


MEMBER_DIGITS: Final = 6
"""Digits of a key on a line; they tell the members of one round apart."""


def report(followed: FollowedRound, certificate: Path | None) -> dict[str, Any]:
    """Return the report that `ask --json` and `demo --json` print. `certificate`: its file; None: not written."""
    file = None if certificate is None else str(certificate)
    return {**describe(followed.verified), "certificate": file, "timings_ms": followed.timings_ms}


@dataclass(slots=True)
class PlainLines:
    """Display of a round in a file or pipe, which cannot be redrawn: a line at a phase's start, and one at its end."""

    console: Console
    begun: Progress | None = None
    """Last event of the current phase or wave of judging."""
    began_ms: int = 0

    def show(self, event: RoundEvent) -> None:
        """Print the news of an event."""
        # A wave without pairs expects no members.
        progress = event if isinstance(event, Progress) and event.phase in _PHASES and event.expected else None
        if self.begun is not None and (progress is None or _place(progress) != _place(self.begun)):
            took_s = (event.at_ms - self.began_ms) / 1000
            self._print(self.begun, f" after {took_s:.1f} s: {_who(self.begun) or 'nobody'}")
            self.begun = None
        if progress is not None:
            if self.begun is None:
                self.began_ms = progress.at_ms
                self._print(progress, "")
            self.begun = progress

    def _print(self, event: Progress, more: str) -> None:
        counts = f"{len(event.received)} of {len(event.expected)}"
        self.console.print(outside(f"{_name(event)}: {counts}{more}"), soft_wrap=True, highlight=False)


def _place(event: Progress) -> tuple[str, int]:
    return event.phase, event.wave


def _name(event: Progress) -> str:
    return _PHASES[event.phase] + _repetition(event)


def _repetition(event: Progress) -> str:
    """Return which wave or stage it is; the first stage of testing is mostly the only one."""
    if event.phase == "judging":
        return f", {wave_words(event.wave)}"
    return f", {stage_words(event.wave)}" if event.phase == "testing" and event.wave else ""


@dataclass(slots=True)
class _View:
    """The live display: one line per phase or wave of judging, with the members whose contributions have arrived."""

    bars: ProgressBars
    also: TakesEvent | None
    tasks: dict[tuple[str, int], TaskID] = field(default_factory=dict)
    """By phase and wave: a wave that the decision cut short hides none before it."""

    def show(self, event: RoundEvent) -> None:
        """Redraw the display after an event."""
        if self.also is not None:
            self.also(event)
        say_readers(event, self.bars.console)
        # A wave without pairs expects no members.
        if not isinstance(event, Progress) or event.phase not in _PHASES or not event.expected:
            return
        place = _place(event)
        if place not in self.tasks:
            self.tasks[place] = self.bars.add_task(_name(event), total=None, who="")
        received, expected = len(event.received), len(event.expected)
        self.bars.update(self.tasks[place], completed=received, total=expected, who=_who(event))


@contextmanager
def _drawn(console: Console) -> Iterator[ProgressBars]:
    """Yield the progress bars, shown on a terminal only."""
    columns = (TextColumn("{task.description:<20}"), BarColumn(20), TextColumn("{task.completed}/{task.total}"),
               TimeElapsedColumn(), TextColumn("{task.fields[who]}"))  # fmt: skip
    with ProgressBars(*columns, console=console, disable=not console.is_terminal) as bars:
        yield bars


async def follow(
    client: Client, question: Question, timeout_s: float, console: Console, also: TakesEvent | None = None
) -> FollowedRound:
    """Ask and show the round until its certificate is verified. Raises ClientError.

    The live picture is drawn on a terminal only; `also` takes each event anywhere.
    """
    with _drawn(console) as bars:
        show = _View(bars, also).show
        return await follow_patiently(client, question, bars.console, silence_s=timeout_s, on_event=show)


def say_readers(event: RoundEvent, console: Console) -> None:
    """Print at a round's begin which nodes get the text, if it is not published."""
    if isinstance(event, Asked) and event.audience in (Audience.TRUSTED, Audience.MEMBERS):
        readers = " ".join(key[:MEMBER_DIGITS] for key in event.members)
        console.print(outside(f"read by these nodes alone: {readers}"), soft_wrap=True, highlight=False)


def _who(event: Progress) -> str:
    """Return short keys of the members that contributed, and of those that will not, with reasons."""
    parts = [" ".join(key[:MEMBER_DIGITS] for key in event.received)]
    if event.silent:
        parts.append("silent: " + " ".join(key[:MEMBER_DIGITS] for key in event.silent))
    for kind, whys in (("refused", event.refused), ("declined", event.declined)):
        if whys:
            told = ", ".join(f"{key[:MEMBER_DIGITS]} {why.replace('_', ' ')}" for key, why in whys.items())
            parts.append(f"{kind}: {told}")
    return "; ".join(part for part in parts if part)


def save_certificate(certificate: bytes, path: Path) -> None:
    """Write a certificate so that it appears as a whole or not at all. Raises FileError."""
    write_whole(path, certificate)
