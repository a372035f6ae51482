"""The live picture of a round for `strand ask --watch`: phases, answers, pairs, and the strengths after each wave."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from consensus.certificates.counting import stage_words, wave_words
from node.api.events import (
    PLAIN_KEYS,
    AnswerFound,
    AnswerOpened,
    Asked,
    BallotCounted,
    Certified,
    Decided,
    Ended,
    FindingsSettled,
    Progress,
    ReportCounted,
    RoundEvent,
    Strengths,
)
from node.api.findings import AnswerFindings
from node.api.following import PHASES
from node.cli.ask.follow import MEMBER_DIGITS, PlainLines, say_readers
from node.cli.parts.certificates import FILE_DIGITS
from node.cli.parts.options import outside
from node.cli.parts.pairs import PairCount, matrix
from node.findings.words import cell

ANSWERS_SHOWN_MAX: Final = 8
"""Answers in the picture, the strongest ones: as many as a matrix of 80 columns has room for."""

FRAMES_PER_S: Final = 4
"""Pictures drawn per second; events may come faster."""

_BAR: Final = 12
"""Columns of the bar of a certain answer: as many as 80 columns leave beside three waves."""

_FULL: Final = "\N{FULL BLOCK}"


@dataclass(slots=True)
class RoundPicture:
    """State of a round, from its events with details."""

    clock: Callable[[], float] = time.monotonic
    """Seconds of the asker's clock, which goes on between events."""
    query_id: str = ""
    at_ms: int = 0
    """Time when the latest event came, ms after the query."""
    noted_s: float = 0.0
    """The same by `clock`."""
    phases: dict[str, Progress] = field(default_factory=dict)
    """Last progress of each phase."""
    answers: dict[int, AnswerOpened] = field(default_factory=dict)
    """Answers by position on the slate."""
    found: dict[int, AnswerFindings] = field(default_factory=dict)
    """What is settled about answers, by position on the slate."""
    strengths: list[Strengths] = field(default_factory=list)
    """The ranking after each wave."""
    ballots: int = 0
    compared: dict[tuple[int, int], tuple[int, float, int]] = field(default_factory=dict)
    """By pair of positions, the lower first: comparisons, sum of preferences for the first, abstentions."""
    decided: Decided | None = None
    certified: bool = False
    ended: bool = False
    """Whether the time stands still: there is nothing more to wait for."""

    def note(self, event: RoundEvent) -> None:
        """Take in one event."""
        self.at_ms, self.noted_s = max(self._now_ms(), event.at_ms), self.clock()
        match event:
            case Asked():
                self.query_id = event.query_id
            case Progress() if event.phase in PHASES:
                self.phases[event.phase] = event
            case AnswerOpened():
                self.answers[event.number] = event
            case FindingsSettled():
                self.found = {each.number: each.findings for each in event.answers}
            case BallotCounted():
                self.ballots += 1
                for pair in event.pairs:
                    self._compare(pair.first, pair.second, pair.preference)
            case Strengths():
                self.strengths.append(event)
            case Decided():
                self.decided = event
            case Certified():
                self.certified = self.ended = True
            case Ended(role="requester"):
                self.ended = True

    def _now_ms(self) -> int:
        """Return the time, ms after the query: it stands still before the round's begin and after its certificate."""
        if not self.query_id or self.ended:
            return self.at_ms
        return self.at_ms + round(1000 * (self.clock() - self.noted_s))

    def _compare(self, first: int, second: int, preference: float | None) -> None:
        place = min(first, second), max(first, second)
        count, total, abstentions = self.compared.get(place, (0, 0.0, 0))
        if preference is None:
            self.compared[place] = (count, total, abstentions + 1)
        else:
            self.compared[place] = (count + 1, total + (preference if first < second else 1 - preference), abstentions)

    @property
    def order(self) -> list[int]:
        """Return positions of answers, strongest first; before the first wave in the order of the slate."""
        if self.strengths:
            return [each.number for each in self.strengths[-1].ranking]
        return sorted(self.answers)

    def pairs(self, order: list[int]) -> list[PairCount]:
        """Return the comparisons among answers of `order`, by their places in it."""
        place = {number: index for index, number in enumerate(order)}
        return [
            PairCount(place[low], place[high], count, total / count if count else 0.5, abstentions)
            for (low, high), (count, total, abstentions) in sorted(self.compared.items())
            if low in place and high in place
        ]

    def drawn(self) -> RenderableType:
        """Return the picture; no line is longer than 80 columns."""
        heading = Text(f"round {self.query_id[:FILE_DIGITS]}  {self._now_ms() / 1000:.1f} s")
        parts: list[RenderableType] = [heading, *self._phases()]
        order = self.order[:ANSWERS_SHOWN_MAX]
        if order:
            parts += [Text(""), self._answers(order)]
            if (more := len(self.answers) - len(order)) > 0:
                parts.append(Text(f"and {more} more answers"))
        if self.compared:
            abstentions = sum(each[2] for each in self.compared.values())
            told = f"preference for the row's answer / comparisons; {self.ballots} ballots, {abstentions} abstentions"
            names = [str(place) for place in range(1, len(order) + 1)]
            parts += [Text(""), Text(told), *matrix(names, self.pairs(order))]
        if self.decided is not None:
            certified = "; certified" if self.certified else ", waiting for co-signatures"
            parts += [Text(""), Text(f"{self.decided.outcome}, P(best) {self.decided.p_best:.2f}{certified}")]
        return Group(*parts)

    def _phases(self) -> Iterator[Text]:
        for phase in PHASES:
            if (event := self.phases.get(phase)) is None:
                continue
            name = f"judging, {wave_words(event.wave)}" if phase == "judging" else phase
            line = f"{name:<18}{len(event.received):>3} of {len(event.expected):<3}"
            for kind, keys in (("silent", event.silent), ("refused", event.refused), ("declined", event.declined)):
                if keys:
                    line += f"  {len(keys)} {kind}"
            yield Text(line)

    def _answers(self, order: list[int]) -> Table:
        """Return the answers with a column of P(best) for each wave, the last ones where there are many."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        waves = self.strengths[-3:]
        for name in ("place", "author", "tokens", "equal"):
            table.add_column(name, justify="left" if name == "author" else "right", no_wrap=True)
        for each in waves:
            table.add_column(f"P(best) {each.wave + 1}", justify="right", no_wrap=True)
        if self.found:
            table.add_column("found")
        table.add_column("strength", no_wrap=True)
        places = {self.answers[number].answer_id: f"#{place}" for place, number in enumerate(order, 1)}
        for place, number in enumerate(order, 1):
            answer = self.answers.get(number)
            shares = [next((x.p_best for x in wave.ranking if x.number == number), None) for wave in waves]
            latest = next((x for x in self.strengths[-1].ranking if x.number == number), None) if waves else None
            bar = "" if latest is None else f"{latest.strength:+.2f} {_FULL * round(latest.p_best * _BAR)}"
            equal = sum(each.cluster == answer.cluster for each in self.answers.values()) if answer else 0
            table.add_row(
                str(place),
                answer.author[:MEMBER_DIGITS] if answer else "",
                str(answer.answer_tokens) if answer else "",
                str(equal),
                *("" if share is None else f"{share:.2f}" for share in shares),
                *([cell(self.found.get(number), places)] if self.found else []),
                bar,
            )
        return table


@dataclass(slots=True)
class DetailLines:
    """The same in a file or pipe, which cannot be redrawn: lines for phases, answers, ballots and rankings."""

    phases: PlainLines
    names: dict[str, str] = field(default_factory=dict)
    """What answers are called, by id."""

    def show(self, event: RoundEvent) -> None:
        """Print the news of an event."""
        match event:
            case Asked():
                say_readers(event, self.phases.console)
            case AnswerOpened():
                self.names[event.answer_id] = str(event.number + 1)
                self._print(
                    f"answer {event.number + 1} by {event.author[:MEMBER_DIGITS]}: {event.answer_tokens} tokens"
                )
            case ReportCounted():
                told = self._findings(event.answers)
                self._print(f"report of {event.tester[:MEMBER_DIGITS]}, {stage_words(event.stage)}: {told}")
            case FindingsSettled():
                self._print(f"settled in {stage_words(event.stage)}: {self._findings(event.answers)}")
            case BallotCounted():
                pairs = ", ".join(
                    f"{x.first + 1}:{x.second + 1} {'abstains' if x.preference is None else f'{x.preference:.2f}'}"
                    for x in event.pairs
                )
                self._print(f"ballot of {event.judge[:MEMBER_DIGITS]}, {wave_words(event.wave)}: {pairs}")
            case Strengths():
                ranking = ", ".join(f"{x.number + 1} {x.strength:+.2f} P(best) {x.p_best:.2f}" for x in event.ranking)
                self._print(f"after {wave_words(event.wave)}: {ranking}")
            case Ended(role="member"):
                pass  # this node's own part as a member ends earlier than the round
            case _ if type(event) in PLAIN_KEYS:
                self.phases.show(event)

    def _findings(self, answers: tuple[AnswerFound, ...]) -> str:
        return ", ".join(f"{x.number + 1} {cell(x.findings, self.names) or 'nothing known'}" for x in answers)

    def _print(self, line: str) -> None:
        self.phases.console.print(outside(line), soft_wrap=True, highlight=False)


@contextmanager
def live_picture(console: Console) -> Iterator[RoundPicture]:
    """Yield a picture that is drawn again after each event; it stays on the terminal at the end, cursor and all."""
    picture = RoundPicture()
    with Live(
        get_renderable=picture.drawn,
        console=console,
        refresh_per_second=FRAMES_PER_S,
        vertical_overflow="visible",
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield picture
