"""Checks of `strand doctor`: each fault that a user can make has its line and its remedy."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from node.api.engine import AttemptReport, TrialReport
from node.api.status import ClockComparison, Condition, Peer
from node.cli.doctor import checkup, checkup_node
from node.cli.doctor.checkup import Level
from node.cli.main import run
from node.config import ApiTable, NodeConfig, OverlayTable, load_config
from node.inference import EngineConfig
from node.keys import KEY_NAME, load_or_create_key
from tests.support.shown import PEERS, STATUS

DEAD = "http://127.0.0.1:9"
LOCAL = "/ip4/127.0.0.1/tcp/{}"


def test_a_machine_without_a_node_is_looked_at_without_one(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert run(["doctor", "--url", DEAD, "--no-engine", "--json", "--data-dir", str(home / "node")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["running"]) == (True, False)
    checks = {each["check"]: each for each in told["checks"]}
    assert {
        "versions",
        "configuration",
        "node",
        "key",
        "disk",
        "peers",
        "reachability",
        "clock",
        "sandbox",
    } == checks.keys()
    assert all(bool(each["remedy"]) == (each["level"] != "ok") for each in told["checks"])


def test_a_result_is_a_line_with_its_remedy(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    (home / "node").mkdir()
    (home / "node").chmod(0o755)
    key_file = home / "node" / KEY_NAME
    key_file.write_text("x")
    key_file.chmod(0o644)
    assert run(["doctor", "--url", DEAD, "--no-engine", "--data-dir", str(home / "node")]) == 1
    lines = capsys.readouterr().out.splitlines()
    (key,) = [line for line in lines if line.startswith("fail")]
    assert "is open to others" in key and key.endswith(f"chmod 700 {home / 'node'}")


def test_a_wrong_configuration_is_a_result(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text("[round]\npatience = 1\n")
    assert run(["doctor", "--config", str(tmp_path / "node.toml"), "--json"]) == 1
    (check,) = json.loads(capsys.readouterr().out)["checks"]
    assert check["check"] == "configuration" and "round.patience" in check["text"]


def test_a_file_with_a_secret_that_others_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('[api]\ntoken = "hush"\n')
    file.chmod(0o644)
    (found,) = checkup.configuration(load_config(file=file, environment={}))
    assert (found.level, found.remedy) == (Level.FAIL, f"chmod 600 {file}")
    file.chmod(0o600)
    (found,) = checkup.configuration(load_config(file=file, environment={}))
    assert found.level is Level.OK and found.text.startswith("1 setting is no default")


def test_a_setting_that_a_file_names_with_its_default_is_a_default(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('[node]\nspecialty = "rust"\nstop_ms = 1\n')
    (found,) = checkup.configuration(load_config(file=file, environment={}))
    assert found.text.startswith("1 setting is no default")


def test_a_port_that_is_held_names_its_holder() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        config = NodeConfig(
            api=ApiTable(bind=f"127.0.0.1:{port}"),
            overlay=OverlayTable(listen=(LOCAL.format(0), LOCAL.format(port), "/ip4/192.0.2.7/tcp/4211")),
        )
        http, free, held, absent = checkup.ports(config)
    assert http.level is held.level is absent.level is Level.FAIL
    assert f"127.0.0.1:{port} for HTTP is held by" in http.text and "--bind" in http.remedy
    assert "for peers" in held.text and "--listen /ip4/127.0.0.1/tcp/PORT" in held.remedy
    assert free.level is Level.OK
    assert "no such address" in absent.text
    assert checkup.holder(port) == "another user's", "nobody holds it any more"


def test_a_key_is_read_and_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    assert checkup.key(folder).level is Level.WARN
    assert not folder.exists()
    made = load_or_create_key(folder)
    assert made.keypair.public.hex() in checkup.key(folder).text
    (folder / KEY_NAME).write_text("nonsense")
    (folder / KEY_NAME).chmod(0o600)
    assert checkup.key(folder).level is Level.FAIL


def test_a_folder_that_takes_no_file_is_told(tmp_path: Path) -> None:
    assert checkup.disk(tmp_path / "absent" / "node").text.startswith(f"{tmp_path} takes writes")
    (tmp_path / "file").touch()
    assert checkup.disk(tmp_path / "file").level is Level.FAIL
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


async def test_a_bootstrap_peer_that_does_not_answer_is_told() -> None:
    assert (await checkup.bootstraps(NodeConfig()))[0].level is Level.WARN
    peer = "12D3KooWKy87mW2QMouLLspCtvWBNvm9ELWxBHVgJWaLGYvaT1b1"
    with socket.socket() as open_one, socket.socket() as closed:
        open_one.bind(("127.0.0.1", 0))
        open_one.listen(1)
        closed.bind(("127.0.0.1", 0))
        addresses = tuple(f"{LOCAL.format(each.getsockname()[1])}/p2p/{peer}" for each in (open_one, closed))
        found = await checkup.bootstraps(NodeConfig(overlay=OverlayTable(bootstrap=addresses)))
    assert sorted(each.level for each in found) == ["fail", "ok"]
    assert "Connection refused" in next(each.text for each in found if each.level is Level.FAIL)


async def test_an_engine_is_really_tried() -> None:
    assert (await checkup.engine(NodeConfig(engine=EngineConfig(kind="scripted")))).level is Level.OK
    away = NodeConfig(engine=EngineConfig(kind="openai", url=DEAD))
    found = await checkup.engine(away)
    assert found.level is Level.FAIL and "127.0.0.1:9" in found.text
    managed = replace(away.vllm, model="a model")
    assert (
        "not tried"
        in (await checkup.engine(replace(NodeConfig(), engine=EngineConfig(kind="vllm"), vllm=managed))).text
    )


def test_what_a_node_found_belongs_to_a_check() -> None:
    found = checkup_node.conditions(
        (
            Condition("no_weight", "nobody", "set", ""),
            Condition("alone", "alone", "join", ""),
            Condition("new", "?", "!", ""),
        )
    )
    assert [(each.check, each.level, each.remedy) for each in found] == [
        ("trust", "fail", "set"),
        ("peers", "fail", "join"),
        ("peers", "fail", "!"),
    ]


def peer(direction: str | None, *addresses: str) -> Peer:
    return structs.replace(PEERS.peers[0], direction=direction, addresses=addresses)


@pytest.mark.parametrize(
    ("own", "known", "level", "words"),
    [
        ("127.0.0.1", (peer("inbound", LOCAL.format(1)),), "ok", "where alone it listens"),
        ("10.0.0.5", (peer("inbound", LOCAL.format(1)),), "warn", "whether others could is not known"),
        ("10.0.0.5", (peer("inbound", "/ip4/9.9.9.9/tcp/1"), peer("outbound")), "ok", "1 with public addresses"),
        ("10.0.0.5", (peer("outbound", "/ip4/9.9.9.9/tcp/1"), peer(None)), "warn", "no peer has connected"),
        ("10.0.0.5", (), "warn", "no peer has connected"),
    ],
)
def test_reachability_says_what_it_knows(own: str, known: Any, level: str, words: str) -> None:
    told = structs.replace(STATUS, addresses=(f"/ip4/{own}/tcp/4211",))
    found = checkup_node.reachability(told, known)
    assert found.level == level and words in found.text
    assert ("--announce" in found.remedy) == (level == "warn")


async def test_addresses_that_peers_are_told_are_tried() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        addresses = (LOCAL.format(closed.getsockname()[1]), "not an address")
        (found,) = await checkup_node.listening(structs.replace(STATUS, addresses=addresses))
    assert (found.check, found.level) == ("ports", "fail")


@pytest.mark.parametrize(
    ("comparison", "level"),
    [(ClockComparison(0, 0, False, 0), "warn"), (ClockComparison(3, -40, False, 1), "ok")],
)
def test_a_clock_is_compared_with_peers(comparison: ClockComparison, level: str) -> None:
    found = checkup_node.clock(structs.replace(STATUS, clock=comparison, conditions=()))
    assert found is not None and found.level == level


def test_a_clock_that_is_off_is_told_once() -> None:
    off = structs.replace(STATUS, conditions=(Condition("clock_off", "behind by 9 s", "set it", ""),))
    assert checkup_node.clock(off) is None
    (found,) = checkup_node.conditions(off.conditions)
    assert (found.check, found.level) == ("clock", "fail")


def test_other_reports_of_a_node() -> None:
    assert checkup_node.store(structs.replace(STATUS, store="the disk is full")).level is Level.FAIL
    assert checkup_node.store(STATUS).level is Level.OK
    few = checkup_node.peers(structs.replace(STATUS, nodes_offering=1))
    assert few is not None and few.level is Level.WARN
    lone = structs.replace(STATUS, peers_connected=0, conditions=())
    alone = checkup_node.peers(lone)
    assert alone is not None and alone.level is Level.WARN
    told = Condition("alone", "this node is alone", "join", "")
    assert checkup_node.peers(structs.replace(lone, conditions=(told,))) is None
    off = Condition("clock_off", "behind by 9 s", "set it", "")
    assert checkup_node.peers(structs.replace(lone, conditions=(off,))) is not None
    paused = structs.replace(STATUS.serving, why_not="paused", open=False)
    assert checkup_node.serving(structs.replace(STATUS, serving=paused)).remedy == "`strand resume`"
    assert checkup_node.serving(STATUS).level is Level.OK
    works = TrialReport(
        True, "", AttemptReport(1, "a model", ""), AttemptReport(1200, "fn", ""), AttemptReport(300, "50%", "")
    )
    assert checkup.tried(works).text == "a model gave an answer in 1.2 s, a judgement in 0.3 s"
    broken = structs.replace(works, works=False, error="it gives no answer: HTTP 500", answer=None, judgement=None)
    found = checkup.tried(broken)
    assert found.level is Level.FAIL
    assert "start it" not in found.remedy and "engine.url" not in found.remedy, "the error itself says so"


@contextmanager
def server(status: int, body: bytes) -> Iterator[str]:
    """A web server that gives one reply, whatever it is asked."""

    class Same(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """stderr is the command's."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Same) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "words", "remedy"),
    [
        (200, b"<html>", "is no strand node", "--url as `strand run` tells it"),
        (401, b'{"error": "the token is missing or wrong"}', "token is missing", "api.token"),
    ],
)
def test_a_port_that_answers_as_no_node_of_ours_does(
    capsys: pytest.CaptureFixture[str], status: int, body: bytes, words: str, remedy: str
) -> None:
    with server(status, body) as url:
        assert run(["doctor", "--url", url, "--json"]) == 1
    (check,) = [each for each in json.loads(capsys.readouterr().out)["checks"] if each["check"] == "node"]
    assert check["level"] == "fail" and words in check["text"] and remedy in check["remedy"]
