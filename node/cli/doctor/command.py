"""`strand doctor`."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from node.api.status import Status
from node.cli.doctor import checkup, checkup_node
from node.cli.doctor.checkup import CheckResult, Level
from node.cli.parts.client import open_client
from node.cli.parts.errors import Exit
from node.cli.parts.options import JsonFlag, Source, outside, print_json, stderr, stdout
from node.client import BadReplyError, BadRequestError, Client, RefusedError, UnreachableError
from node.config import ConfigError, LoadedConfig, load_params

_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


async def doctor(
    *,
    engine: Annotated[bool, Parameter(help="Let the engine give a real answer and a real judgement.")] = True,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Look at everything that a node needs, and say what helps where something is amiss.

    A running node is asked about itself. Of one that does not run, this command looks at what it would find: its ports,
    key, disk, bootstrap peers and engine. The sandbox for answers in Rust is tried in any case. Exits with 1 if a check
    failed.
    """
    results, running = await _look(source, url, tries_engine=engine)
    failed = any(each.level is Level.FAIL for each in results)
    if json:
        told = [{**asdict(each), "level": each.level.value} for each in results]
        print_json({"ok": not failed, "running": running, "checks": told})
    else:
        _print(results)
    return Exit.REFUSED if failed else Exit.OK


async def _look(source: Source, url: str | None, *, tries_engine: bool) -> tuple[list[CheckResult], bool]:
    """Return all results, and whether a node runs."""
    try:
        loaded = source.load()
        params = load_params(loaded.config.node.network)
    except ConfigError as error:
        return [checkup.fail("configuration", str(error), "correct it; `strand config show --origin` lists all")], False
    results = [checkup.versions(loaded.config, params), *checkup.configuration(loaded)]
    async with open_client(source, url) as client:
        try:
            told = await client.status()
        except UnreachableError:
            results.append(checkup.warn("node", f"none answers at {client.url}", "start it by `strand run`"))
            return [*results, *await _of_machine(loaded, url, tries_engine=tries_engine)], False
        except (RefusedError, BadReplyError) as error:
            place = "name it by --url" if url is None else "give --url as `strand run` tells it when the node is ready"
            remedy = "give api.token as the node has it" if isinstance(error, RefusedError) else place
            return [*results, checkup.fail("node", str(error), remedy)], not isinstance(error, BadReplyError)
        results.append(checkup.ok("node", f"{told.key} runs at {client.url}"))
        results += await _of_node(client, told, tries_engine=tries_engine)
        # The running node found the same when it started, as far as this user and configuration are its own.
        return [*results, await checkup.sandbox(loaded.config)], True


async def _of_machine(loaded: LoadedConfig, url: str | None, *, tries_engine: bool) -> list[CheckResult]:
    """Look at what a node that does not run would find."""
    config = loaded.config
    results = [checkup.key(config.node.data_dir), checkup.disk(config.node.data_dir)]
    if url is None:
        results += checkup.ports(config)
    results += await checkup.bootstraps(config)
    results.append(checkup.warn("reachability", "not known while the node does not run", "start it, and look again"))
    results.append(checkup.warn("clock", "not compared while the node does not run", "start it, and look again"))
    results.append(await checkup.sandbox(config))
    if tries_engine:
        _say("trying the engine; a large model takes a while")
        results.append(await checkup.engine(config))
    return results


async def _of_node(client: Client, told: Status, *, tries_engine: bool) -> list[CheckResult]:
    """Ask a running node about itself."""
    known = (await client.peers()).peers
    results = [*_of_folder(told), checkup_node.store(told), *await checkup_node.listening(told)]
    found = (checkup_node.peers(told), checkup_node.reachability(told, known), checkup_node.clock(told))
    results += [each for each in found if each is not None]
    results += [*checkup_node.conditions(told.conditions), checkup_node.serving(told)]
    if tries_engine:
        _say("trying the engine; a large model takes a while")
        try:
            results.append(checkup.tried(await client.try_engine()))
        except (RefusedError, BadRequestError) as error:
            remedy = "look again in a minute; a node of an earlier version has no trial: upgrade it"
            results.append(checkup.warn("engine", f"not tried: {error}", remedy))
    return results


def _of_folder(told: Status) -> Iterator[CheckResult]:
    """Look at the running node's folder, if it is on this machine."""
    folder = Path(told.data_dir)
    if not folder.is_absolute() or not folder.is_dir():
        where = f"{told.data_dir} is not a folder here: key and free room were not looked at"
        yield checkup.warn("key", where, "run `strand doctor` on the node's own machine, in its user's name")
        return
    yield checkup.key(folder)
    yield checkup.disk(folder)


def _say(note: str) -> None:
    stderr().print(note, soft_wrap=True, highlight=False)


def _print(results: list[CheckResult]) -> None:
    """Print a line for each finding; none is cut or broken."""
    console = stdout()
    width = max(len(each.check) for each in results)
    for each in results:
        line = Text(f"{each.level.value:<4}  ", style=_COLOURS[each.level]) + Text(f"{each.check:<{width}}  ")
        told = f"{each.text}: {each.remedy}" if each.remedy else each.text
        console.print(line + outside(" ".join(told.split())), soft_wrap=True, highlight=False)
