"""Engines as commands name them, and the model servers of this machine."""

from rich.console import Console

from node.cli.parts.errors import CliError, Exit
from node.inference import EngineConfig
from node.inference.servers import FoundServer, find_servers


def engine_of(text: str) -> EngineConfig:
    """Return the engine that the value of `--engine` names. Raises CliError."""
    if text.startswith(("http://", "https://")):
        return EngineConfig(kind="openai", url=text)
    if text == "embedded":
        return EngineConfig(kind="embedded")
    if text == "scripted":
        return EngineConfig(kind="scripted")
    raise CliError(f"--engine is a URL, embedded or scripted, not {text!r}", Exit.USAGE)


async def look_for_servers(console: Console) -> list[FoundServer]:
    """Say that model servers are looked for, and return those on the usual ports of this machine."""
    console.print("looking for model servers on the usual ports of this machine")
    return await find_servers()
