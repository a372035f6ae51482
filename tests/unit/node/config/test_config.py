import importlib.resources
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from node.api.conversation import Audience
from node.cli.init.command import ReadyFile
from node.config import ApiKeyTable, ConfigError, NodeConfig, load_config, load_params
from node.inference.config import EngineKind
from node.work.judging import prompt_limits
from protocol.versions import AGGREGATOR, CANONICAL_FORM, DRAWS

EXAMPLE = importlib.resources.files("configs") / "node" / "example.toml"
KEY = "ab" * 32
PEER = "12D3KooWKy87mW2QMouLLspCtvWBNvm9ELWxBHVgJWaLGYvaT1b1"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "node.toml"
    path.write_text('[api]\nbind = "127.0.0.1:1"\n[round]\nmax_tokens = 64\nthreshold = 1\n')
    return path


def rejected(
    tmp_path: Path, toml: str = "", environment: dict[str, str] | None = None, flags: dict[str, object] | None = None
) -> str:
    path = tmp_path / "bad.toml"
    path.write_text(toml)
    with pytest.raises(ConfigError) as refusal:
        load_config(file=path, environment=environment or {}, flags=flags)
    message = str(refusal.value)
    assert "\n" not in message
    return message.replace(str(path), "FILE")


def test_a_stronger_source_wins_and_every_value_remembers_its_own(file: Path) -> None:
    environment = {"STRAND_API_BIND": "127.0.0.1:2", "STRAND_ROUND_MAX_TOKENS": "65", "STRAND_DATA": "x", "HOME": "/"}
    loaded = load_config(
        file=file, environment=environment, flags={"api.bind": "[::1]:3", "node.shard": 1, "log.level": None}
    )
    assert loaded.config.api.address == ("::1", 3)
    assert loaded.config.round.max_tokens == 65
    assert loaded.config.node.shard == 1
    assert loaded.origins == {
        "api.bind": "flag",
        "node.shard": "flag",
        "round.max_tokens": "environment STRAND_ROUND_MAX_TOKENS",
        "round.threshold": str(file),
    }
    assert {row[0]: row[2] for row in loaded.rows()}["log.level"] == "default"


