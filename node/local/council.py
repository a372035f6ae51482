"""A council: a lasting swarm on this machine, one node a model, whose nodes keep their keys and what they learned."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from node.errors import Exit, UserError
from node.files import read_toml
from node.founding import found_node
from node.inference import EngineConfig
from node.inference.api_key import api_key_of
from node.keys import KEY_NAME
from node.local.nodes import NODES_MAX, NodeSpec, plain_environment

FILE_BYTES_MAX: Final = 256 * 1024
"""Bytes of a council's file: NODES_MAX engines take some kilobytes."""

FOLDER_NAME: Final = "council"
"""Folder of all nodes of `strand local`, in the user's data folder."""

FOLDERS_MAX: Final = 256
"""Folders of nodes that are looked through to name one: ten times what runs at once."""

PATIENCE_MS: Final = 20_000
"""Milliseconds to wait for stragglers after a quorum: models that share a machine answer one after another."""

_OWN_KEYS: Final = frozenset({"models", "key_env"})
_SLUG: Final = re.compile(r"[^a-z0-9]+")
_SLUG_CHARS_MAX: Final = 32
"""Characters of a model's name in its folder's name, which people read; the digest behind them is what counts."""


_NAME_CHARS_MAX: Final = 56
"""Characters of a model's name in its node's name, which has 64: the rest tells nodes of one model apart."""


class CouncilError(UserError):
    """A council cannot be made of what was given. The message is one line for the user."""

    code = Exit.USAGE


@dataclass(frozen=True, slots=True)
class Council:
    """A council to start."""

    engines: Sequence[EngineConfig]
    """One for each node. The first node asks and learns, and has the HTTP interface that others use."""
    folder: Path
    """Folder of all nodes; each has its own there, by its engine and model, whatever their order is."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of every node, by "table.key"."""
    first: Mapping[str, Any] = field(default_factory=dict)
    """Further settings of the first node."""

    async def specs(self) -> list[NodeSpec]:
        """Make the nodes' keys and stores where there are none yet; return the nodes, which trust each other.

        Nobody else is served: another user of this machine can reach them, too. Raises CouncilError, KeyFileError or
        StoreError.
        """
        if not 1 <= len(self.engines) <= NODES_MAX:
            raise CouncilError(f"a council has 1 to {NODES_MAX} nodes, not {len(self.engines)}")
        for engine in self.engines:
            if engine.kind == "embedded" and engine.model and not engine.model_path:
                raise CouncilError(
                    f"the embedded engine has one model and takes no other, such as {engine.model}: "
                    "name --engine embedded once for each node, or its GGUF file as model_path in --file"
                )
        folders = [self.folder / name for name in node_names(self.engines)]
        keys = [(await found_node(folder)).keypair.public.hex() for folder in folders]
        specs = []
        models = [engine.model or engine.kind for engine in self.engines]
        for index, (engine, folder) in enumerate(zip(self.engines, folders, strict=True)):
            number = models[: index + 1].count(models[index])
            own = {
                "node.name": models[index][:_NAME_CHARS_MAX] + (f" ({number})" if number > 1 else ""),
                "trust.default_weight": 0.0,
                # Its own key, too: the node that asks answers and judges like the rest.
                "trust.trusted": dict.fromkeys(keys, 1.0),
                "serve.whom": "named",
                "serve.keys": keys,
                **self.settings,
                **(self.first if index == 0 else {}),
            }
            specs.append(
                NodeSpec(
                    folder,
                    engine,
                    seed=engine.seed,
                    temperature=engine.temperature,
                    patience_ms=PATIENCE_MS,
                    friends=False,
                    settings=own,
                    environment=plain_environment(),
                )
            )
        return specs


def node_names(engines: Iterable[EngineConfig]) -> list[str]:
    """Return the names of the nodes' folders: the same for the same engine, wherever in the list it stands."""
    seen: dict[str, int] = {}
    names = []
    for engine in engines:
        source = f"{engine.kind}\n{engine.url}\n{engine.model}\n{engine.model_path}\n{engine.script}"
        seen[source] = seen.get(source, 0) + 1
        digest = blake2b(f"{source}\n{seen[source]}".encode(), digest_size=4).hexdigest()
        slug = _SLUG.sub("-", (engine.model or engine.kind).lower()).strip("-")[:_SLUG_CHARS_MAX]
        names.append(f"{slug}-{digest}")
    return names


@contextmanager
def pointing_to_council(data_dir: Path) -> Iterator[None]:
    """Let an error about a folder without a key or store of its own name the nodes of `strand local`, if it has some.

    Raises UserError with the block's text and code.
    """
    try:
        yield
    except UserError as error:
        if (hint := council_hint(data_dir)) and not (data_dir / KEY_NAME).exists():
            pointing = UserError(f"{error}; {hint}")
            pointing.code = error.code
            raise pointing from error
        raise


def council_hint(data_dir: Path) -> str:
    """Return where the nodes of `strand local` under this folder are, for a user; empty if there are none."""
    keys = sorted(islice((data_dir / FOLDER_NAME).glob(f"*/{KEY_NAME}"), FOLDERS_MAX))
    if not keys:
        return ""
    return f"the nodes of `strand local` are in {data_dir / FOLDER_NAME}: name one, as --data-dir {keys[0].parent}"


def read_engines(path: Path) -> list[EngineConfig]:
    """Read the `[[engine]]` tables of a council's file, one engine for each of their models.

    A table has the keys of a configuration's [engine], without `model`; `models`, a list; and `key_env`, the variable
    that holds the API key. Raises CouncilError,
    NoApiKeyError or FileError.
    """
    content = read_toml(path, FILE_BYTES_MAX)
    tables = content.pop("engine", None)
    if content or not isinstance(tables, list) or not tables:
        odd = f", not of {next(iter(content))!r}" if content else ""
        raise CouncilError(f"{path} consists of tables [[engine]]{odd}")
    return [engine for number, table in enumerate(tables, 1) for engine in _engines(table, f"{path}, engine {number}")]


def _engines(table: object, where: str) -> list[EngineConfig]:
    if not isinstance(table, dict):
        raise CouncilError(f"{where}: it is no table")
    known = {item.name for item in fields(EngineConfig)} - {"model"} | _OWN_KEYS
    if odd := sorted(table.keys() - known):
        raise CouncilError(f"{where}: unknown key {odd[0]!r}: it has {', '.join(sorted(known))}")
    models = table.get("models", [""])
    if not isinstance(models, list) or not models or not all(isinstance(model, str) for model in models):
        raise CouncilError(f"{where}: models is a list of names")
    given = {name: value for name, value in table.items() if name not in _OWN_KEYS}
    if "url" in given:
        given.setdefault("kind", "openai")
    if "key_env" in table:
        given["api_key"] = api_key_of(table["key_env"], where)
    try:
        return [msgspec.convert({**given, "model": model}, EngineConfig) for model in models]
    except msgspec.ValidationError as error:
        raise CouncilError(f"{where}: {error}") from error
