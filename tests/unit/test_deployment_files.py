"""The files for services and containers: they say what the code says, and the tools that read them find no fault."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import platformdirs
import pytest
import yaml

from node.cli.main import build_app
from node.config import NodeConfig, load_config
from node.watch.shutdown import FAREWELL_S, LAST_WORDS_S

ROOT = Path(__file__).parents[2]
CONFIGS = Path(str(files("configs")))
UNIT = CONFIGS / "systemd" / "strand.service"
DROP_IN = CONFIGS / "systemd" / "strand-rust.conf"
CONTAINERFILE = CONFIGS / "container" / "Containerfile"
COMPOSE = CONFIGS / "container" / "compose.yaml"

STOP_S = NodeConfig().node.stop_ms / 1000 + LAST_WORDS_S + FAREWELL_S
"""Seconds that a node takes at most from the signal to its end, without its engine's."""


def unit_settings(file: Path = UNIT) -> dict[str, list[str]]:
    """Every setting of the unit, with its values in order."""
    found: dict[str, list[str]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "[")):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def instructions() -> Iterator[tuple[str, str]]:
    """The Containerfile's instructions with their arguments."""
    text = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, rest


def require_settings(names: Iterator[str]) -> None:
    """Every variable of ours is a setting that the loader knows."""
    variables = [name for name in names if name.startswith("STRAND_")]
    assert variables
    for name in variables:
        table, _, key = name.removeprefix("STRAND_").lower().partition("_")
        assert hasattr(getattr(NodeConfig(), table), key), name


def test_the_unit_runs_a_command_that_exists_and_gives_it_time_to_stop() -> None:
    settings = unit_settings()
    (command,) = settings["ExecStart"]
    program, *arguments = command.split()
    assert program.endswith("/strand")
    build_app().parse_args(arguments, exit_on_error=False, print_error=False)
    assert settings["Type"] == ["notify"]
    assert float(settings["TimeoutStopSec"][0]) > STOP_S


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_finds_no_fault_with_the_unit_and_little_that_it_could_do(tmp_path: Path) -> None:
    unit = tmp_path / "strand.service"
    # It looks for the program.
    text = UNIT.read_text(encoding="utf-8").replace("/opt/strand/.venv/bin/strand", sys.executable)
    unit.write_text(text.replace("file:///opt/strand/docs", f"file://{ROOT}/docs"), encoding="utf-8")
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit]
    exposed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert exposed.returncode == 0, exposed.stdout[-200:]


def test_the_drop_in_opens_what_the_sandbox_needs_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = unit_settings(DROP_IN)
    (folder,), (variable,) = opened.pop("CacheDirectory"), opened.pop("Environment")
    opened.pop("CacheDirectoryMode")
    monkeypatch.setenv(*variable.split("=", 1))
    assert platformdirs.user_cache_path("strand") == Path("/var/cache", folder)
    assert opened.pop("SystemCallFilter") == ["@mount"]
    closed = unit_settings()
    assert opened == {name: ["default" if name == "ProtectProc" else "no"] for name in opened}
    assert all(closed[name] in (["yes"], ["invisible"]) for name in opened), "what the unit does not close"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_finds_no_fault_with_the_drop_in(tmp_path: Path) -> None:
    unit = tmp_path / "strand.service"
    text = UNIT.read_text(encoding="utf-8").replace("/opt/strand/.venv/bin/strand", sys.executable)
    text = text.replace("file:///opt/strand/docs", f"file://{ROOT}/docs")
    # A drop-in's settings come after the unit's.
    above, install, below = text.partition("[Install]")
    unit.write_text(f"{above}{DROP_IN.read_text(encoding='utf-8')}\n{install}{below}", encoding="utf-8")
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def test_the_image_is_of_files_that_are_there_and_runs_as_no_root() -> None:
    steps = list(instructions())
    allowed = (CONTAINERFILE.with_name("Containerfile.dockerignore")).read_text(encoding="utf-8").split()
    copied = [name for word, rest in steps if word == "COPY" and "--from" not in rest for name in rest.split()[:-1]]
    assert copied and all((ROOT / name).exists() and f"!{name}" in allowed for name in copied)
    assert {name for name in allowed if name.startswith("!")} == {f"!{name}" for name in copied}
    users = [rest for word, rest in steps if word == "USER"]
    assert users and users[-1] != "0" and "root" not in users
    require_settings(name for word, rest in steps if word == "ENV" for name in re.findall(r"(\w+)=", rest))
    (command,) = [rest for word, rest in steps if word == "CMD"]
    assert command == '["run"]'
    images = [rest.split()[0] for word, rest in steps if word == "FROM"]
    assert all(re.fullmatch(r"python:3\.\d+-[\w-]+", image) for image in images), "a version, and no registry"


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not here")
def test_hadolint_finds_no_fault() -> None:
    ran = subprocess.run(["hadolint", CONTAINERFILE], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")))


def test_the_composed_nodes_variables_are_settings_that_hold_together() -> None:
    node = compose()["services"]["node"]
    require_settings(iter(node["environment"]))
    secret = "0123456789abcdef"
    given = {
        name: secret if ":?" in str(value) else re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value))
        for name, value in node["environment"].items()
    }
    config = load_config(file=None, environment=given).config
    assert config.engine.url == "http://vllm:8000" and config.engine.api_key == config.api.token == secret
    assert (ROOT / "configs/container" / node["build"]["context"]).resolve() == ROOT
    assert (ROOT / node["build"]["dockerfile"]) == CONTAINERFILE
    assert float(node["stop_grace_period"].removesuffix("s")) > STOP_S


def test_what_is_composed_is_bounded_and_its_parts_fit() -> None:
    whole = compose()
    services = whole["services"]
    assert services["vllm"]["environment"]["VLLM_API_KEY"] == services["node"]["environment"]["STRAND_ENGINE_API_KEY"]
    for name, service in services.items():
        assert service["restart"] == "unless-stopped"
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in whole["volumes"]
    # The HTTP interface is published on this machine alone.
    assert [port for port in services["node"]["ports"] if "4210" in port] == ["127.0.0.1:4210:4210"]


def test_a_rotated_log_is_one_that_is_appended_to() -> None:
    text = (CONFIGS / "logrotate" / "strand").read_text(encoding="utf-8")
    assert "copytruncate" in text and ">>" in text


@pytest.mark.skipif(shutil.which("logrotate") is None, reason="logrotate is not here")
def test_logrotate_finds_no_fault(tmp_path: Path) -> None:
    command = ["logrotate", "--debug", "--state", tmp_path / "state", CONFIGS / "logrotate" / "strand"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0 and "error" not in ran.stderr, ran.stderr
