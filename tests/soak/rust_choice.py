"""Choice of one of four Rust answers, two right and two wrong, in real rounds between processes.

Each task is asked under several conditions, so that they are paired: `plain` has findings but no tests, `half` also
half of the published assertions as private tests, `off` no findings. The winner is right if it passes all published
tests. `--judges model` judges with the embedded model, `coin` by lot, which no round can profit from.

It holds if the picks are as accurate as the aims say.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import trio

from consensus.certificates.reading import describe
from node.api.asking import Question
from node.client import ClientError, follow
from node.inference import EngineConfig
from node.inference.embedded import embedded_server
from node.local import LocalSwarm, NodeSpec, open_swarm
from node.local.nodes import plain_environment
from tests.support.choice_engines import coin_engine, model_engine
from tests.support.choice_tasks import Candidate, ChoiceTask, LeftOut, make_task
from tests.support.rust_data import SKIPPED, missing, rows
from tests.support.rust_sandbox import open_rust_sandbox

MEMBERS = 4
"""Each gives one candidate, and tests and judges the other three. The first one asks."""

AIMS = {"plain": 0.90, "half": 0.97}
"""Least accuracy of the picks, by condition; without findings it is as it is."""

JUDGE_ANSWER_BYTES_MAX = 400
"""Bytes of an answer that a judge reads, as in the demo."""

BUDGETS = {"answer_ms": 600_000, "test_ms": 120_000, "judge_ms": 600_000, "patience_ms": 30_000, "max_tokens": 1_024}
"""Wide: what is measured is the choice. A node that measured its model's speed while the others did so too declines an
answer that it thinks would take a minute."""

READY_S = 600.0
"""Seconds for all members to measure the one model that they share."""

POLL_S = 0.5
"""Seconds between two looks at another process."""

SETTINGS = {"challenge.enabled": "off", "gold.share": 0.0}
"""Nothing beside the rounds that are measured."""


@dataclass(frozen=True, slots=True)
class Played:
    """One round, in plain values."""

    task: str
    condition: str
    judges: str
    right: bool
    kind: str
    """Of the candidate that won."""
    outcome: str
    stop: str
    p_best: float
    ballots: int
    comparisons: int
    declines: list[str]
    """Phase and reason of each."""
    seconds: float
    timings_ms: dict[str, int]
    answers: list[dict[str, Any]]
    """What is settled about each answer, best first, then those set aside."""


# -- tasks ---------------------------------------------------------------------------------------------------------


async def prepare(path: Path, count: int, seed: int, cache: Path) -> list[ChoiceTask]:
    """Return `count` tasks, spread over the file; those that `path` keeps from an earlier run are not made again."""
    kept = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    tasks = {each["name"]: each for each in kept}
    order = list(rows("humanevalpack_rust"))
    Random(seed).shuffle(order)
    rust = None
    with path.open("a") as file:
        for row in order:
            if sum(each["candidates"] != [] for each in tasks.values()) >= count:
                break
            if row["task"] in tasks:
                continue
            rust = rust or await open_rust_sandbox(cache)
            made = await make_task(rust, row, Random(f"{seed} {row['task']}"))
            told = (
                asdict(made) if isinstance(made, ChoiceTask) else {"name": made.name, "candidates": [], "why": made.why}
            )
            tasks[row["task"]] = told
            print(json.dumps(told), file=file, flush=True)
            print(
                f"{made.name}: {made.why if isinstance(made, LeftOut) else [c.kind for c in made.candidates]}",
                flush=True,
            )
    left_out = Counter(each["why"] for each in tasks.values() if not each["candidates"])
    print(f"seed {seed}; left out: {dict(left_out)}", flush=True)
    whole = [each for row in order if (each := tasks.get(row["task"])) and each["candidates"]]
    return [_task(each) for each in whole[:count]]


def _task(told: dict[str, Any]) -> ChoiceTask:
    return ChoiceTask(**told | {"candidates": tuple(Candidate(**each) for each in told["candidates"])})


# -- rounds --------------------------------------------------------------------------------------------------------


async def start(
    folder: Path, tasks: Sequence[ChoiceTask], model: EngineConfig | None, stack: AsyncExitStack
) -> LocalSwarm:
    """Start the members, and wait until they know each other and can all test."""
    specs = []
    for member in range(MEMBERS):
        answers = {task.prompt: task.candidates[member].text for task in tasks}
        opened = coin_engine(member, answers) if model is None else model_engine(member, answers, model)
        engine = await stack.enter_async_context(opened)
        specs.append(
            NodeSpec(folder / str(member), engine, seed=member, settings=SETTINGS, environment=plain_environment())
        )
    swarm = await stack.enter_async_context(open_swarm(specs))
    await swarm.meet()
    for member in range(MEMBERS):
        async with swarm.connect(member) as client:
            with trio.fail_after(READY_S):
                while not (await client.ready()).ready:  # noqa: ASYNC110 - another process
                    await trio.sleep(POLL_S)
    return swarm


def question(task: ChoiceTask, condition: str) -> Question:
    """Return the question under one condition."""
    findings = () if condition == "off" else None
    return Question.single(task.prompt, findings=findings, tests=task.half if condition == "half" else "", **BUDGETS)


async def play(swarm: LocalSwarm, task: ChoiceTask, condition: str, judges: str) -> Played:
    """Play one round. Raises ClientError."""
    began_s = time.monotonic()
    async with swarm.connect() as client:
        followed = await follow(client, question(task, condition))
    told = describe(followed.verified)
    texts = {answer.hex(): content.text for answer, content in followed.verified.record.contents.items()}
    by_text = {candidate.text: candidate for candidate in task.candidates}
    winner = by_text[followed.answer]
    answers = [
        {"kind": by_text[texts[each["answer_id"]]].kind, "right": by_text[texts[each["answer_id"]]].right, **each}
        for each in (*told["ranking"], *told["set_aside"])
    ]
    return Played(
        task=task.name,
        condition=condition,
        judges=judges,
        right=winner.right,
        kind=winner.kind,
        outcome=f"{told['outcome']} {told['reason']}",
        stop=str(told["stop"]),
        p_best=told["ranking"][0]["p_best"],
        ballots=told["ballots"],
        comparisons=told["comparisons"],
        declines=[f"{each['phase']} {each['reason']}" for each in told["declines"]],
        seconds=time.monotonic() - began_s,
        timings_ms=followed.timings_ms,
        answers=answers,
    )


async def play_all(
    tasks: Sequence[ChoiceTask], conditions: Sequence[str], judges: str, out: Path, seconds_max: float
) -> list[Played]:
    """Play all conditions of a task, then the next task; begin no task after `seconds_max`."""
    played: list[Played] = []
    began_s = time.monotonic()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="strand-choice-")))
        model = None
        if judges == "model":
            config = EngineConfig(
                kind="embedded",
                judge_answer_bytes_max=JUDGE_ANSWER_BYTES_MAX,
                # As long as a wave: on a busy machine all judges wait for one slot.
                request_timeout_ms=BUDGETS["judge_ms"],
            )
            model = (await stack.enter_async_context(embedded_server(config))).client_config
        swarm = await start(folder, tasks, model, stack)
        file = stack.enter_context(out.open("a"))
        for task in tasks:
            if time.monotonic() - began_s > seconds_max:
                break
            for condition in conditions:
                try:
                    each = await play(swarm, task, condition, judges)
                except ClientError as error:
                    print(f"{task.name} {condition}: NO ROUND: {error}", flush=True)
                    continue
                played.append(each)
                print(json.dumps(asdict(each), default=str), file=file, flush=True)
                print(line_of(each), flush=True)
    return played


# -- figures -------------------------------------------------------------------------------------------------------


def line_of(each: Played) -> str:
    """Return what came of one round in a line."""
    settled = " ".join(_short(answer) for answer in each.answers)
    verdict = "right" if each.right else "WRONG"
    return (
        f"{each.task} {each.condition} {each.judges}: {verdict} ({each.kind}), {each.outcome}, {each.stop}, "
        f"P(best) {each.p_best:.2f}, {each.ballots} ballots, {each.comparisons} pairs, {each.seconds:.1f} s | {settled}"
    )


def _short(answer: dict[str, Any]) -> str:
    found = answer["findings"]
    if found is None:
        return answer["kind"]
    tests, examples = (
        f" {word}{'/'.join(str(found[name][part]) for part in ('passed', 'failed', 'not_run'))}" if found[name] else ""
        for name, word in (("tests", "t"), ("examples", "e"))
    )
    return f"{answer['kind']}[{found['status']} {found['inputs']}in {len(found['alike'])}alike{tests}{examples}]"


def interval(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share after Wilson."""
    z = 1.96
    share, extra = right / count, z * z / count
    middle = (share + extra / 2) / (1 + extra)
    half = z * math.sqrt(share * (1 - share) / count + extra / (4 * count)) / (1 + extra)
    return middle - half, middle + half


