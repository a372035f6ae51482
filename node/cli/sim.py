"""`strand sim`: swarms in virtual time or of real processes, from a scenario, with a table, JSON or a report."""

import json as json_module
import os
import signal
import sys
import tempfile
import threading
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter, validators
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import JsonFlag, any_case, outside, print_json, stderr
from node.cli.parts.tables import is_too_wide, print_pairs
from node.config import load_params
from node.files import read_toml
from node.inference.scripted import SLOPE
from simnet import study as studies
from simnet.keeping import REPORT_ROUNDS_MAX, share_of
from simnet.results import RoundResult, Run, Study
from simnet.scenario import Scenario, ScenarioError, scenario_from

if TYPE_CHECKING:
    from protocol.params import NetworkParams
    from simnet.preset import Preset

SCENARIO_BYTES_MAX = 256 * 1024
"""Largest scenario or presets file in bytes: a study of a thousand seeds has about ten."""

JOBS_MAX = 64
"""Most processes side by side: each holds a world of its own."""

FAILING_SHOWN = 5
"""Most failed worlds for which the terminal shows the command that repeats them."""

WIDE = 240
"""Columns of a table outside a terminal, wide enough that no cell is folded in a file."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Settings:
    """Settings that override the scenario. The names are those of `study.FLAGS`."""

    layer: Annotated[
        Literal["network", "aggregate"] | None,
        Parameter(converter=any_case, help="aggregate: no messages, for accuracy alone."),
    ] = None
    preset: Annotated[str | None, Parameter(help="Who knows what and judges how well: final-answer, ...")] = None
    nodes: Annotated[int | None, Parameter(help="Nodes of the swarm.")] = None
    shard_nodes: Annotated[int | None, Parameter(help="Nodes of a shard; a larger swarm has several.")] = None
    rounds: Annotated[int | None, Parameter(help="Queries, of all shards together.")] = None
    seed: Annotated[int | None, Parameter(help="The same seed gives the same run.")] = None
    loss: Annotated[float | None, Parameter(help="Share of packets that are lost.")] = None
    latency: Annotated[int | None, Parameter(help="Median latency of a link, ms one way.")] = None
    crash: Annotated[float | None, Parameter(help="Chance of each member to be killed in each round.")] = None
    byzantine: Annotated[
        list[str] | None, Parameter(negative="", help="KIND=SHARE of dishonest nodes; may be repeated.")
    ] = None
    partition: Annotated[
        list[str] | None,
        Parameter(negative="", help="FROM-UNTIL:SHARE, ms after each query and share cut off; may be repeated."),
    ] = None
    set: Annotated[
        list[str] | None,
        Parameter(negative="", help="SETTING=VALUE: any setting by its name in a scenario file; may be repeated."),
    ] = None

    def override(self, table: dict[str, Any]) -> None:
        """Change a scenario's table in place. A setting that a flag fixes no longer varies. Raises CliError."""
        for setting, flag in studies.FLAGS.items():
            value = getattr(self, flag.removeprefix("--").replace("-", "_"))
            if value is not None:
                _put(table, setting.split("."), value)
        for text in self.byzantine or ():
            kind, share = _split(text, "=", "--byzantine", "KIND=SHARE")
            _put(table, ["byzantine", kind], _number(share, float, "--byzantine"))
        if self.partition:
            _put(table, ["faults", "partitions"], [_partition(text) for text in self.partition])
        for text in self.set or ():
            setting, value = _split(text, "=", "--set", "SETTING=VALUE")
            _put(table, _path(setting.strip()), _value(value))


