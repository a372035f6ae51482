"""`strand local`: a council at home."""

import signal
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import trio
from cyclopts import Parameter, Token
from rich.console import Console

from node.cli.parts.engines import engine_of, look_for_servers
from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import JsonFlag, Source, outside, print_json, stderr
from node.cli.parts.signals import ENDING, on_signals
from node.config import LoadedConfig, load_params
from node.hardening import keep_private
from node.inference import EngineConfig
from node.inference.api_key import api_key_of
from node.inference.servers import text_models
from node.local import Ended, LocalSwarm, open_swarm
from node.local.council import FOLDER_NAME, Council, CouncilError, read_engines
from node.local.nodes import NODES_MAX

LISTED_MAX: Final = 8
"""Models of a server that all get a node if none is named: as many as one machine loads. A hosted server lists more."""

RESERVE_S: Final = 10.0
"""Seconds beyond node.stop_ms for nodes to end: the last words of each take up to six, and closing its store."""

_FIRST_TABLES: Final = ("api", "round", "gold", "capacity")
"""Tables of the user's configuration that hold for the node which asks."""


class Option(NamedTuple):
    """One of the options that together name engines: each belongs to the --engine before it."""

    keyword: str
    value: str


def _in_order(_: Any, tokens: Sequence[Token]) -> list[Option]:
    """Return engines, models and variables as they stand."""
    return [Option(token.keyword or "", token.value) for token in tokens]


