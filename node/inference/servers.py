"""The model servers that run on this machine, by the ports that they usually have, and the models of a server."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import trio

from node.inference.config import EngineConfig
from node.inference.discovery import list_models, writes_text
from node.inference.http_json import open_json_client
from node.inference.ports import EngineError

LOOK_MS: Final = 1_500
"""Milliseconds to look at one port: a server of this machine lists its models at once, also on two busy cores."""

NAMED_MAX: Final = 3
"""Models that a found server is told by: enough to recognise it, and one line."""


@dataclass(frozen=True, slots=True)
class UsualPlace:
    """A port of this machine, and what usually listens there."""

    name: str
    port: int

    @property
    def url(self) -> str:
        """Base URL of the server."""
        return f"http://127.0.0.1:{self.port}"


USUAL_PLACES: Final = (
    UsualPlace("Ollama", 11434),
    UsualPlace("LM Studio", 1234),
    UsualPlace("vLLM", 8000),
    UsualPlace("llama.cpp", 8080),
)


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server that lists models which write text."""

    name: str
    """What usually listens at its port; nobody has checked that it is that."""
    url: str
    models: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(self.models[:NAMED_MAX])
        more = f" and {len(self.models) - NAMED_MAX} more" if len(self.models) > NAMED_MAX else ""
        return f"{self.name} at {self.url}: {shown}{more}"


async def find_servers(places: Sequence[UsualPlace] = USUAL_PLACES) -> list[FoundServer]:
    """Look at all places at once, for LOOK_MS at most; return the servers in the order of the places."""
    found: dict[int, FoundServer] = {}

    async def look(index: int, place: UsualPlace) -> None:
        try:
            models = await text_models(EngineConfig(kind="openai", url=place.url), timeout_ms=LOOK_MS)
        except EngineError:
            return
        if models:
            found[index] = FoundServer(place.name, place.url, models)

    async with trio.open_nursery() as nursery:
        for index, place in enumerate(places):
            nursery.start_soon(look, index, place)
    return [found[index] for index in sorted(found)]


async def text_models(config: EngineConfig, timeout_ms: int = 10_000) -> tuple[str, ...]:
    """Return the listed models of a server that, by their names, write text. Raises EngineError."""
    async with open_json_client(config, timeout_ms=timeout_ms, concurrency=1) as client:
        return tuple(model.name for model in await list_models(client, config) if writes_text(model.name))
