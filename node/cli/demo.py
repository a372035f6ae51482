"""`strand demo`: a whole swarm on this machine, real processes over libp2p, one question, one verified certificate."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import trio
from cyclopts import Parameter
from rich.console import Console

from node.cli.certificates import FILE_DIGITS, print_report
from node.cli.errors import CliError, Exit
from node.cli.follow import PlainLines, follow, report, save_certificate
from node.cli.options import JsonFlag, outside, print_json, read_query, stderr, stdout
from node.client import Question
from node.inference import EngineConfig, EngineInfo, open_engine
from node.local import Child, NodeSpec, open_swarm
from node.local.nodes import NODES_MAX, START_S

QUERY = "Write a Rust function that finds the first string longer than 10 characters in a vector."

PATIENCE_MS = 20_000
"""Milliseconds to wait for stragglers after a quorum: the nodes share one model server and answer one after another."""

JUDGE_ANSWER_BYTES_MAX = 400
"""Bytes of an answer that a judge reads: a round of five then judges in well under a minute on two quiet cores."""


async def demo(
    query: Annotated[str, Parameter(allow_leading_hyphen=True, help="What to ask; - reads it from stdin.")] = QUERY,
    *,
    nodes: Annotated[int, Parameter(help="How many nodes to start.")] = 5,
    engine: Annotated[
        str, Parameter(help="embedded (SmolLM2 on this machine), scripted, or the URL of an OpenAI-compatible server.")
    ] = "embedded",
    keep: Annotated[bool, Parameter(negative="", help="Leave the swarm running until Ctrl-C.")] = False,
    json: JsonFlag = False,
    out: Annotated[Path | None, Parameter(help="Where to write the certificate.")] = None,
) -> int:
    """Start a swarm of nodes on this machine, ask it, and verify the certificate that comes back.

    With the embedded model (135 million parameters) the answers are poor Rust: it shows the path, not the quality.
    """
    if not 1 <= nodes <= NODES_MAX:
        raise CliError(f"--nodes is between 1 and {NODES_MAX}", Exit.USAGE)
    query = read_query(query)
    console = stderr()
    with _folder() as folder:
        async with AsyncExitStack() as stack:
            config, info = await _engine(engine, stack, console)
            console.print(f"starting {nodes} node processes")
            swarm = await stack.enter_async_context(open_swarm(_specs(nodes, config, folder)))
            client = await stack.enter_async_context(swarm.connect())
            await client.wait_offers(nodes, START_S)
            console.print(outside(f"{nodes} nodes know each other; asking one of them: {query}"), soft_wrap=True)
            lines = None if console.is_terminal else PlainLines(console)
            followed = await follow(client, Question.single(query, patience_ms=PATIENCE_MS), 600.0, console, lines)
            path = out or Path.cwd() / f"strand-{followed.query_id[:FILE_DIGITS]}.certificate"
            save_certificate(followed.certificate, path)
            told = report(followed, path.resolve())
            told |= {"nodes": nodes, "engine": _engine_name(engine, info)}
            if json:
                print_json(told)
            else:
                print_report(told, stdout())
                print("took " + ", ".join(f"{phase} {ms / 1000:.1f} s" for phase, ms in told["timings_ms"].items()))
                print(f"certificate verified: {told['certificate']}")
                if engine == "embedded":
                    print(
                        "The model is tiny, so the Rust is poor; the path from question to certificate is the real one."
                    )
            if keep:
                sys.stdout.flush()
                _print_ports(swarm.nodes, console)
                await trio.sleep_forever()
    return Exit.OK if told["outcome"] == "decided" else Exit.NO_QUORUM


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


async def _engine(kind: str, stack: AsyncExitStack, console: Console) -> tuple[EngineConfig, EngineInfo]:
    """Return the nodes' engine configuration and its probe. The embedded server is started once, for all."""
    if kind == "scripted":
        config = EngineConfig(kind="scripted")
    elif kind == "embedded":
        from node.inference.embedded import embedded_server

        told = "starting llama.cpp with SmolLM2-135M-Instruct (the smallest engine that is a real one)"
        console.print(told, soft_wrap=True)
        server = await stack.enter_async_context(
            embedded_server(EngineConfig(kind="embedded", judge_answer_bytes_max=JUDGE_ANSWER_BYTES_MAX))
        )
        config = server.client_config
    elif kind.startswith(("http://", "https://")):
        config = EngineConfig(kind="openai", url=kind)
    else:
        raise CliError(f"--engine is embedded, scripted or a URL, not {kind!r}", Exit.USAGE)
    async with open_engine(config) as engine:
        return config, await engine.probe()


def _engine_name(kind: str, info: EngineInfo) -> str:
    """Return the engine's name: for the embedded server its own kind, not that of the client that reaches it."""
    return f"{kind} llama.cpp: {info.model}" if kind == "embedded" else f"{info.kind}: {info.model}"


def _specs(nodes: int, config: EngineConfig, folder: Path) -> list[NodeSpec]:
    return [
        NodeSpec(folder / f"node-{index}", config, seed=index, temperature=0.5 + 0.1 * (index % 6))
        for index in range(nodes)
    ]


def _print_ports(children: list[Child], console: Console) -> None:
    console.print("the swarm keeps running until Ctrl-C:")
    for child in children:
        console.print(f"  {child.url}  {child.key}  {child.addresses[0]}", highlight=False, soft_wrap=True)