def test_text_is_read_by_the_type_of_its_key(tmp_path: Path) -> None:
    environment = {
        "STRAND_OVERLAY_BOOTSTRAP": f"/dns4/a/tcp/1/p2p/{PEER}, /dns4/b/tcp/2/p2p/{PEER}",
        "STRAND_TRUST_TRUSTED": f"{KEY}=0.5",
        "STRAND_TRUST_DEFAULT_WEIGHT": "1",
        "STRAND_NODE_DATA_DIR": str(tmp_path),
        "STRAND_ENGINE_SEED": "7",
        "STRAND_ENGINE_KIND": "openai",
        "STRAND_ENGINE_MODEL": "7",
    }
    file = tmp_path / "empty.toml"
    file.touch()
    config = load_config(file=file, environment=environment).config
    assert config.overlay.bootstrap == (f"/dns4/a/tcp/1/p2p/{PEER}", f"/dns4/b/tcp/2/p2p/{PEER}")
    assert config.trust.trusted == {KEY: 0.5}
    assert config.trust.default_weight == 1.0
    assert config.node.data_dir == tmp_path
    assert (config.engine.seed, config.engine.model) == (7, "7")


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[api]\nbnid = 1", "unknown key api.bnid in FILE: did you mean api.bind?"),
        ("[apii]\nbind = 1", "unknown table [apii] in FILE: did you mean [api]?"),
        ("bind = 1", "bind in FILE stands outside of a table such as [node]"),
        ("[api", "FILE is not TOML: Expected ']' at the end of a table declaration (at end of document)"),
        ("[api]\nbind = 1", "api.bind in FILE: Expected `str`, got `int`"),
        ('[node]\nshard = "1"', "node.shard in FILE: Expected `int`, got `str`"),
        ("[node]\ndata_dir = 1", "node.data_dir in FILE: Expected a path"),
        ("[round]\nanswer_ms = 0", "round.answer_ms in FILE: Expected `int` >= 1"),
        ("[round]\nconfidence_min = 1.01", "round.confidence_min in FILE: Expected `float` <= 1.0"),
        ("[round]\nconfidence_min = nan", "round.confidence_min in FILE: Expected `float` >= 0.0"),
        ('[log]\nlevel = "loud"', "log.level in FILE: Invalid enum value 'loud'; choose from 'debug', 'info',"),
        ('[serve]\nwhom = "friends"', "serve.whom in FILE: Invalid enum value 'friends'; choose from 'everyone', "),
        ('[serve]\nhours = "7-22"', "[serve] hours must be like \"22:00-07:00\", not '7-22'"),
        (
            '[overlay]\nlisten = ["nonsense"]',
            "[overlay] listen: 'nonsense' is not a multiaddr such as /ip4/0.0.0.0/tcp/4211",
        ),
        (
            '[overlay]\nlisten = ["/ip4/1.2.3.4/tcp/65536"]',
            "[overlay] listen: '/ip4/1.2.3.4/tcp/65536' is not a multiaddr",
        ),
        ('[overlay]\nannounce = ["/ip4/0.0.0.0/tcp/1"]', "[overlay] announce: '/ip4/0.0.0.0/tcp/1': nobody can dial"),
        (
            '[overlay]\nbootstrap = ["/ip4/127.0.0.1/tcp/1"]',
            "[overlay] bootstrap: '/ip4/127.0.0.1/tcp/1': it must end in the peer's id",
        ),
        ('[overlay]\nprivate_networks = ["here"]', "[overlay] private_networks: 'here' does not appear"),
        ("[capacity]\nopen_rounds_max = 33", "capacity.open_rounds_max in FILE: Expected `int` <= 32"),
        ("[trust.trusted]\nab = 1.0", "trust.trusted in FILE: Expected `str` matching regex '^[0-9a-f]{64}$'"),
        (f'[trust.trusted]\n{KEY} = "1"', "trust.trusted in FILE: Expected `float`, got `str`"),
        ('[api]\norigins = ["https://a.example/"]', "[api] origins: 'https://a.example/' is not like"),
        ('[api]\norigins = ["*"]', "[api] origins: '*' is not like"),
        ('[api]\norigins = ["null"]', "[api] origins: 'null' is not like"),
        ('[api]\norigins = ["HTTPS://A.example"]', "[api] origins: 'HTTPS://A.example' is not like"),
        ('[api.keys]\n"a b" = "t"', "api.keys in FILE: Expected `str` matching regex '^[A-Za-z0-9]"),
        ('[api.keys]\na = ""', "api.keys in FILE: Expected `str` of length >= 1"),
        ('[api.keys]\na = { audience = "public" }', "api.keys in FILE: Object missing required field `token`"),
        ('[api.keys]\na = { token = "t", for = "me" }', "api.keys in FILE: Object contains unknown field `for`"),
        ('[api.keys]\na = { token = "t", audience = "all" }', "api.keys in FILE: Invalid enum value 'all'"),
        ('[api.keys]\ntoken = "t"', "[api] keys: 'token' is the name of api.token; choose another (in FILE)"),
        ('[api]\ntoken = "t"\nkeys = { a = "t" }', "[api] keys: two have the same token"),
        (
            "[api.keys]\n" + "".join(f'a{number} = "{number}"\n' for number in range(65)),
            "[api] keys: there are at most",
        ),
        ('[api]\nbind = "127.0.0.1"', "[api] bind must be HOST:PORT, not '127.0.0.1'"),
        ('[api]\nbind = "127.0.0.1:65536"', "[api] bind must be HOST:PORT, not '127.0.0.1:65536'"),
    ],
)
def test_a_mistake_in_the_file_is_one_clear_line(tmp_path: Path, toml: str, message: str) -> None:
    assert rejected(tmp_path, toml).startswith(message)


