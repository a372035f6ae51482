"""Conversion of a GGUF file to a checkpoint that vLLM loads, in vLLM's environment."""

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import trio

from node.inference.supervision import WORDS_CHARS_MAX, keep_tail, last_line
from node.models.folder import ModelError
from node.text import one_line

GGUF_MAGIC = b"GGUF"
"""A GGUF file's first bytes (gguf specification, "File Structure")."""

LINE_BYTES_MAX = 64 * 1024
"""Bytes of one line of the script's output: an error that holds a name or a path."""

# llama.cpp's names of a model's parts.
_PART = re.compile(r"-[0-9]{5}-of-[0-9]{5}\.gguf$")


class _Done(msgspec.Struct, frozen=True):
    architecture: str
    parameters: Annotated[int, msgspec.Meta(ge=0)]
    chat_template: bool


class _Said(msgspec.Struct, frozen=True):
    """One line of the script's output."""

    step: str = ""
    error: str = ""
    done: _Done | None = None


@dataclass(frozen=True, slots=True)
class Converted:
    """A checkpoint in bfloat16, with its tokenizer."""

    path: Path
    bytes: int
    architecture: str
    parameters: int
    chat_template: bool


async def convert_gguf(file: Path, out: Path, python: str, on_step: Callable[[str], None]) -> Converted:
    """Convert `file` to the checkpoint folder `out`, which appears complete or not at all.

    `python` is the interpreter of an environment with torch, transformers, gguf and accelerate. `on_step` is called
    with the progress. All weights are in memory meanwhile, unpacked. Raises ModelError.
    """
    command = [_check(file, out, python), "-P", _SCRIPT, str(file)]
    # Beside the target, so that it only has to be renamed.
    draft = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir()
        done = await _run([*command, str(draft)], file, on_step)
        taken = await trio.to_thread.run_sync(_finish, draft, out)
    except OSError as error:
        raise ModelError(f"cannot write {out}: {error.strerror}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Converted(out, taken, done.architecture, done.parameters, done.chat_template)


_SCRIPT = str(Path(__file__).with_name("convert_gguf.py"))


def _check(file: Path, out: Path, python: str) -> str:
    """Return the interpreter's path. Raises ModelError for faults that are visible before loading."""
    try:
        with file.open("rb") as stream:
            magic = stream.read(len(GGUF_MAGIC))
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror}") from error
    if magic != GGUF_MAGIC:
        raise ModelError(f"{file} is not a GGUF file")
    if _PART.search(file.name):
        raise ModelError(
            f"{file} is one part of a model; join its parts first: llama-gguf-split --merge FIRST ALL.gguf"
        )
    if os.path.lexists(out):
        raise ModelError(f"{out} exists already")
    interpreter = shutil.which(Path(python).expanduser())
    if interpreter is None:
        raise ModelError(f"there is no interpreter {python}; name vLLM's: --python, or python under [vllm]")
    return interpreter


async def _run(command: list[str], file: Path, on_step: Callable[[str], None]) -> _Done:
    """Run the script to its end. Raises ModelError unless it reports success."""
    tail = bytearray()
    last = _Said()
    process = await trio.lowlevel.open_process(
        # It ends at the end of its stdin, however this process ends.
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    try:
        async with process.stdin, trio.open_nursery() as nursery:
            nursery.start_soon(keep_tail, process.stderr, tail)
            async for line in _lines(process.stdout):
                last = _understand(line)
                if last.step:
                    on_step(last.step)
            await process.wait()
    finally:
        # The draft is removed with it: there is no orderly end.
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
    if last.done is not None and process.returncode == 0:
        return last.done
    words = last.error or _last_words(tail, process.returncode)
    raise ModelError(f"cannot convert {file}: {one_line(words, WORDS_CHARS_MAX)}")


async def _lines(stream: trio.abc.ReceiveStream) -> AsyncIterator[bytes]:
    """Yield complete lines; the rest of a line that is too long is dropped."""
    line = bytearray()
    async with stream:
        async for chunk in stream:
            line += chunk
            *whole, rest = line.split(b"\n")
            for each in whole:
                yield bytes(each)
            line = rest[-LINE_BYTES_MAX:]


def _understand(line: bytes) -> _Said:
    try:
        return msgspec.json.decode(line, type=_Said)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Said()


def _last_words(tail: bytearray, code: int | None) -> str:
    """Return why the script ended without a message: the last line of its traceback, or the signal."""
    if code is not None and code < 0:
        return f"the conversion was killed by signal {-code}" + (": out of memory?" if code == -9 else "")
    return last_line(tail) or f"exit code {code}"


def _finish(draft: Path, out: Path) -> int:
    """Give a complete checkpoint its name, after it is on the disk. Returns its bytes."""
    files = [path for path in draft.rglob("*") if path.is_file()]
    # The weights have mode 0600, all other files the umask's.
    mode = (draft / "config.json").stat().st_mode & 0o666
    for path in files:
        path.chmod(mode)
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    draft.rename(out)
    return sum((out / path.relative_to(draft)).stat().st_size for path in files)
