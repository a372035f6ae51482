"""What a council is made of: the engines of its file, and nodes that keep their folders."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from rich.console import Console

from node.cli.local import Option, _parse, _usual
from node.cli.main import run
from node.cli.parts.errors import CliError
from node.cli.parts.options import stderr
from node.cli.reset import CERTIFICATES_NAME, _left
from node.errors import UserError
from node.founding import found_node
from node.inference import EngineConfig
from node.inference.servers import FoundServer
from node.local.council import FOLDER_NAME, Council, CouncilError, node_names, read_engines
from node.local.nodes import NODES_MAX
from tests.support.home import home as home
from tests.support.processes import assert_refusal_line

SCRIPTED = EngineConfig(kind="scripted")


def engines_of(tmp_path: Path, text: str) -> list[EngineConfig]:
    file = tmp_path / "council.toml"
    file.write_text(text)
    return read_engines(file)


def test_a_table_is_an_engine_for_each_of_its_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_OF_MINE", "secret")
    text = '[[engine]]\nurl = "http://a"\nmodels = ["x", "y"]\nkey_env = "KEY_OF_MINE"\n[[engine]]\nkind = "embedded"\n'
    hosted = EngineConfig(kind="openai", url="http://a", api_key="secret")
    assert engines_of(tmp_path, text) == [replace(hosted, model="x"), replace(hosted, model="y"), EngineConfig()]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "consists of tables"),
        ("[node]\n", "consists of tables [[engine]], not of 'node'"),
        ("engine = 3\n", "consists of tables"),
        ("engine = [3]\n", "engine 1: it is no table"),
        ('[[engine]]\nurl = "http://a"\n[[engine]]\nmodel = "x"\n', "engine 2: unknown key 'model': it has api_key"),
        ("[[engine]]\nmodels = []\n", "models is a list of names"),
        ("[[engine]]\nmodels = [1]\n", "models is a list of names"),
        ('[[engine]]\nkey_env = "NO_SUCH_KEY"\n', "the variable NO_SUCH_KEY of the environment is not set"),
        ("[[engine]]\nkey_env = 7\n", "the variable 7"),
        ('[[engine]]\nkind = "steam"\n', "Invalid enum value 'steam'"),
        ("[[engine]]\nconcurrency = 0.5\n", "Expected `int`"),
    ],
)
def test_a_file_that_is_wrong_is_told(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError) as raised:
        engines_of(tmp_path, text)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_options_belong_to_the_engine_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_OF_MINE", "secret")
    options = [
        Option("--engine", "http://a"),
        Option("--model", "x"),
        Option("--key-env", "KEY_OF_MINE"),
        Option("--model", "x"),
        Option("--engine", "embedded"),
    ]
    hosted = EngineConfig(kind="openai", url="http://a", api_key="secret", model="x")
    assert _parse(options) == [hosted, hosted, EngineConfig()]
    with pytest.raises(CliError, match="--engine is a URL, embedded or scripted"):
        _parse([Option("--engine", "steam")])


def test_a_folder_follows_the_engine_and_not_its_place() -> None:
    one, two = replace(SCRIPTED, model="Qwen/Qwen2.5:7b"), replace(SCRIPTED, model="../../etc")
    first, second, again = node_names([one, two, one])
    assert node_names([two, one]) == [second, first]
    assert len({first, second, again}) == 3
    assert all("/" not in name and "." not in name and len(name) < 64 for name in (first, second, again))
    assert first.startswith("qwen-qwen2-5-7b-")
    # A key may be renewed.
    assert node_names([replace(one, api_key="new")]) == [first]


async def test_nodes_of_a_council_trust_each_other_and_serve_nobody_else(tmp_path: Path) -> None:
    council = Council([SCRIPTED, replace(SCRIPTED, model="x" * 100)], tmp_path, first={"api.bind": "127.0.0.1:1"})
    first, second = await council.specs()
    for spec in (first, second):
        assert len(spec.settings["serve.keys"]) == 2
        assert spec.settings["serve.whom"] == "named"
        assert spec.settings["trust.trusted"] == dict.fromkeys(spec.settings["serve.keys"], 1.0)
    assert first.settings["api.bind"] == "127.0.0.1:1"
    assert "api.bind" not in second.settings
    assert second.name == "x" * 56
    assert [spec.settings["serve.keys"] for spec in await council.specs()] == [first.settings["serve.keys"]] * 2


async def test_nodes_of_one_model_are_told_apart(tmp_path: Path) -> None:
    specs = await Council([SCRIPTED, EngineConfig(), SCRIPTED], tmp_path).specs()
    assert [spec.name for spec in specs] == ["scripted", "embedded", "scripted (2)"]
    assert len({spec.folder for spec in specs}) == 3


async def test_the_embedded_engine_takes_no_name_of_a_model_that_it_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(CouncilError, match="has one model and takes no other, such as x"):
        await Council([EngineConfig(model="x")], tmp_path).specs()
    (spec,) = await Council([EngineConfig(model="x", model_path="x.gguf")], tmp_path).specs()
    assert spec.name == "x"


async def test_who_has_only_a_council_is_pointed_to_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = ["--data-dir", str(tmp_path)]
    assert run(["id", *here]) == 1
    assert "strand local" not in capsys.readouterr().err
    (spec,) = await Council([SCRIPTED], tmp_path / FOLDER_NAME).specs()
    for command in (["id"], ["store", "size"]):
        assert await trio.to_thread.run_sync(run, [*command, *here]) == 1
        assert_refusal_line(capsys.readouterr().err, "there is no", f"--data-dir {spec.folder}")
    assert await trio.to_thread.run_sync(run, ["reset", "--yes", *here]) == 0
    nothing, left = capsys.readouterr().out.splitlines()
    assert nothing == f"nothing to remove in {tmp_path}"
    assert left.startswith("left: the nodes of `strand local`") and str(spec.folder) in left
    await found_node(tmp_path)
    assert await trio.to_thread.run_sync(run, ["id", *here]) == 0


async def test_a_reset_says_that_certificates_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await found_node(tmp_path)
    kept = tmp_path / CERTIFICATES_NAME / "0123456789abcdef.strand"
    kept.parent.mkdir()
    kept.write_bytes(b"")
    assert await trio.to_thread.run_sync(run, ["reset", "--yes", "--json", "--data-dir", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["left"] == [str(kept.parent)]
    assert kept.exists()
    assert "certificates in" in _left(tmp_path)[0]


async def test_who_has_no_model_server_is_offered_the_tiny_model(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(_: Console) -> list[FoundServer]:
        return []

    # What runs on the usual ports of this machine is not the test's.
    monkeypatch.setattr("node.cli.local.look_for_servers", none)
    with pytest.raises(CouncilError, match="--engine embedded, three times"):
        await _usual(stderr())


@pytest.mark.parametrize("count", [0, NODES_MAX + 1])
async def test_a_council_has_bounds(tmp_path: Path, count: int) -> None:
    with pytest.raises(CouncilError, match=f"1 to {NODES_MAX} nodes"):
        await Council([SCRIPTED] * count, tmp_path).specs()
    assert list(tmp_path.iterdir()) == []