def test_mistakes_elsewhere_are_named_by_their_place(tmp_path: Path) -> None:
    assert rejected(tmp_path, environment={"STRAND_NODE_SHARDS": "1"}) == (
        "unknown key node.shards in environment STRAND_NODE_SHARDS: did you mean node.shard?"
    )
    assert rejected(tmp_path, environment={"STRAND_NODE_SHARD": "one"}) == (
        "node.shard in environment STRAND_NODE_SHARD: Expected `int`, got `str`"
    )
    assert rejected(tmp_path, flags={"node.shard": -1}).startswith("node.shard in flag: Expected `int` >= 0")


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no configuration file"):
        load_config(file=tmp_path / "none.toml", environment={})


def test_without_a_name_the_xdg_file_is_read_if_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert load_config(file=None, environment={}).config.node.data_dir == tmp_path / "data" / "strand"
    (tmp_path / "strand").mkdir()
    (tmp_path / "strand" / "node.toml").write_text("[node]\nshard = 5\n")
    assert load_config(file=None, environment={}).config.node.shard == 5


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.168.0.1", "example.org", "localhost.example.org"])
def test_the_world_is_served_only_with_a_token(tmp_path: Path, host: str) -> None:
    assert "set token" in rejected(tmp_path, f'[api]\nbind = "{host}:4210"')
    path = tmp_path / "good.toml"
    path.write_text(f'[api]\nbind = "{host}:4210"\ntoken = "t"')
    assert load_config(file=path, environment={}).config.api.address == (host.strip("[]"), 4210)


def test_keys_of_the_api_come_as_texts_or_tables(tmp_path: Path) -> None:
    """The node's own commands send the first; what is shown of them are names and audiences."""
    path = tmp_path / "keys.toml"
    path.write_text('[api.keys]\nlaptop = "s3cret"\n[api.keys.editor]\ntoken = "s3cret too"\naudience = "members"\n')
    loaded = load_config(file=path, environment={})
    assert loaded.config.api.named_keys == {
        "laptop": ApiKeyTable("s3cret"),
        "editor": ApiKeyTable("s3cret too", Audience.MEMBERS),
    }
    assert loaded.config.api.own_token == "s3cret"
    assert loaded.files_of_secrets() == {path}
    rows = {key: value for key, value, _ in loaded.rows()}
    assert rows["api.keys"] == {"laptop": "(set)", "editor": {"token": "(set)", "audience": "members"}}
    assert "s3cret" not in str(list(loaded.rows()))
    environment = {"STRAND_API_KEYS": "phone=a=b, web=c", "STRAND_API_TOKEN": "first", "STRAND_API_BIND": "0.0.0.0:1"}
    api = load_config(file=path, environment=environment).config.api
    assert {name: key.token for name, key in api.named_keys.items()} == {"token": "first", "phone": "a=b", "web": "c"}
    assert api.own_token == "first"


