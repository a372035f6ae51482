"""Every error that a user can make at first contact: one line that says what is wrong and what helps, and its code.

The lines are compared whole, because they are what a user has. `{...}` stands for what differs from run to run.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.engine_server import StandIn
from tests.support.model_server import model_server, stand_in
from tests.support.processes import PATIENCE_S, STRAND, Ran, Shell

TOKEN = "a token of the test"
DIGEST = "ab" * 32
ANYWHERE = ("--bind", "127.0.0.1:0", "--listen", "/ip4/127.0.0.1/tcp/0")


@dataclass(frozen=True, slots=True)
class World:
    """What the cases need: a user without anything, a port that is taken, a model server, a node with a token."""

    home: Path
    taken: str
    """An address on which nobody answers and nobody else can listen."""
    server: str
    node: str


@dataclass(frozen=True, slots=True)
class Case:
    """One mistake."""

    name: str
    arguments: tuple[str, ...]
    code: int
    line: str
    variables: dict[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    prepare: Callable[[Path], object] = lambda _: None

    def __str__(self) -> str:
        return self.name


def _file(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda home: (home / name).write_bytes(content)


def _folder(mode: int, owner: int | None = None) -> Callable[[Path], object]:
    def prepare(home: Path) -> None:
        (home / "node").mkdir(mode=0o700)
        (home / "node").chmod(mode)
        if owner is not None:
            os.chown(home / "node", owner, -1)

    return prepare


CASES = (
    Case(
        "the port of the HTTP interface is taken",
        ("run", "--engine", "scripted", "--bind", "{taken}"),
        1,
        "cannot serve HTTP on {taken}: Address already in use; choose another with --bind, or give each of your "
        "nodes a --profile; `strand status` tells whether a node is there",
    ),
    Case(
        "the port for peers is taken",
        ("run", "--engine", "scripted", "--bind", "127.0.0.1:0", "--listen", "/ip4/127.0.0.1/tcp/{port}"),
        1,
        "cannot listen on /ip4/127.0.0.1/tcp/{port}: the port is in use; choose another with --listen, or give each of "
        "your nodes a --profile",
    ),
    Case(
        "the engine is not reachable",
        ("run", "--engine", "openai", "--engine-url", "http://{taken}", *ANYWHERE),
        4,
        "engine at http://{taken} is not reachable: Error connecting to ('127.0.0.1', {port}): Connection refused; "
        "start it, or correct engine.url",
    ),
    Case(
        "an engine's URL without its kind",
        ("run", "--engine-url", "http://{taken}"),
        2,
        'engine.url in flag needs engine.kind = "openai" (--engine openai)',
    ),
    Case(
        "the engine has no such model",
        ("run", "--engine", "openai", "--engine-url", "{server}", *ANYWHERE),
        4,
        "engine at {server} has no model 'nine'; it lists: 'one', 'two', 'an-embed-model'; name one in engine.model",
        variables={"STRAND_ENGINE_API_KEY": StandIn.KEY, "STRAND_ENGINE_MODEL": "nine"},
    ),
    Case(
        "the engine refuses the key",
        ("run", "--engine", "openai", "--engine-url", "{server}", *ANYWHERE),
        4,
        "engine at {server} refused the API key of engine.api_key (/v1/models): no such key",
        variables={"STRAND_ENGINE_API_KEY": "wrong"},
    ),
    Case(
        "no node is running",
        ("ask", "Sum a slice.", "--url", "http://{taken}"),
        4,
        "no node answers at http://{taken} (all attempts to connect to {taken} failed): start one with `strand run`",
    ),
    Case(
        "a key of the configuration is misspelt",
        ("run", "--config", "mine.toml"),
        2,
        "unknown key round.patience in mine.toml: did you mean round.patience_ms?",
        prepare=_file("mine.toml", b"[round]\npatience = 3\n"),
    ),
    Case(
        "the configuration is not TOML",
        ("run", "--config", "mine.toml"),
        2,
        "mine.toml is not TOML: Expected ']' at the end of a table declaration (at line 1, column 7)",
        prepare=_file("mine.toml", b"[round\n"),
    ),
    Case(
        "others may enter the folder",
        ("run", "--engine", "scripted", "--data-dir", "{home}/node", *ANYWHERE),
        1,
        "{home}/node is open to others (mode 755): chmod 700 {home}/node",
        prepare=_folder(0o755),
    ),
    Case(
        "the network is unknown",
        ("run", "--network", "atlantis", *ANYWHERE),
        2,
        "no network parameters 'atlantis': give a file, or one of devnet, minimal",
    ),
    Case(
        "the address of a bootstrap node is no multiaddr",
        ("run", "--bootstrap", "192.0.2.1:4211"),
        2,
        "[overlay] bootstrap: '192.0.2.1:4211': write /ip4/192.0.2.1/tcp/4211, and end it in /p2p/<peer id> (in flag)",
    ),
    Case(
        "the interface is opened to others without a token",
        ("run", "--bind", "0.0.0.0:4210"),
        2,
        "[api] bind = 0.0.0.0:4210 is reachable from other machines: set token, or bind to 127.0.0.1 (in flag)",
    ),
    Case(
        "the question is empty",
        ("ask", " "),
        2,
        "the query is empty: write it in quotes, or send it through stdin",
    ),
    Case(
        "the question is too long",
        ("ask", "-"),
        2,
        "the query has more than 65536 bytes: shorten it, for no node takes a longer one",
        stdin=b"x" * 70_000,
    ),
    Case(
        "the question has no quotes",
        ("ask", "What", "is", "Rust"),
        2,
        "Unused Tokens: ['is', 'Rust']. (put the question in quotes)",
    ),
    Case(
        "the token is missing",
        ("status", "--url", "{node}"),
        1,
        "a token is needed: Authorization: Bearer TOKEN (for `strand`: api.token, or STRAND_API_TOKEN)",
    ),
    Case(
        "the token is another one",
        ("status", "--url", "{node}"),
        1,
        "this is the token of no API key here: the configuration has them (for `strand`: STRAND_API_TOKEN)",
        variables={"STRAND_API_TOKEN": "wrong"},
    ),
    Case(
        "the node does not know the round",
        ("show", DIGEST, "--url", "{node}"),
        1,
        "this node has no such certificate: ask another with --url, or name a file",
        variables={"STRAND_API_TOKEN": TOKEN},
    ),
    Case(
        "the certificate is damaged",
        ("verify", "round.certificate"),
        1,
        "this is no certificate, or a damaged one: malformed (rule P1): Certificate: trailing bytes",
        prepare=_file("round.certificate", b"\0" * 100),
    ),
    Case(
        "there is no such profile",
        ("status", "--profile", "work"),
        2,
        "there is no profile 'work', nor any other yet: make it with `strand init --profile work`",
    ),
    Case(
        "a council without a model server",
        ("local", "--engine", "http://{taken}"),
        4,
        "engine at http://{taken} is not reachable: Error connecting to ('127.0.0.1', {port}): Connection refused; "
        "start it, or correct engine.url",
    ),
)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    shell = Shell(tmp_path_factory.mktemp("node"))
    with subprocess.Popen(
        [STRAND, "run", "--engine", "scripted", "--json", *ANYWHERE],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=shell.environment() | {"STRAND_API_TOKEN": TOKEN},
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        process.kill()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with model_server(stand_in()) as url:
        yield url


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_mistake_is_one_line_that_helps(case: Case, tmp_path: Path, closed_url: str, server: str, node: str) -> None:
    world = World(tmp_path, closed_url.removeprefix("http://"), server, node)
    case.prepare(tmp_path)
    ran = _strand(world, case)
    assert (ran.code, ran.stdout) == (case.code, ""), ran
    # A node tells in its log what it does before it refuses; the last line is the refusal.
    *log, line = ran.stderr.splitlines()
    assert line == f"strand: {_filled(case.line, world)}"
    assert [each for each in log if " [info " not in each and " [warning " not in each] == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_the_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    _folder(0o700, owner=12_345)(tmp_path)
    ran = Shell(tmp_path).strand("run", "--engine", "scripted", "--data-dir", tmp_path / "node", *ANYWHERE)
    line = f"strand: {tmp_path}/node belongs to user 12345, not to 0: run strand as its owner\n"
    assert (ran.code, ran.stderr) == (1, line)


def test_there_are_as_many_cases_as_were_promised() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 15


def _strand(world: World, case: Case) -> Ran:
    arguments = [_filled(argument, world) for argument in case.arguments]
    done = subprocess.run(
        [STRAND, *arguments],
        input=case.stdin,
        capture_output=True,
        env=Shell(world.home).environment() | case.variables,
        cwd=world.home,
        timeout=2 * PATIENCE_S,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def _filled(text: str, world: World) -> str:
    port = world.taken.rpartition(":")[2]
    return text.format(taken=world.taken, port=port, server=world.server, node=world.node, home=world.home)