async def local(
    *,
    engines: Annotated[
        list[Option] | None,
        Parameter(
            name=("--engine", "--model", "--key-env"),
            negative="",
            converter=_in_order,
            n_tokens=1,
            help="--engine URL (or embedded, scripted), then each --model of it (two of a name are two nodes), and "
            "--key-env VARIABLE if it wants an API key; several times. Default: what runs on the usual ports.",
        ),
    ] = None,
    file: Annotated[Path | None, Parameter(help="File with tables [[engine]] instead (TOML).")] = None,
    gold: Annotated[
        Path | None, Parameter(help="Questions with known answers, by which the swarm learns who is right.")
    ] = None,
    bind: Annotated[str | None, Parameter(help="Address of the HTTP interface, HOST:PORT.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Run a lasting swarm on this machine until Ctrl-C: one node for each model, with kept keys and reputation.

    The nodes trust each other and serve nobody else. The first one named has the HTTP interface, and learns. A node
    that ends is started again, after growing pauses. Ctrl-C lets all finish what they hold, within node.stop_ms; a
    second ends them at once.
    """
    keep_private()
    if engines and file is not None:
        raise CliError("--file names all engines: leave --engine out", Exit.USAGE)
    loaded = source.load(api__bind=bind, gold__file=None if gold is None else str(gold.absolute()))
    console = stderr()
    named = read_engines(file) if file is not None else _parse(engines or [])
    chosen = await _all_models(named or await _usual(console))
    _warn_if_few(chosen, loaded.config.node.network, console)
    council = _council(chosen, loaded)
    specs = await council.specs()
    for spec in specs:
        console.print(outside(f"{spec.name}: {spec.engine.kind} at {spec.folder}"), soft_wrap=True)
    console.print(f"starting {len(specs)} node{'s' if len(specs) != 1 else ''}")
    async with open_swarm(specs) as swarm, trio.open_nursery() as nursery:
        running = trio.CancelScope()
        # First: whoever reads that the nodes are ready may end them at once. The second signal ends them abruptly.
        await nursery.start(
            on_signals,
            lambda _: (nursery.cancel_scope if running.cancel_called else running).cancel(),
            signal.SIGINT,
            *ENDING,
        )
        with running:
            await swarm.meet()
            await _tell(swarm, [spec.name for spec in specs], as_json=json)
            await swarm.watch(_say)
        stop_s = loaded.config.node.stop_ms / 1000
        told = f"ending all nodes: they finish what they hold, within {stop_s:g} s; again ends them at once"
        console.print(told, soft_wrap=True, highlight=False)
        await swarm.finish(stop_s + RESERVE_S)
        nursery.cancel_scope.cancel()
    return Exit.OK


def _parse(options: Sequence[Option]) -> list[EngineConfig]:
    """Return the engines of the command line, one for each of their models. Raises CouncilError and CliError."""
    groups: list[tuple[EngineConfig, list[str]]] = []
    for keyword, value in options:
        if keyword == "--engine":
            groups.append((engine_of(value), []))
            continue
        if not groups:
            raise CouncilError(f"{keyword} {value} belongs to the --engine before it, and there is none")
        engine, models = groups[-1]
        if keyword == "--model":
            models.append(value)
        else:
            groups[-1] = replace(engine, api_key=api_key_of(value, "--key-env")), models
    return [replace(engine, model=model) for engine, models in groups for model in models or [""]]


async def _usual(console: Console) -> list[EngineConfig]:
    """Return the servers on the usual ports. Raises CouncilError if there is none."""
    if not (found := await look_for_servers(console)):
        raise CouncilError(
            "no model server is on a usual port of this machine: name one with --engine URL, or try the "
            "tiny model that comes along: --engine embedded, three times"
        )
    return [EngineConfig(kind="openai", url=server.url) for server in found]


async def _all_models(engines: Sequence[EngineConfig]) -> list[EngineConfig]:
    """Return the engines, one for each listed model of a server of which no model is named.

    Raises CouncilError, and EngineError if such a server cannot be asked.
    """
    every: list[EngineConfig] = []
    for engine in engines:
        if engine.kind != "openai" or engine.model:
            every.append(engine)
            continue
        models = await text_models(engine)
        if not 0 < len(models) <= LISTED_MAX:
            listed = ", ".join(models[:LISTED_MAX]) or "none"
            raise CouncilError(f"{engine.url} lists {len(models)} models ({listed}): choose with --model")
        every += [replace(engine, model=model) for model in models]
    if len(every) > NODES_MAX:
        raise CouncilError(f"{len(every)} models are more than the {NODES_MAX} nodes that fit: choose with --model")
    return every


def _council(engines: Sequence[EngineConfig], loaded: LoadedConfig) -> Council:
    """Return the council whose first node has what the user's configuration says of it."""
    config = loaded.config
    shared = {f"node.{key}": getattr(config.node, key) for key in ("network", "specialty", "shard", "stop_ms")}
    first = {
        f"{table}.{item.name}": msgspec.to_builtins(getattr(getattr(config, table), item.name), enc_hook=_plain)
        for table in _FIRST_TABLES
        for item in fields(getattr(config, table))
        if f"{table}.{item.name}" in loaded.origins
    }
    return Council(engines, config.node.data_dir / FOLDER_NAME, shared, {"api.bind": config.api.bind, **first})


def _plain(value: object) -> object:
    """Return a path as text, the only type of ours that msgspec does not know."""
    return str(value)


def _warn_if_few(engines: Sequence[EngineConfig], network: str, console: Console) -> None:
    params = load_params(network)
    least = max(params.answers_min, params.judges_min)
    if len(engines) < least:
        told = (
            f"{len(engines)} of the {least} nodes that a decided outcome takes: name more models, or one more than once"
        )
        console.print(told, soft_wrap=True)


async def _tell(swarm: LocalSwarm, names: Sequence[str], *, as_json: bool) -> None:
    """Tell how the swarm is reached. Raises ClientError."""
    told = await swarm.reached()
    for node, name in zip(told["nodes"], names, strict=True):
        node["name"] = name
    if as_json:
        print_json(told)
        return
    for name, value in (("api", told["api"]), ("openai", told["openai"]), ("page", told["ui"])):
        print(f"{name:8}{value}")
    for node in told["nodes"]:
        print(f"node    {node['key']}  {node['name']}")
    print(f"ask it: strand ask --url {told['api']} QUESTION; Ctrl-C ends all nodes")
    sys.stdout.flush()


def _say(ended: Ended) -> None:
    """Tell of a node that ended by itself, in one line."""
    told = f"{ended.name} ended ({ended.why}); starting it again in {ended.pause_s:.0f} s"
    stderr().print(outside(told), soft_wrap=True)
