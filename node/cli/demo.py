"""`strand demo`: a whole swarm on this machine, real processes over libp2p, one question, one verified certificate."""

import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import trio
from cyclopts import Parameter
from rich.console import Console

from node.cli.ask.follow import PlainLines, follow, report, save_certificate
from node.cli.parts.certificates import file_name, print_report
from node.cli.parts.dialogue import Dialogue, is_terminal
from node.cli.parts.engines import engine_of
from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import JsonFlag, outside, print_json, read_query, stderr, stdout
from node.client import Question
from node.client.client import SILENCE_S
from node.inference import EngineConfig, EngineInfo, open_engine
from node.inference.servers import find_servers
from node.local import Child, LocalSwarm, NodeSpec, open_swarm
from node.local.council import PATIENCE_MS
from node.local.nodes import NODES_MAX, plain_environment
from node.sandbox.choosing import SandboxOff
from node.sandbox.config import SandboxConfig
from node.work.node_tester import find_tester

QUERY = "Write a Rust function that finds the first string longer than 10 characters in a vector."

EMBEDDED: Final = "embedded"
"""The engine of who names none."""

TINY_TOKENS: Final = 128
"""Tokens of one answer by the embedded model, elsewhere 256: two cores then write and judge five of them in half a
minute, and what such a model would add is no better."""

QUESTION_S: Final = 30.0
"""Seconds in which the only question may be answered; then the tiny model is taken."""

_TIMES: Final = {"to_answer": "until the answer", "total": "in all"}
"""Words for times that are not those of one phase."""

JUDGE_ANSWER_BYTES_MAX = 400
"""Bytes of an answer that a judge reads: a round of five then judges in well under a minute on two quiet cores."""


async def demo(
    query: Annotated[str, Parameter(allow_leading_hyphen=True, help="What to ask; - reads it from stdin.")] = QUERY,
    *,
    nodes: Annotated[int, Parameter(help="How many nodes to start.")] = 5,
    engine: Annotated[
        str | None,
        Parameter(
            name=("--engine", "--engine-url"),
            help="embedded (SmolLM2 on this machine), scripted, or the URL of an OpenAI-compatible server.",
        ),
    ] = None,
    model: Annotated[str, Parameter(help="Model of the server at a URL; default: the first that it lists.")] = "",
    keep: Annotated[
        bool,
        Parameter(
            negative="",
            help="Leave the swarm running until Ctrl-C. With --json nothing is asked: the object names the first node.",
        ),
    ] = False,
    findings: Annotated[
        bool,
        Parameter(negative="--no-findings", help="Compile, check and run the answers in a sandbox, where one holds."),
    ] = True,
    strict: Annotated[bool, Parameter(negative="", help="Exit with 3 unless the outcome is decided.")] = False,
    json: JsonFlag = False,
    out: Annotated[Path | None, Parameter(help="Where to write the certificate.")] = None,
) -> int:
    """Start a swarm of nodes on this machine, ask it, and verify the certificate that comes back.

    With the embedded model (135 million parameters) the answers are poor Rust: it shows the path, not the quality. On a
    terminal a model server on a usual port of this machine is offered instead.
    """
    if not 1 <= nodes <= NODES_MAX:
        raise CliError(f"--nodes is between 1 and {NODES_MAX}", Exit.USAGE)
    query = read_query(query)
    console = stderr()
    engine = engine or await _offered(console)
    with _folder() as folder:
        async with AsyncExitStack() as stack:
            config, info = await _engine(engine, model, stack, console)
            if findings:
                await _say_tester(console)
            # A program gets a token: it may well pass the interface on to others.
            token = secrets.token_urlsafe(24) if json and keep else ""
            specs = _specs(nodes, config, folder, _settings(token, findings))
            swarm = await _started(specs, stack, console)
            if json and keep:
                print_json(await swarm.reached() | {"engine": _engine_name(engine, info)})
                await trio.sleep_forever()
            client = await stack.enter_async_context(swarm.connect())
            console.print(outside(f"{nodes} nodes know each other; asking one of them: {query}"), soft_wrap=True)
            also = None if console.is_terminal else PlainLines(console).show
            followed = await follow(client, _question(query, findings, engine), SILENCE_S, console, also)
            path = out or Path.cwd() / file_name(followed.query_id)
            save_certificate(followed.certificate, path)
            told = report(followed, path.resolve())
            told |= {"nodes": nodes, "engine": _engine_name(engine, info)}
            _print(told, engine, as_json=json)
            if keep:
                sys.stdout.flush()
                _print_ports(swarm.nodes, console)
                await trio.sleep_forever()
    # A degraded outcome is a result, as for `strand ask`: the answer is there, and its certificate holds.
    return Exit.NO_QUORUM if strict and told["outcome"] != "decided" else Exit.OK


