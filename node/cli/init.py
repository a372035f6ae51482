"""`strand init`."""

import json as json_module
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from node.boot import boot_id
from node.cli.errors import CliError
from node.cli.options import JsonFlag, Source, any_case, print_json
from node.clock import Clock
from node.config import NodeConfig, default_file
from node.files import remove_if_broken, writing
from node.hardening import keep_private, open_private, open_to_others
from node.keys import NodeKey, load_or_create_key
from node.overlay.identity import peer_id_text
from node.storage import open_store

ReadyFile = Literal["example", "vllm-lora", "vllm-merged", "llama-cpp", "ollama", "lm-studio"]
"""Names of the files in configs/node."""

_DEFAULT_FOLDER = '# data_dir = "~/.local/share/strand"'
"""Line of the example file that `--data-dir` replaces."""


async def init(
    *,
    write_config: Annotated[bool, Parameter(help="Write a configuration file if there is none.")] = True,
    ready: Annotated[
        ReadyFile | None,
        Parameter(converter=any_case, help="Which: example, with every setting (default), or one for a model server."),
    ] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Make a key, a store and a configuration file. Existing ones are kept.

    A folder that `--data-dir` names is written into a new configuration file, so that later commands find it there.
    """
    keep_private()
    file = source.config or default_file()
    if ready is not None and file.exists():
        raise CliError(f"there is a configuration {file} already: remove it, or name another by --config")
    # The file that will be written need not exist.
    config = (source if file.exists() else replace(source, config=None)).load().config
    key = load_or_create_key(config.node.data_dir)
    await _make_store(config, key)
    # Absolute, because later commands may start in other folders.
    folder = config.node.data_dir.absolute()
    written = write_config and _write_ready(file, ready or "example", folder if source.data_dir is not None else None)
    if not written and file.exists() and folder != _folder_of_file(source):
        print(f"strand: {file} names another folder: change it there, or give --data-dir each time", file=sys.stderr)
    if not written and open_to_others(file):
        print(f"strand: {file} may come to hold a token and is open to others: chmod 600 {file}", file=sys.stderr)
    told = {
        "key": key.keypair.public.hex(),
        "peer_id": peer_id_text(key.keypair.public),
        "data_dir": str(config.node.data_dir),
        "config": str(file) if file.exists() else None,
        "new_key": key.fresh,
    }
    if json:
        print_json(told)
        return 0
    print(f"{'made' if key.fresh else 'found'} the key {told['key']}")
    print(f"peer id {told['peer_id']}, folder {told['data_dir']}")
    print(f"{'wrote' if written else 'kept'} the configuration {file}" if file.exists() else "no configuration file")
    return 0


async def _make_store(config: NodeConfig, key: NodeKey) -> None:
    async with open_store(
        config.node.data_dir,
        public_key=key.keypair.public,
        fresh_key=key.fresh,
        now_ms=Clock().now_ms(),
        boot_id=boot_id(),
    ):
        pass


def _folder_of_file(source: Source) -> Path:
    """Return the folder of commands that get only the configuration file."""
    return replace(source, data_dir=None).load().config.node.data_dir.absolute()


def _write_ready(file: Path, name: ReadyFile, folder: Path | None) -> bool:
    """Write a ready configuration, private to its user, because it will hold the token and the engine's key."""
    if file.exists():
        return False
    text = files("configs").joinpath(f"node/{name}.toml").read_text(encoding="utf-8")
    if folder is not None:
        text = _with_folder(text, folder)
    with writing(file):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # As a whole or not at all: the next `init` would keep half a configuration.
        with open_private(file, "x") as stream, remove_if_broken(file):
            stream.write(text)
            stream.flush()
    return True


def _with_folder(text: str, folder: Path) -> str:
    """Return the same configuration with a folder of the user's choice. Raises CliError."""
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        raise CliError(f"{str(folder)!r} is not UTF-8, so no configuration file can name it") from error
    # JSON's strings are valid TOML except for one character.
    line = "data_dir = " + json_module.dumps(str(folder), ensure_ascii=False).replace("\x7f", "\\u007f")
    if _DEFAULT_FOLDER in text:
        return text.replace(_DEFAULT_FOLDER, line)
    return f"{text}\n[node]\n# Key, journal and certificates.\n{line}\n"