def sim(
    *,
    scenario: Annotated[str | None, Parameter(help="A TOML file, or a shipped study: attack-matrix, loss, ...")] = None,
    settings: Settings = Settings(),
    report: Annotated[
        Path | None, Parameter(help="Folder for a page with plots and rounds to open, and for the results.")
    ] = None,
    jobs: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=JOBS_MAX), help="Worlds of a study side by side.")
    ] = 1,
    real: Annotated[
        bool, Parameter(negative="", help="Real node processes over libp2p on this machine, with scripted engines.")
    ] = False,
    json: JsonFlag = False,
) -> int:
    """Simulate a swarm: the real round machines, messages and certificates, in virtual time and from a seed.

    Exit code 1 says that a safety rule was broken, or that more than one round in a hundred had no outcome by its
    deadline; the command that repeats such a world is printed.
    """
    chosen = read_scenario(scenario, settings)
    if real:
        _check_real(chosen, jobs)
    if report is not None:
        # Before the work, not after it.
        _plots_or_refusal()
        _make_folder(report)
    keep = 0 if report is None else REPORT_ROUNDS_MAX
    study = _simulate(chosen, jobs, real=real, keep=keep, show_progress=sys.stderr.isatty())
    if json:
        print_json(studies.results(study) if chosen.vary else study.cells[0].run.summary())
    else:
        print_study(study)
    if report is not None:
        # After the table: a full disk must not cost the results of hours.
        write_report(report, chosen, study)
        if not json:
            print(f"report: {report / 'index.html'}")
    return judge(chosen, study)


# The scenario.


def read_scenario(name: str | None, settings: Settings) -> Scenario:
    """Read the scenario from a file, by its shipped name, or the default, and apply the flags. Raises CliError."""
    table = {} if name is None else read_toml(_scenario_path(name), SCENARIO_BYTES_MAX)
    settings.override(table)
    try:
        found = scenario_from(table)
        studies.worlds(found)
    except ScenarioError as error:
        raise CliError(str(error) if name is None else f"{name}: {error}", Exit.USAGE) from error
    except UnicodeEncodeError as error:
        raise CliError("a setting on the command line is not Unicode", Exit.USAGE) from error
    return found


def _scenario_path(name: str) -> Path:
    if "/" in name or name.endswith(".toml"):
        return Path(name).expanduser()
    shipped = {path.stem: path for path in Path(str(files("configs"))).glob("scenarios/*.toml")}
    if name not in shipped:
        raise CliError(f"no scenario {name!r}: give a file, or one of {', '.join(sorted(shipped))}", Exit.USAGE)
    return shipped[name]


def _path(setting: str) -> list[str]:
    """Split a dotted name as TOML writes it. Under `vary` the whole rest is one name, quoted or not."""
    path: list[str] = []
    try:
        table: Any = tomllib.loads(f"{setting} = 0")
    except tomllib.TOMLDecodeError:
        # No setting has such a name, and the scenario's own check will report it.
        path = setting.split(".")
    else:
        while isinstance(table, dict):
            name, table = next(iter(table.items()))
            path.append(name)
    return ["vary", ".".join(path[1:])] if path[0] == "vary" and path[1:] else path