async def _offered(console: Console) -> str:
    """Return the engine for who named none: on a terminal, a server of this machine if the user wants it."""
    if not is_terminal():
        return EMBEDDED
    found = await find_servers()
    if not found:
        return EMBEDDED
    console.print(outside(f"There is {found[0]}."), soft_wrap=True)
    # Nobody may be there: a terminal is no promise that somebody reads it.
    with trio.move_on_after(QUESTION_S):
        asked = "Use it instead of the tiny model?"
        return found[0].url if await Dialogue(console).confirm(asked, default=False) else EMBEDDED
    console.print()
    return EMBEDDED


async def _say_tester(console: Console) -> None:
    """Build what nodes test answers with, once and not in each node at the same time, and say whether they can."""
    console.print("looking for a sandbox and a Rust compiler, with which the nodes test answers", soft_wrap=True)
    found = await find_tester(SandboxConfig())
    if isinstance(found, SandboxOff):
        console.print(outside(f"no answer will be tested: {found.reason}; {found.remedy}"), soft_wrap=True)


async def _started(specs: list[NodeSpec], stack: AsyncExitStack, console: Console) -> LocalSwarm:
    """Start the nodes and wait until all know each other, and show how many do. Raises UserError."""
    console.print(f"starting {len(specs)} node processes")
    with counted("nodes ready", len(specs), console) as on_ready:
        swarm = await stack.enter_async_context(open_swarm(specs, on_ready))
    with counted("nodes that know all others", len(specs), console) as on_known:
        await swarm.meet(on_known)
    return swarm


@contextmanager
def counted(what: str, expected: int, console: Console) -> Iterator[Callable[[int], None]]:
    """Yield what takes a count and shows it: on a terminal in one line, which goes at the end, else line by line."""
    if not console.is_terminal:
        yield lambda count: console.print(f"{what}: {count} of {expected}", highlight=False)
        return
    with console.status(f"{what}: 0 of {expected}") as shown:
        yield lambda count: shown.update(f"{what}: {count} of {expected}")


def _print(told: dict[str, Any], engine: str, *, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    print_report(told, stdout())
    print(took(told["timings_ms"]))
    print(f"certificate verified: {told['certificate']}")
    if engine == EMBEDDED:
        print("The model is tiny: most of its Rust is poor, and does not compile. The path to the certificate is real.")


def took(timings_ms: Mapping[str, int]) -> str:
    """Return how long each phase of a round took, and all, in words."""
    return "took " + ", ".join(f"{_TIMES.get(name, name)} {ms / 1000:.1f} s" for name, ms in timings_ms.items())


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder for the nodes, removed at the end. Raises CliError."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="strand-demo-")
    except OSError as error:
        where = error.filename or "set TMPDIR to a folder with room"
        raise CliError(f"cannot make a folder for the nodes: {error.strerror} ({where})") from error
    with folder as name:
        yield Path(name)


async def _engine(kind: str, model: str, stack: AsyncExitStack, console: Console) -> tuple[EngineConfig, EngineInfo]:
    """Return the nodes' engine configuration and its probe. The embedded server is started once, for all."""
    config = engine_of(kind)
    if kind == EMBEDDED:
        from node.inference.embedded import embedded_server

        told = "starting llama.cpp with SmolLM2-135M-Instruct (the smallest engine that is a real one)"
        console.print(told, soft_wrap=True)
        server = await stack.enter_async_context(
            embedded_server(replace(config, judge_answer_bytes_max=JUDGE_ANSWER_BYTES_MAX))
        )
        config = server.client_config
    elif config.kind == "openai":
        config = replace(config, model=model)
    async with open_engine(config) as engine:
        return config, await engine.probe()


def _engine_name(kind: str, info: EngineInfo) -> str:
    """Return the engine's name: for the embedded server its own kind, not that of the client that reaches it."""
    return f"{kind} llama.cpp: {info.model}" if kind == EMBEDDED else f"{info.kind}: {info.model}"


def _settings(token: str, findings: bool) -> dict[str, str]:
    return {"api.token": token} | ({} if findings else {"sandbox.enabled": "off"})


def _question(query: str, findings: bool, engine: str) -> Question:
    tokens = TINY_TOKENS if engine == EMBEDDED else None
    return Question.single(query, patience_ms=PATIENCE_MS, max_tokens=tokens, findings=None if findings else ())


def _specs(nodes: int, config: EngineConfig, folder: Path, settings: Mapping[str, str]) -> list[NodeSpec]:
    return [
        NodeSpec(
            folder / f"node-{index}",
            config,
            seed=index,
            temperature=0.5 + 0.1 * (index % 6),
            settings=settings,
            environment=plain_environment(),
        )
        for index in range(nodes)
    ]


def _print_ports(children: list[Child], console: Console) -> None:
    told = "the swarm keeps running until Ctrl-C; each http address opens a dashboard, `strand ui` the first one:"
    console.print(told, soft_wrap=True)
    for child in children:
        console.print(f"  {child.url}  {child.key}  {child.addresses[0]}", highlight=False, soft_wrap=True)