def told(played: Sequence[Played]) -> bool:
    """Print the figures of each condition; whether the aims hold."""
    groups: dict[tuple[str, str], list[Played]] = {}
    whole = [each for each in played if len(each.answers) == MEMBERS]
    # A member that is too slow leaves another question than the one that is measured.
    print(f"{len(whole)} rounds with all candidates are counted, {len(played) - len(whole)} without one are not")
    for each in whole:
        groups.setdefault((each.condition, each.judges), []).append(each)
    held = True
    for (condition, judges), rounds in groups.items():
        right, count = sum(each.right for each in rounds), len(rounds)
        low, high = interval(right, count)
        seconds = [each.seconds for each in rounds]
        print(
            f"{condition}, judges {judges}: {right} of {count} right, {right / count:.3f} [{low:.3f}, {high:.3f}]; "
            f"stops {dict(Counter(each.stop for each in rounds))}; ballots a round "
            f"{statistics.mean(each.ballots for each in rounds):.1f}, pairs "
            f"{statistics.mean(each.comparisons for each in rounds):.1f}; seconds median "
            f"{statistics.median(seconds):.1f}, most {max(seconds):.1f}"
        )
        held &= right / count >= AIMS.get(condition, 0.0)
    return held


def main() -> int:
    """Make the tasks, play the rounds, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--judges", choices=("model", "coin"), default="model")
    parser.add_argument("--conditions", nargs="*", choices=("plain", "half", "off"), default=["plain", "half", "off"])
    parser.add_argument("--names", nargs="*", help="of tasks that are played; none: all")
    parser.add_argument("--minutes", type=float, default=90.0, help="after which no task begins")
    parser.add_argument("--cache", type=Path, help="folder of a harness that is built already")
    parser.add_argument("--prepared", type=Path, help="file that keeps the tasks between runs, as JSON lines")
    parser.add_argument("--out", type=Path, help="file to which each round is added, as a JSON line")
    chosen = parser.parse_args()
    if reason := missing():
        print(f"skipped: {reason}")
        return SKIPPED
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared, out = chosen.prepared or folder / "tasks.jsonl", chosen.out or folder / "rounds.jsonl"
        tasks = trio.run(prepare, prepared, chosen.tasks, chosen.seed, chosen.cache or folder)
        tasks = [task for task in tasks if not chosen.names or task.name in chosen.names]
        if not chosen.conditions:
            return 0
        played = trio.run(play_all, tasks, chosen.conditions, chosen.judges, out, chosen.minutes * 60)
    return 0 if told(played) else 1


if __name__ == "__main__":
    sys.exit(main())
