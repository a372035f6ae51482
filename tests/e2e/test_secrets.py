"""No secret in anything that a node writes, and nothing that it writes is open to others."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from protocol.signing import Keypair
from tests.support.engine_server import Reply, StandIn, as_json, serving
from tests.support.processes import PATIENCE_S, STRAND, Ran, Shell, log_records

TOKEN = "marked-token-0d1f"
API_KEY = "marked-api-key-77c2"
SEED = bytes(range(32))
SECRETS = {
    "token": TOKEN,
    "API key": API_KEY,
    "seed": SEED.hex(),
    "seed as bytes": repr(SEED)[2:-1],
}
HOLDERS = {"node.key", "node.toml"}
"""Files that are there to hold them."""


class Talkative(StandIn):
    """A model server that repeats the key in its errors, as hosted ones do; `grudge`: its next answer is one."""

    KEY = API_KEY

    def __init__(self) -> None:
        super().__init__()
        self.grudge = False

    def reply_to(self, path: str, headers: str, body: Any) -> Reply:
        if self.grudge and path == "/v1/chat/completions":
            self.grudge = False
            return as_json({"error": {"message": f"Incorrect API key provided: {self.KEY}"}}, "400 Bad Request")
        return super().reply_to(path, headers, body)


@pytest.fixture
def wide_umask() -> Iterator[None]:
    """The least careful user: what is made is open to all unless its maker says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def get(url: str, token: str, query: str = "") -> None:
    request = urllib.request.Request(url + query, headers={"Authorization": f"Bearer {token}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(request, timeout=PATIENCE_S).close()
    except urllib.error.HTTPError as refused:
        assert refused.code in (400, 401, 404)


def written(home: Path) -> dict[str, bytes]:
    """Every file below `home` but those that are there to hold secrets."""
    files = (path for path in home.rglob("*") if path.is_file() and path.name not in HOLDERS)
    return {str(path.relative_to(home)): path.read_bytes() for path in files}


def found(texts: dict[str, bytes]) -> list[tuple[str, str]]:
    """Which secret stands where."""
    return [
        (where, name) for where, text in texts.items() for name, secret in SECRETS.items() if secret.encode() in text
    ]


def configure(folder: Path, engine_url: str) -> Path:
    """Fill in the file that `strand init` wrote."""
    file = folder / "node.toml"
    text = file.read_text()
    for old, new in (
        ('token = ""', f'token = "{TOKEN}"'),
        ('api_key = ""', f'api_key = "{API_KEY}"'),
        ('kind = "embedded"', 'kind = "openai"'),
        ('url = "http://127.0.0.1:8000"', f'url = "{engine_url}"'),
        ('bind = "127.0.0.1:4210"', 'bind = "127.0.0.1:0"'),
        ('listen = ["/ip4/0.0.0.0/tcp/4211"]', 'listen = ["/ip4/127.0.0.1/tcp/0"]'),
        ('level = "info"', 'level = "debug"'),
        ('format = "console"', 'format = "json"'),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    file.write_text(text)
    return file


def _assert_shows_nothing(pid: int) -> None:
    """No core dump is left, and what is not dumpable belongs to root, whoever runs it (proc(5))."""
    limits = Path(f"/proc/{pid}/limits").read_text()
    (core,) = (line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    assert Path(f"/proc/{pid}/environ").stat().st_uid == 0


@pytest.mark.usefixtures("wide_umask")
async def test_a_life_of_a_node_leaves_no_secret_and_no_file_open_to_others(tmp_path: Path) -> None:
    """At 044b2f0 the configuration has mode 0644, and the server's error brings the key into the log."""
    shell = Shell(tmp_path)
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "node.key").touch(mode=0o600)
    (data / "node.key").write_text(SEED.hex() + "\n")
    config = tmp_path / "conf" / "node.toml"
    source = ("--config", str(config), "--data-dir", str(data))
    ran: dict[str, Ran] = {"init": await trio.to_thread.run_sync(shell.strand, "init", *source)}
    assert ran["init"].code == 0, ran["init"].stderr
    server = Talkative()
    async with serving(server) as engine_url:
        configure(config.parent, engine_url)
        with (tmp_path / "run.err").open("wb") as errors:
            process = await trio.lowlevel.open_process(
                [STRAND, "run", "--json", "--until-stdin-closes", "--record", str(data / "recording"), *source],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=shell.environment(),
            )
        assert process.stdout is not None and process.stdin is not None
        printed = b""
        with trio.fail_after(PATIENCE_S):
            while not printed.endswith(b"\n"):
                chunk = await process.stdout.receive_some()
                assert chunk, (tmp_path / "run.err").read_text()
                printed += chunk
        url = json.loads(printed)["url"]
        assert bytes.fromhex(json.loads(printed)["key"]) == Keypair(SEED).public
        _assert_shows_nothing(process.pid)
        server.grudge = True
        for name, arguments in (
            ("ask", ("ask", "Which?", "--url", url, "--timeout", "60", *source)),
            ("ask again", ("ask", "Which?", "--url", url, "--json", "--timeout", "60", *source)),
            ("status", ("status", "--url", url, "--json", *source)),
            ("engine", ("engine", "--url", url, *source)),
            ("config", ("config", "show", "--origin", *source)),
            ("wrong token", ("status", "--url", url, "--data-dir", str(data))),
        ):
            ran[name] = await trio.to_thread.run_sync(shell.strand, *arguments)
        for token, query in ((TOKEN, f"?token={TOKEN}"), (TOKEN + "x", ""), ("", f"?api_key={API_KEY}")):
            await trio.to_thread.run_sync(get, f"{url}/api/{'certificates/' + TOKEN}", token, query)
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (data, *data.rglob("*"), config.parent, config)}
        await process.stdin.aclose()
        with trio.fail_after(PATIENCE_S):
            while chunk := await process.stdout.receive_some():
                printed += chunk
            await process.wait()
    assert ran["config"].code == 0 and "(set)" in ran["config"].stdout
    assert not server.grudge
    whys = [str(record.get("reason", "")) for record in log_records(tmp_path / "run.err")]
    assert any("Incorrect API key provided: [secret]" in why for why in whys), whys
    texts = {"run: stdout": printed, **written(tmp_path)}
    for name, each in ran.items():
        texts |= {f"{name}: stdout": each.stdout.encode(), f"{name}: stderr": each.stderr.encode()}
    assert {"run.err", "data/recording", "data/strand.db"} <= texts.keys()
    assert b"chmod" not in texts["run.err"]
    assert found(texts) == []
    assert {str(path): oct(mode) for path, mode in modes.items() if mode & 0o077} == {}


def test_a_configuration_with_a_token_that_others_can_read_is_told(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    file = tmp_path / "node.toml"
    file.write_text(f'[api]\ntoken = "{TOKEN}"\nbind = "127.0.0.1:0"\n[overlay]\nlisten = ["/ip4/127.0.0.1/tcp/0"]\n'
                    '[engine]\nkind = "scripted"\n')  # fmt: skip
    file.chmod(0o644)
    source = ("--config", str(file), "--data-dir", str(tmp_path / "data"))
    for command in (("run", "--until-stdin-closes"), ("init",)):
        ran = shell.strand(*command, *source)
        assert ran.code == 0, ran.stderr
        assert ran.stderr.count(f"chmod 600 {file}") == 1
        assert TOKEN not in ran.stderr
