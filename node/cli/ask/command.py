"""`strand ask`."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, validators

from node.api.events import Decided, RoundEvent
from node.cli.ask.continued import earlier_round, named_round
from node.cli.ask.follow import PlainLines, TakesEvent, follow, report, save_certificate, say_readers
from node.cli.ask.leaving import told_if_left
from node.cli.ask.question import QuestionOptions, compose
from node.cli.ask.waiting import follow_patiently
from node.cli.ask.watch import DetailLines, live_picture
from node.cli.parts.certificates import (
    FILE_DIGITS,
    certainty_of,
    kept_path,
    print_abstention,
    print_evidence,
    print_report,
)
from node.cli.parts.client import open_client
from node.cli.parts.errors import CliError, Exit
from node.cli.parts.findings import marks_of, read_testing, winner_fails, winner_unproven
from node.cli.parts.options import JsonFlag, Source, outside, print_json, stderr, stdout
from node.client import Client, FollowedRound, Question
from node.client.client import SILENCE_S
from node.files import FileError, require_writable
from node.findings.notes import tests_failed_by, why_nothing_tested
from node.hardening import keep_private
from protocol.types import OutcomeReason

_POSITIVE = validators.Number(gt=0)


async def ask(
    query: Annotated[
        str | None,
        Parameter(allow_leading_hyphen=True, help="The question; text on stdin follows it, - is stdin alone."),
    ] = None,
    *,
    file: Annotated[
        tuple[Path, ...],
        Parameter(
            negative="", show_default=False, help="A file that follows the question; may be given several times."
        ),
    ] = (),
    continue_: Annotated[
        tuple[str, ...] | None,
        Parameter(
            name="--continue",
            negative="",
            consume_multiple=(0, 2),
            help="Go on with the conversation of the last round asked, or of the round with this id.",
        ),
    ] = None,
    stream: Annotated[
        bool, Parameter(negative="", help="Print phases as lines, and the answer before its certificate has come.")
    ] = False,
    watch: Annotated[
        bool, Parameter(negative="", help="Show the round live: answers, pairs, and strengths after each wave.")
    ] = False,
    strict: Annotated[
        bool,
        Parameter(negative="", help="Exit with 3 unless the outcome is decided; print no answer that fails --tests."),
    ] = False,
    timeout_s: Annotated[
        float, Parameter(name="--timeout", validator=_POSITIVE, help="Seconds without news before giving up.")
    ] = SILENCE_S,
    out: Annotated[Path | None, Parameter(help="Where to write the certificate.")] = None,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    json: JsonFlag = False,
    options: QuestionOptions = QuestionOptions(),  # noqa: B008 - frozen
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Ask the swarm through the local node, and wait for its answer.

    The question is the argument, then the text on stdin unless it is a terminal, then each file as a block under its
    path, together at most 64 KiB.
    """
    if stream and (json or watch):
        raise CliError(f"--stream and --{'json' if json else 'watch'} exclude each other", Exit.USAGE)
    earlier, query = (None, query) if continue_ is None else named_round(continue_, query)
    text = compose(query, file)
    if out is not None:
        require_writable(out)
    told_first = _ToldFirst(options.confidence_min, strict and options.tests is not None) if stream else None
    async with open_client(source, url) as client:
        after = None if continue_ is None else await earlier_round(client, earlier)
        question = options.question(text, after)
        followed = await _followed(client, question, timeout_s, told_first, watch)
    path = out or kept_path(source, followed.query_id)
    unwritten = _unwritten(followed, path)
    told = report(followed, None if unwritten else path)
    if strict:
        _refuse_failing(told)
    if json:
        print_json(told)
    elif told_first is not None:
        told_first.check(followed)
        print_evidence(told, stdout())
    else:
        print_report(told, stdout())
    if unwritten is not None:
        raise unwritten
    if not json:
        print(f"certificate: {path}")
    return _strict_code(told) if strict else Exit.OK


def _refuse_failing(told: dict[str, Any]) -> None:
    """Raise CliError if the answer surely fails the asker's tests."""
    if failed := winner_fails(told):
        shows = f"`strand show {told['query_id'][:FILE_DIGITS]}` shows it"
        raise CliError(f"the best answer {failed}, and --strict takes no such answer; {shows}", Exit.NO_QUORUM)