def _put(table: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Fix the setting with these names, outermost first."""
    setting = ".".join(path)
    inner = table
    for name in path[:-1]:
        inner = inner.setdefault(name, {})
        if not isinstance(inner, dict):
            raise CliError(f"{setting}: {name} is no table", Exit.USAGE)
    inner[path[-1]] = value
    if isinstance(vary := table.get("vary"), dict):
        vary.pop(setting, None)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        # A bare word needs no quotes; the scenario's own check reports anything else.
        return text


def _partition(text: str) -> dict[str, Any]:
    form = "FROM-UNTIL:SHARE"
    times, share = _split(text, ":", "--partition", form)
    begins, ends = _split(times, "-", "--partition", form)
    return {
        "from_ms": _number(begins, int, "--partition"),
        "until_ms": _number(ends, int, "--partition"),
        "share": _number(share, float, "--partition"),
    }


def _split(text: str, sign: str, flag: str, form: str) -> tuple[str, str]:
    left, found, right = text.partition(sign)
    if not found or not left:
        raise CliError(f"{flag} wants {form}, not {text!r}", Exit.USAGE)
    return left, right


def _number(text: str, kind: Callable[[str], float], flag: str) -> float:
    try:
        return kind(text)
    except ValueError as error:
        raise CliError(f"{flag}: {text!r} is no number", Exit.USAGE) from error


# The work.


def _simulate(scenario: Scenario, jobs: int, *, real: bool, keep: int, show_progress: bool) -> Study:
    try:
        presets, params = _presets(), load_params("devnet")
        run = partial(studies.run_study, scenario, presets=presets, params=params, keep=keep)
        worlds = studies.worlds(scenario).values()
        total = sum(world.rounds for world in worlds)
        with _progress(scenario.name, total, show=show_progress) as advance:
            if real:
                real_runs = partial(_real_runs, presets, params, partial(advance, 1), share_of(len(worlds), keep))
                return replace(run(each=lambda _, worlds: real_runs(worlds)), real=True)
            if jobs == 1:
                with _interruptible() as unless_interrupted:

                    def on_round(_: RoundResult) -> None:
                        unless_interrupted()
                        advance(1)

                    return run(on_round=on_round)
            with _processes(jobs, advance) as each:
                return run(each=each)
    except ScenarioError as error:
        raise CliError(str(error), Exit.USAGE) from error


def _check_real(scenario: Scenario, jobs: int) -> None:
    """Check a real scenario before the first process is started. Raises CliError."""
    from node.local.nodes import NODES_MAX
    from simnet.real import check_real

    if jobs > 1:
        raise CliError("--jobs: real swarms run one after the other", Exit.USAGE)
    try:
        for world in studies.worlds(scenario).values():
            check_real(world, NODES_MAX)
    except ScenarioError as error:
        raise CliError(str(error), Exit.USAGE) from error


def _real_runs(
    presets: "Mapping[str, Preset]",
    params: "NetworkParams",
    on_round: Callable[[], None],
    keep: int,
    worlds: Iterable[Scenario],
) -> Iterator[Run]:
    """Play worlds with processes, one after another; `keep`: rounds that each keeps whole."""
    import msgspec
    import trio

    from node.local.programme import Programme, play
    from simnet.plan import Plan
    from simnet.real import NOTE, programme_of, run_of

    print(f"strand: {NOTE}", file=sys.stderr)
    for world in worlds:
        plan = Plan(world, presets[world.preset], params)
        programme = msgspec.convert(programme_of(plan, SLOPE), Programme)
        played = trio.run(play, programme, on_round)
        yield run_of(plan, played.keys, played.heard, keep)


def _presets() -> "Mapping[str, Preset]":
    from simnet.preset import presets_from

    return presets_from(read_toml(Path(str(files("configs"))) / "presets.toml", SCENARIO_BYTES_MAX))


@contextmanager
def _progress(name: str, rounds: int, *, show: bool) -> Iterator[Callable[[int], None]]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rounds"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr(), transient=True, disable=not show) as bar:
        task = bar.add_task(name, total=rounds)
        yield lambda count: bar.advance(task, count)


@contextmanager
def _interruptible() -> Iterator[Callable[[], None]]:
    """Raise a KeyboardInterrupt again that Python has dropped, as it does while a weak reference dies."""
    interrupted = False

    def note(signum: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        signal.default_int_handler(signum, frame)

    def unless_interrupted() -> None:
        if interrupted:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield unless_interrupted
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _processes(jobs: int, advance: Callable[[int], None]) -> Iterator[studies.Each]:
    """Run worlds in processes of their own. An interrupted one dies silently; a killed one is an error of one line.

    A caller that leaves early, by an interrupt or an error, waits for none of them.
    """
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin_process) as pool:

        def each(run: Callable[[Scenario], Run], worlds: Iterable[Scenario]) -> Iterator[Run]:
            try:
                for done in pool.map(run, worlds):
                    advance(len(done.rounds))
                    yield done
            except BrokenProcessPool as error:
                raise CliError("a process that simulated a world was killed: out of memory?") from error

        with ExitStack() as unfinished:
            unfinished.callback(_end_processes)
            yield each
            unfinished.pop_all()


def _begin_process() -> None:
    """Prepare a child that simulates worlds: it ends at an interrupt, and with its parent in any case."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = parent_process()
    assert parent is not None
    sentinel = parent.sentinel

    def end_with_parent() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def _end_processes() -> None:
    for child in active_children():
        child.terminate()


# What is shown.


def print_study(study: Study, console: Console | None = None) -> None:
    """Print the table at the end, on stdout unless another console is given."""
    found = studies.table(study)
    console = console or Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
    head, rows = found.shown()
    # Names and values of settings come from outside; the first column holds names, the others numbers.
    columns = (
        Column(outside(name), justify="right" if number else "left", overflow="fold")
        for number, name in enumerate(head)
    )
    shown = Table(*columns, box=None, show_header=any(head), padding=(0, 1, 0, 0))
    for row in rows:
        shown.add_row(*map(outside, row))
    console.print(outside(f"{study.name}: {study.about}" if study.about else study.name))
    if len(rows) > 1 and any(head) and console.is_terminal and is_too_wide(shown, console):
        # A block for each world, as in other tables.
        for row in rows:
            print_pairs(zip(head, row, strict=True), console)
            console.print()
    else:
        console.print(shown, width=WIDE, soft_wrap=True)
    if found.common:
        console.print("The same in all: " + ", ".join(f"{name} {text}" for name, text in found.common.items()) + ".")
    console.print(studies.NOTES, style="dim")


def judge(scenario: Scenario, study: Study) -> Exit:
    """Report on stderr what failed and how to repeat it; return the exit code."""
    failing, late = studies.failing(scenario, study), studies.late_share(study)
    lines = []
    for world, run in failing[:FAILING_SHOWN]:
        lines += [*_complaints(run), f"repeat it: {studies.repeat_command(world, real=study.real)}"]
    if len(failing) > FAILING_SHOWN:
        lines.append(f"and {len(failing) - FAILING_SHOWN} more worlds")
    if late > studies.LATE_MAX:
        lines.append(f"{100 * late:.3g} % of all rounds have no outcome; at most {100 * studies.LATE_MAX:g} % may")
    for line in lines:
        print(f"strand: {line}", file=sys.stderr)
    unsafe = any(run.violations for _, run in failing)
    return Exit.REFUSED if unsafe or late > studies.LATE_MAX else Exit.OK


def _complaints(run: Run) -> Iterator[str]:
    if run.violations:
        first = run.violations[0]
        yield f"{len(run.violations)} safety violations, the first in round {first.round}: {first.rule}: {first.detail}"
    if run.late:
        yield (
            f"{len(run.late)} of {len(run.rounds)} rounds have no outcome by their deadline, "
            f"the first is round {run.late[0].number}"
        )


# The report.


def _plots_or_refusal() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise CliError("a report needs matplotlib: pip install 'strand-swarm[sim]'", Exit.USAGE) from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CliError(f"--report: cannot write to {folder}: {error.strerror}", Exit.USAGE) from error


def write_report(folder: Path, scenario: Scenario, study: Study) -> None:
    """Write the page, its pictures and the figures as JSON. Raises CliError."""
    from node.cli.parts import round_pages
    from simnet.page import page
    from simnet.page_rounds import Viewer
    from simnet.plots import plots

    drawn = list(plots(study))
    viewer = Viewer(round_pages.styles(), round_pages.modules(), round_pages.start_name(), round_pages.replay_data)
    found = {
        "about": study.about,
        "settings": dict(studies.changed(scenario)),
        "repeat": studies.repeat_command(scenario, real=study.real),
        **studies.results(study),
    }
    contents = {f"{plot.name}.png": plot.png for plot in drawn} | {
        "index.html": page(scenario, study, drawn, viewer).encode(),
        "results.json": json_module.dumps(found, ensure_ascii=False, indent=2).encode() + b"\n",
    }
    try:
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise CliError(f"cannot write the report to {folder}: {error.strerror}") from error
