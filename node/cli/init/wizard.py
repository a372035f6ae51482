"""The questions of `strand init`. Nothing is written before the last answer."""

import os
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rich.console import Console

from node.cli.init.choices import Choices
from node.cli.parts.dialogue import Check, Dialogue
from node.cli.parts.engines import look_for_servers
from node.cli.parts.errors import CliError
from node.cli.parts.options import outside
from node.config import NAME_CHARS_MAX, ConfigError, load_config
from node.inference import EngineConfig, EngineError, open_engine
from node.inference.address import parse_address
from node.inference.http_json import HttpRefused
from node.inference.servers import text_models
from node.work.trial import EngineTrial, try_engine

MODELS_SHOWN_MAX: Final = 40
"""Models of a server that are shown to choose from: a hosted one lists hundreds, of which one is typed by its name."""

_MEMBERS: Final = (
    "Then every member of a round reads what you ask there, strangers included. Really members instead of trusted?"
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The answers, and the engine's key, which no flag may hold."""

    choices: Choices
    api_key: str = ""


async def ask_choices(given: Choices, dialogue: Dialogue, name: str = "") -> Chosen:
    """Ask for everything that no flag answers. `name`: the default of the node's name. Raises CliError."""
    if given.name is None:
        asked = "A name for this node, for yourself"
        name = name or platform.node()[:NAME_CHARS_MAX]
        given = replace(given, name=await dialogue.text(asked, name, _checks("name")))
    if given.specialty is None:
        asked = "What its model is good at (nodes of one specialty meet)"
        given = replace(given, specialty=await dialogue.text(asked, "rust", _checks("specialty")))
    chosen = await _ask_engine(given, dialogue)
    return replace(chosen, choices=await _ask_network(chosen.choices, dialogue))


async def check_engine(config: EngineConfig, console: Console) -> EngineTrial:
    """Try an engine with one answer and one judgement, and tell how it went."""
    console.print(
        outside(f"asking {config.model or 'the first model'} for one answer and one judgement"), soft_wrap=True
    )
    try:
        async with open_engine(config) as engine:
            trial = await try_engine(engine, config)
    except EngineError as error:
        raise CliError(str(error), error.code) from error
    if trial.works:
        assert trial.info is not None and trial.answer is not None and trial.judgement is not None
        console.print(
            outside(
                f"{trial.info.model} answered in {trial.answer.ms / 1000:.1f} s "
                f"and judged in {trial.judgement.ms / 1000:.1f} s ({trial.info.judging})"
            ),
            soft_wrap=True,
        )
    return trial


async def _ask_engine(given: Choices, dialogue: Dialogue) -> Chosen:
    """Ask for an engine, and for another one while it does not work and is not wanted all the same."""
    while True:
        choices = await _ask_server(given, dialogue)
        if choices.engine not in (None, "openai"):
            return Chosen(choices)
        assert choices.engine_url is not None
        try:
            chosen = await _ask_model(choices, choices.engine_url, dialogue)
            config = EngineConfig(
                kind="openai",
                url=choices.engine_url,
                model=chosen.choices.model or "",
                api_key=chosen.api_key or choices.api_key,
            )
            trouble = (await check_engine(config, dialogue.console)).error
        except (EngineError, CliError) as error:
            chosen, trouble = Chosen(choices), str(error)
        if not trouble:
            return chosen
        dialogue.console.print(outside(trouble), soft_wrap=True)
        if await dialogue.confirm("Use it all the same?", default=False):
            return chosen
        # What a flag named does not work: it is asked for like the rest.
        given = replace(given, engine=None, engine_url=None, model=None)


async def _ask_server(given: Choices, dialogue: Dialogue) -> Choices:
    """Ask which server is the engine, unless a flag says so."""
    if given.engine_url is not None:
        return replace(given, engine=given.engine or "openai")
    if given.engine is not None and given.engine != "openai":
        return given
    found = await look_for_servers(dialogue.console)
    options = [*map(str, found), "another server, by its URL"]
    if given.engine is None:
        options.append("the small model that comes with strand: it shows that all works, and writes no good Rust")
    index = await dialogue.choose("What answers and judges", options)
    if index < len(found):
        return replace(given, engine="openai", engine_url=found[index].url)
    if index > len(found):
        return replace(given, engine="embedded")
    url = await dialogue.text("Its URL, as http://HOST:PORT or https://HOST/PATH", check=_why_no_url)
    return replace(given, engine="openai", engine_url=url)


async def _ask_model(choices: Choices, url: str, dialogue: Dialogue) -> Chosen:
    """Ask for the key, if the server wants one, and for the model. Raises EngineError."""
    key = choices.api_key
    try:
        models = await text_models(EngineConfig(kind="openai", url=url, api_key=key))
    except HttpRefused as refusal:
        if refusal.status not in (401, 403) or key:
            raise
        key = await dialogue.secret("The server wants an API key (it is not shown)")
        models = await text_models(EngineConfig(kind="openai", url=url, api_key=key))
    if choices.model is None and len(models) > MODELS_SHOWN_MAX:
        choices = replace(choices, model=await dialogue.text("The name of its model", models[0]))
    elif choices.model is None and len(models) > 1:
        choices = replace(choices, model=models[await dialogue.choose("Which of its models", models)])
    elif choices.model is None and models:
        choices = replace(choices, model=models[0])
    return Chosen(choices, key if key != choices.api_key else "")


async def _ask_network(given: Choices, dialogue: Dialogue) -> Choices:
    """Ask whose network it is, whom to trust, where to begin, and who reads what is asked."""
    if given.friends is None:
        networks = (
            "an open one: only nodes that I name, or that have earned it, count much",
            "friends: every node in it is one of ours, and counts fully",
        )
        given = replace(given, friends=await dialogue.choose("What network it joins", networks) == 1)
    if given.trust is None:
        keys = await dialogue.text(
            "Keys of nodes that you trust, separated by commas (none: Enter)", check=_checks("keys", "serve")
        )
        given = replace(given, trust=keys)
    if given.bootstrap is None:
        asked = "Address of a node to start from, as its `strand status` shows it (none: Enter)"
        given = replace(given, bootstrap=await dialogue.text(asked, check=_checks("bootstrap", "overlay")))
    if given.audience is None:
        named = "the nodes whose keys I have named" + ("" if given.trust else " (none so far: this node answers alone)")
        readers = (f"trusted: {named}", "members: whoever takes part in the round")
        asked = "Who may read what editors and agents ask through it"
        members = await dialogue.choose(asked, readers) == 1 and await dialogue.confirm(_MEMBERS, default=False)
        given = replace(given, audience="members" if members else "trusted")
    return given


def _checks(key: str, table: str = "node") -> Check:
    """Return a check of one answer by the rules of the configuration."""

    def check(answer: str) -> str | None:
        try:
            load_config(file=Path(os.devnull), environment={}, flags={f"{table}.{key}": answer})
        except ConfigError as error:
            return str(error).replace(" in flag", "")
        return None

    return check


def _why_no_url(answer: str) -> str | None:
    try:
        parse_address(answer)
    except EngineError as error:
        return str(error)
    return None