def _strict_code(told: dict[str, Any]) -> Exit:
    """Return the exit code under `--strict`. Raises CliError if it is not known whether the answer passes the tests."""
    if nothing := winner_unproven(told) and why_nothing_tested(read_testing(told)):
        remedy = "run the tests yourself, or ask again without --strict"
        raise CliError(f"--strict: the answer was not tested: {nothing}; {remedy}", Exit.NO_QUORUM)
    if unknown := winner_unproven(told):
        remedy = (
            f"`strand show {told['query_id'][:FILE_DIGITS]}` tells the reports; ask again, or run the tests yourself"
        )
        raise CliError(f"--strict: the answer {unknown}; {remedy}", Exit.NO_QUORUM)
    return Exit.OK if told["outcome"] == "decided" else Exit.NO_QUORUM


async def _followed(
    client: Client, question: Question, timeout_s: float, told_first: "_ToldFirst | None", watch: bool
) -> FollowedRound:
    """Ask and follow the round in one of the three ways of showing it."""
    with told_if_left(stderr()) as note:
        if told_first is not None:
            show = _both(note, told_first.show)
            return await follow_patiently(client, question, stderr(), silence_s=timeout_s, on_event=show)
        if watch:
            return await _watched(client, question, timeout_s, note)
        return await follow(client, question, timeout_s, stderr(), note)


def _unwritten(followed: FollowedRound, path: Path) -> CliError | None:
    """Write the certificate. An error is returned, for the answer was paid for and is printed all the same."""
    # It holds the question, private or not.
    keep_private()
    try:
        save_certificate(followed.certificate, path)
    except FileError as error:
        shown = f"`strand show {followed.query_id[:FILE_DIGITS]}`"
        return CliError(f"{error}; the node has the certificate: {shown} reads it there", error.code)
    return None


async def _watched(client: Client, question: Question, timeout_s: float, note: TakesEvent) -> FollowedRound:
    """Follow a round with all of its events: a live picture on a terminal, lines elsewhere."""
    console = stderr()
    followed = partial(follow_patiently, client, question, console, silence_s=timeout_s, details=True)
    if not console.is_terminal:
        return await followed(on_event=_both(note, DetailLines(PlainLines(console)).show))
    with live_picture(console) as picture:

        def show(event: RoundEvent) -> None:
            say_readers(event, console)
            picture.note(event)

        return await followed(on_event=_both(note, show))


def _both(one: TakesEvent, other: TakesEvent) -> TakesEvent:
    """Return what gives each event to both."""

    def take(event: RoundEvent) -> None:
        one(event)
        other(event)

    return take


class _ToldFirst:
    """The display of `--stream`: phases on stderr, and the answer on stdout as soon as the node tells it."""

    def __init__(self, confidence_min: float | None, must_pass: bool) -> None:
        """Begin a display. `must_pass`: whether an answer that fails the asker's tests is not printed."""
        self._confidence_min = confidence_min
        self._must_pass = must_pass
        self._lines = PlainLines(stderr())
        self._answer: str | None = None

    def show(self, event: RoundEvent) -> None:
        """Print the news of an event."""
        say_readers(event, self._lines.console)
        self._lines.show(event)
        if not isinstance(event, Decided) or not event.winner:
            return
        found, console = event.findings, stdout()
        if self._must_pass and tests_failed_by(found):
            return
        if event.reason is OutcomeReason.LOW_CONFIDENCE:
            print_abstention(certainty_of(event.p_best, event.p_correct), self._confidence_min, console)
        for mark in marks_of(found):
            console.print(outside(mark), soft_wrap=True)
            console.print()
        console.print(outside(event.answer.strip()), soft_wrap=True)
        console.print()
        console.file.flush()
        self._answer = event.answer

    def check(self, followed: FollowedRound) -> None:
        """Compare the text that was printed with the certificate's. Raises CliError."""
        if self._answer != followed.answer:
            raise CliError("the certificate has another answer than the node told first: do not use the text above")