@pytest.mark.parametrize("bind", ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1"])
def test_loopback_needs_no_token(tmp_path: Path, bind: str) -> None:
    path = tmp_path / "good.toml"
    path.write_text(f'[api]\nbind = "{bind}"')
    assert load_config(file=path, environment={}).config.api.token == ""


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text('[api]\ntoken = "hush"\n')
    rows = {key: value for key, value, _ in load_config(file=path, environment={}).rows()}
    assert rows["api.token"] == "(set)"
    assert rows["engine.api_key"] == ""


def test_the_example_has_every_key_with_its_default() -> None:
    with importlib.resources.as_file(EXAMPLE) as path:
        loaded = load_config(file=path, environment={})
    assert loaded.config == NodeConfig()
    # Left out are the keys whose default no file can state.
    assert {row[0] for row in loaded.rows()} - set(loaded.origins) == {
        "node.data_dir",
        "engine.seed",
        "serve.whom",
        "gold.file",
        "sandbox.rustc",
    }
    text = EXAMPLE.read_text(encoding="utf-8")
    assert "\n# data_dir = " in text
    assert "\n# seed = " in text
    assert "\n# whom = " in text
    assert "\n# file = " in text
    assert "\n# rustc = " in text
    assert set(tomllib.loads(text)) == {table.name for table in fields(NodeConfig)}


@pytest.mark.parametrize("name", ["devnet", "minimal"])
def test_shipped_parameters_are_ones_that_we_can_recompute(name: str) -> None:
    params = load_params(name)
    assert params.network == name
    assert (params.aggregator, params.canonical_form, params.draws) == (AGGREGATOR, CANONICAL_FORM, DRAWS)


def test_parameters_from_a_file(tmp_path: Path) -> None:
    text = (importlib.resources.files("configs") / "params" / "devnet.toml").read_text(encoding="utf-8")
    path = tmp_path / "ours.toml"
    path.write_text(text.replace('"devnet"', '"ours"'))
    assert load_params(str(path)).network == "ours"
    path.write_text(text + "\nsurprise = 1\n")
    with pytest.raises(ConfigError, match="unknown network parameter: surprise"):
        load_params(str(path))
    path.write_text(text.replace("hbt/3", "hbt/4"))
    with pytest.raises(ConfigError, match="ask for 'hbt/4', and this strand knows 'hbt/3': install the strand of"):
        load_params(str(path))
    with pytest.raises(ConfigError, match="no network parameters 'nowhere': give a file, or one of devnet, minimal"):
        load_params("nowhere")


READY = sorted(set(get_args(ReadyFile)) - {"example"})


def test_every_ready_file_can_be_chosen() -> None:
    assert sorted(get_args(ReadyFile)) == sorted(p.name.removesuffix(".toml") for p in EXAMPLE.parent.iterdir())  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", READY)
def test_a_ready_file_is_right_and_says_what_it_needs(name: str) -> None:
    path = Path(str(EXAMPLE)).with_name(f"{name}.toml")
    config = load_config(file=path, environment={}).config
    assert config.engine.kind == ("vllm" if name.startswith("vllm") else "openai")
    assert bool(config.vllm.model) == name.startswith("vllm")
    # A judge reads two answers of the length that it says it does.
    context_tokens = 8_192 if name == "llama-cpp" else config.engine.context_tokens
    limits = prompt_limits(context_tokens, config.engine.judge_answer_bytes_max)
    assert limits.answer_bytes_max == config.engine.judge_answer_bytes_max
    assert " GB " in path.read_text()
    assert f"strand init --ready {name} && strand run" in path.read_text()


def test_a_model_for_vllm_does_not_go_unnoticed_under_another_engine(tmp_path: Path) -> None:
    model = '[vllm]\nmodel = "/models/m"\n'
    assert rejected(tmp_path, model) == 'vllm.model in FILE needs engine.kind = "vllm"'
    path = tmp_path / "node.toml"
    path.write_text(model)
    for kind in ("vllm", "scripted"):
        assert load_config(file=path, environment={}, flags={"engine.kind": kind}).config.engine.kind == kind


@pytest.mark.parametrize("key", ["url", "model", "api_key"])
def test_nor_does_a_server_whose_kind_is_not_named(tmp_path: Path, key: str) -> None:
    """The small embedded model would serve in its place."""
    told = rejected(tmp_path, f'[engine]\n{key} = "http://127.0.0.1:1"\n')
    assert told == f'engine.{key} in FILE needs engine.kind = "openai" (--engine openai)'


@pytest.mark.parametrize("key", ["engine.url", "engine.model", "engine.api_key", "vllm.model"])
def test_what_is_given_empty_needs_no_kind(tmp_path: Path, key: str) -> None:
    """A script may pass on an API key that it does not have: $STRAND_ENGINE_API_KEY is set, and empty."""
    file = tmp_path / "empty.toml"
    file.touch()
    assert load_config(file=file, environment={}, flags={key: ""}).config.engine.kind == "embedded"


@pytest.mark.parametrize(
    "raw", [b'[log]\nlevel = "error"\n', b'\xef\xbb\xbf[log]\r\nlevel = "error"\r\n', b'[log]\r\nlevel = "Error"']
)
def test_a_file_is_read_as_any_editor_writes_it(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "node.toml"
    path.write_bytes(raw)
    assert load_config(file=path, environment={}).config.log.level == "error"


@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_variable_is_unset(file: Path, value: str) -> None:
    names = ("ENGINE_KIND", "API_BIND", "ROUND_MAX_TOKENS", "SERVE_WHOM", "OVERLAY_BOOTSTRAP", "ENGINE_NONSENSE")
    loaded = load_config(file=file, environment={f"STRAND_{name}": value for name in names})
    assert loaded.config == load_config(file=file, environment={}).config
    assert set(loaded.origins.values()) == {str(file)}


@pytest.mark.parametrize(
    ("key", "value"),
    [("engine.kind", "OpenAI"), ("serve.whom", "NAMED"), ("log.format", "Json"), ("vllm.dtype", "BFloat16")],
)
def test_a_choice_is_taken_in_any_case(tmp_path: Path, key: str, value: str) -> None:
    table, _, name = key.partition(".")
    path = tmp_path / "node.toml"
    path.write_text(f'[{table}]\n{name} = "{value}"\n')
    for loaded in (
        load_config(file=path, environment={}),
        load_config(file=path, environment={f"STRAND_{table}_{name}".upper(): value}),
        load_config(file=path, environment={}, flags={key: value}),
    ):
        assert getattr(getattr(loaded.config, table), name) == value.lower()


def test_what_a_table_refuses_is_named_with_its_place(tmp_path: Path) -> None:
    for toml in ('[serve]\nhours = "7-22"', '[overlay]\nlisten = ["x"]', '[api]\nbind = "x"'):
        assert rejected(tmp_path, toml).endswith(" (in FILE)")
    message = rejected(tmp_path, '[api]\ntoken = ""', environment={"STRAND_API_BIND": "0.0.0.0:1"})
    assert message.endswith(" (in environment STRAND_API_BIND)")
    assert rejected(tmp_path, flags={"serve.hours": "soon"}).endswith(" (in flag)")


def test_passwords_in_urls_are_not_shown_and_make_their_file_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text('[engine]\nkind = "openai"\nurl = "http://user:hush@h/v1?key=hush"\nproxy = "http://hush@p:1"\n')
    loaded = load_config(file=path, environment={})
    rows = {key: str(value) for key, value, _ in loaded.rows()}
    assert rows["engine.url"] == "http://[secret]@h/v1?key=[secret]"
    assert rows["engine.proxy"] == "http://[secret]@p:1"
    assert loaded.files_of_secrets() == {path}


@pytest.mark.parametrize(
    ("serve", "nobody"),
    [
        ("", False),
        ('whom = "named"', True),
        (f'whom = "named"\nkeys = ["{KEY}"]', False),
        (f'whom = "named"\nkeys = ["{KEY}"]\ndeny = ["{KEY}"]', True),
    ],
)
def test_a_node_that_works_for_nobody_is_known(tmp_path: Path, serve: str, nobody: bool) -> None:
    path = tmp_path / "node.toml"
    path.write_text(f"[serve]\n{serve}\n")
    assert load_config(file=path, environment={}).config.serves_nobody is nobody
    flags = {"engine.kind": "openai", "engine.api_key": "sk-paid"}
    assert load_config(file=path, environment={}, flags=flags).config.serves_nobody is (nobody or not serve)


@pytest.mark.parametrize("kind", get_args(EngineKind))
def test_the_example_names_every_kind_of_engine(kind: str) -> None:
    assert re.search(rf"(?m)^# .*\b{kind}: ", EXAMPLE.read_text())
