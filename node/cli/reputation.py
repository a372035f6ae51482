"""`strand reputation`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter, validators

from node.api.reputation import ChallengeRecord, GoldResult, ReputationReport
from node.cli.parts.client import open_client
from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import JsonFlag, Source, print_json, stderr, stdout
from node.cli.parts.tables import print_rows, shown_key
from node.files import read_text
from protocol.types import TaskType

IMPORT_BYTES_MAX = 4 * 1024 * 1024
"""Largest file to import in bytes: 4,096 nodes' statistics of about 500 bytes each, twice over."""

BATCH = 128
"""Nodes in one request: a third of the body that a node accepts."""

Url = Annotated[str | None, Parameter(help="The node's HTTP interface.")]
File = Annotated[Path, Parameter(help="The file; - is standard input or output.", allow_leading_hyphen=True)]


async def show(*, url: Url = None, json: JsonFlag = False, source: Source = Source()) -> int:  # noqa: B008 - frozen
    """Show the local node's statistics of others, and the weights that its rosters would give them."""
    async with open_client(source, url) as client:
        told = await client.reputation()
    if json:
        print_json(msgspec.to_builtins(told))
    else:
        print_reputation(told)
    return 0


def print_reputation(told: ReputationReport) -> None:
    """Print the report on other nodes."""
    console = stdout()
    force = {task: each for task, each in told.in_force.items() if each.gold_rounds}
    # Without gold all tasks have the same weights, so that any of them will do.
    task = max(force, key=lambda name: force[name].gold_rounds, default=TaskType.FINAL)
    rows = []
    for node in told.nodes:
        weights, judging, accuracy = node.weights[task], node.judging, node.answering.accuracy
        row = (
            shown_key(node.key, console),
            str(node.rounds),
            str(node.gold_rounds),
            "" if accuracy is None else f"{accuracy:.0%}",
            "equivocated" if node.equivocations else "" if judging is None else f"{judging.honest:.0%}",
            "" if node.testing is None else f"{node.testing.share_refuted:.0%}",
            *(f"{weight:.2f}" for weight in (weights.vote, weights.judge, weights.author)),
            "" if node.challenges is None else challenges(node.challenges),
        )
        rows.append(row)
    headings = ("key", "rounds", "gold", "right", "honest judge", "refuted", "vote", "judge", "author", "challenges")
    print_rows(headings, rows, console)
    console.print(
        f"{told.specialty}: {told.rounds} rounds learned from, weights renewed every {told.renewal_rounds}; "
        f"{told.gold_questions} gold questions in the file. {_whose(told, task if force else None)}"
    )
    for name, each in force.items():
        console.print(
            f"{name}: from {each.gold_rounds} gold rounds: votes weigh {each.beta:.2f} (beta), "
            f"clusters move by {each.tau_u:.2f} (tau_u)"
        )
        if name is TaskType.CODE:
            found = each.findings
            console.print(
                f"{name}: findings weigh {found.agreement:.2f} (agreement), {found.compiles:.2f} (compiles), "
                f"{found.tests:.2f} (tests), {found.lint:.2f} (lint)"
            )


def challenges(record: ChallengeRecord) -> str:
    """Return a node's record of challenges in a few words: its state, and the items of both kinds that it passed."""
    answers = record.answers_passed + record.answers_failed
    judgements = record.judgements_right + record.judgements_wrong
    return f"{record.state}: {record.answers_passed}/{answers} solved, {record.judgements_right}/{judgements} judged"


def _whose(told: ReputationReport, task: TaskType | None) -> str:
    """Return which weights the table shows: of this task, or of every task while none has learned from gold."""
    if task is not None:
        return f"Weights are those for {task} tasks."
    if told.in_force:
        return "Weights are the same for every task: none has learned from gold yet."
    return "Weights are the configured ones, the same for every task: nothing learned is in force yet."


async def export(file: File, *, url: Url = None, source: Source = Source()) -> int:  # noqa: B008 - frozen
    """Write the local node's statistics as JSON, without the gold questions."""
    async with open_client(source, url) as client:
        told = await client.export_reputation()
    if str(file) == "-":
        print_json(msgspec.to_builtins(told))
        return 0
    try:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(told)) + b"\n")
    except OSError as error:
        raise CliError(f"cannot write {file}: {error.strerror}") from error
    print(f"{len(told.standings)} standings: {file}")
    return 0


async def take_over(
    file: File,
    *,
    url: Url = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Import another node's statistics of nodes that the local node has not met itself."""
    text = read_text(file, IMPORT_BYTES_MAX)
    taken = known_already = 0
    async with open_client(source, url) as client:
        for batch in _batches(text, str(file)):
            answer = await client.import_reputation(batch)
            taken += answer.taken
            known_already += answer.known_already
    if json:
        print_json({"taken": taken, "known_already": known_already})
    else:
        print(f"{taken} taken over, {known_already} known already")
    return 0


def _batches(text: str, file: str) -> Iterator[dict[str, Any]]:
    """Split the file's statistics into bodies that the node accepts, and check them. Raises CliError."""
    try:
        exported = msgspec.json.decode(text, type=dict[str, Any])
        standings = msgspec.convert(exported.get("standings"), dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise CliError(f"{file} is no exported reputation: {error}", Exit.USAGE) from error
    rows = list(standings.items())
    for begin in range(0, max(1, len(rows)), BATCH):
        yield {**exported, "standings": dict(rows[begin : begin + BATCH])}


async def gold(
    count: Annotated[int, Parameter(help="How many gold questions.", validator=validators.Number(gt=0, lte=1_000))] = 1,
    *,
    url: Url = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Ask the swarm gold questions now, one after another, and learn from them."""
    rounds: list[GoldResult] = []
    async with open_client(source, url) as client:
        with stderr().status("asking") as status:
            for number in range(1, count + 1):
                status.update(f"gold question {number} of {count}")
                rounds.append(await client.ask_gold())
    right = sum(each.correct is True for each in rounds)
    if json:
        print_json({"asked": count, "right": right, "rounds": msgspec.to_builtins(rounds)})
    else:
        print(f"{right} of {count} answered right")
    return 0
