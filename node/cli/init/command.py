"""`strand init`."""

import os
import shlex
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter

from node.cli.init.choices import Choices, file_text
from node.cli.parts.dialogue import Dialogue, is_terminal
from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import JsonFlag, Source, any_case, outside, print_json, stderr
from node.config import NodeConfig, free_ports, load_config
from node.files import remove_if_broken, writing
from node.founding import found_node
from node.hardening import keep_private, open_private, open_to_others
from node.keys import NodeKey
from node.overlay.identity import peer_id_text
from node.toml import toml_value

ReadyFile = Literal["example", "vllm-lora", "vllm-merged", "llama-cpp", "ollama", "lm-studio"]
"""Names of the files in configs/node."""

_DEFAULT_FOLDER: Final = '# data_dir = "~/.local/share/strand"'
"""Line of the example file that `--data-dir` replaces."""


async def init(
    *,
    write_config: Annotated[bool, Parameter(help="Write a configuration file if there is none.")] = True,
    ready: Annotated[
        ReadyFile | None,
        Parameter(
            converter=any_case, help="A ready file instead of dialogue: example, with every setting, or a server's."
        ),
    ] = None,
    ask: Annotated[
        bool, Parameter(negative=("--yes", "--no-input"), help="Ask for what no flag says, where stdin is a terminal.")
    ] = True,
    check: Annotated[bool, Parameter(help="Try the engine of --engine-url with one answer and one judgement.")] = True,
    choices: Choices = Choices(),  # noqa: B008 - frozen
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Make a key, a store and a configuration file. Existing ones are kept.

    On a terminal it asks what the node shall be, and writes nothing before the last answer. A folder that `--data-dir`
    names is written into a new configuration file, so that later commands find it there.
    """
    keep_private()
    file = source.file
    if file.exists() and (ready is not None or choices != Choices()):
        raise CliError(f"there is a configuration {file} already: change it, remove it, or name another by --config")
    if ready is not None and (source.profile is not None or choices != Choices()):
        raise CliError("--ready is a whole file: give it alone, or leave it out and say what it shall hold", Exit.USAGE)
    text = None
    if write_config and not file.exists():
        asks = ask and ready is None and is_terminal()
        text = await _new_text(source, ready, choices, asks=asks, check=check)
    config = source.load().config if file.exists() else source.load_defaults().config
    with ExitStack() as undoing:
        if text is not None:
            _write(file, text)
            # The next `init` would keep the file of one that failed.
            undoing.enter_context(remove_if_broken(file))
        key = await found_node(config.node.data_dir)
    _warn(source, file, config, written=text is not None)
    _tell(file, config, key, written=text is not None, as_json=json)
    if not json:
        print(f"start it: {shlex.join(['strand', 'run', *_flags(source, written=text is not None)])}")
    return 0


def _flags(source: Source, *, written: bool) -> list[str]:
    """Return the flags with which other commands find this node; a file that was written holds the folder."""
    folder = None if written else source.data_dir
    given = {"--config": source.config, "--data-dir": folder, "--profile": source.profile}
    return [word for name, value in given.items() if value is not None for word in (name, str(value))]


async def _new_text(source: Source, ready: ReadyFile | None, choices: Choices, *, asks: bool, check: bool) -> str:
    """Return the text of a new configuration file: a ready one, or one of the answers. Raises CliError."""
    folder = None
    if source.data_dir is not None or source.profile is not None:
        # Absolute, because later commands may start in other folders.
        folder = source.load_defaults().config.node.data_dir.absolute()
    if not asks and choices == Choices() and source.profile is None:
        text = files("configs").joinpath(f"node/{ready or 'example'}.toml").read_text(encoding="utf-8")
        return text if folder is None else _with_folder(text, folder)
    settings: dict[str, Any] = {} if folder is None else {"node.data_dir": str(folder)}
    if source.profile is not None:
        port, peers_port = free_ports()
        settings |= {"overlay.listen": [f"/ip4/0.0.0.0/tcp/{peers_port}"], "api.bind": f"127.0.0.1:{port}"}
    # Faults of flags come before the first question.
    _require_valid(settings | choices.settings())
    if not asks:
        settings |= choices.settings()
        if check and choices.engine_url is not None:
            await _require_engine(settings)
        return file_text(settings)
    return file_text(settings | await _asked(source, choices))


async def _asked(source: Source, choices: Choices) -> dict[str, Any]:
    from node.cli.init.wizard import ask_choices

    dialogue = Dialogue(stderr())
    chosen = await ask_choices(choices, dialogue, source.profile or "")
    settings = chosen.choices.settings(chosen.api_key)
    _require_valid(settings)
    dialogue.console.print(outside(f"This writes {source.file}, a key and a store."), soft_wrap=True)
    if not await dialogue.confirm("Do it?", default=True):
        raise CliError("nothing was written")
    return settings


async def _require_engine(settings: Mapping[str, Any]) -> None:
    """Try the engine that flags name. Raises CliError."""
    from node.cli.init.wizard import check_engine

    trial = await check_engine(_require_valid(settings).engine, stderr())
    if not trial.works:
        raise CliError(f"{trial.error}; --no-check makes the node all the same", Exit.UNREACHABLE)


def _require_valid(settings: Mapping[str, Any]) -> NodeConfig:
    """Return the configuration that these settings make. Raises ConfigError."""
    return load_config(file=Path(os.devnull), environment={}, flags=settings).config


def _write(file: Path, text: str) -> None:
    """Write a configuration, private to its user, because it holds or will hold the token and the engine's key."""
    with writing(file):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # As a whole or not at all: the next `init` would keep half a configuration.
        with open_private(file, "x") as stream, remove_if_broken(file):
            stream.write(text)
            stream.flush()


def _with_folder(text: str, folder: Path) -> str:
    """Return the same configuration with a folder of the user's choice. Raises CliError."""
    try:
        line = f"data_dir = {toml_value(folder)}"
    except ValueError as error:
        raise CliError(str(error)) from error
    if _DEFAULT_FOLDER in text:
        return text.replace(_DEFAULT_FOLDER, line)
    return f"{text}\n[node]\n# Key, journal and certificates.\n{line}\n"


def _warn(source: Source, file: Path, config: NodeConfig, *, written: bool) -> None:
    """Say what an existing configuration file does not do."""
    if written or not file.exists():
        return
    # That of commands which get only the file.
    folder = replace(source, data_dir=None).load().config.node.data_dir.absolute()
    if config.node.data_dir.absolute() != folder:
        print(f"strand: {file} names another folder: change it there, or give --data-dir each time", file=sys.stderr)
    if open_to_others(file):
        print(f"strand: {file} may come to hold a token and is open to others: chmod 600 {file}", file=sys.stderr)


def _tell(file: Path, config: NodeConfig, key: NodeKey, *, written: bool, as_json: bool) -> None:
    told = {
        "key": key.keypair.public.hex(),
        "peer_id": peer_id_text(key.keypair.public),
        "data_dir": str(config.node.data_dir),
        "config": str(file) if file.exists() else None,
        "new_key": key.fresh,
    }
    if as_json:
        print_json(told)
        return
    print(f"{'made' if key.fresh else 'found'} the key {told['key']}")
    print(f"peer id {told['peer_id']}, folder {told['data_dir']}")
    print(f"{'wrote' if written else 'kept'} the configuration {file}" if file.exists() else "no configuration file")
