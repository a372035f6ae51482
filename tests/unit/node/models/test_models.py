"""The model folder, the package's model, and conversion as far as it needs no vLLM."""

import hashlib
import os
import signal
import sys
from pathlib import Path

import pytest
import trio

from node.inference.embedded import DEFAULT_FILE, DEFAULT_MODEL, DEFAULT_SHA256
from node.models.conversion import convert_gguf
from node.models.folder import (
    PRIVATE,
    File,
    ModelError,
    ModelManifest,
    StoredModel,
    check_free,
    is_right,
    is_safe,
    list_models,
    models_of,
    partial_name,
    pulling,
)
from node.models.packaged import packaged, pull_packaged


def silent(name: str, done: int, total: int) -> None:
    """Somebody who is told and does nothing."""


def sha256_file(content: bytes) -> File:
    return File(len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")


def pull(folder: Path, contents: dict[str, bytes], name: str = "strand/tiny") -> None:
    """What a pull leaves."""
    files = {each: sha256_file(content) for each, content in contents.items()}
    with pulling(folder, ModelManifest(name, "a test", "", files), files):
        for each, content in contents.items():
            (folder / each).write_bytes(content)


@pytest.mark.parametrize("name", ["a", "a/b.c", ".gitattributes", "x" * 255, "a b", "Modell-ä", "..a", "a/.strand"])
def test_safe_names(name: str) -> None:
    assert is_safe(name)


@pytest.mark.parametrize(
    "name", ["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a\\b", "a\nb", "a\0b", "\x7f", "\ud800", PRIVATE]
)
def test_names_that_are_not(name: str) -> None:
    assert not is_safe(name)


@pytest.mark.parametrize(
    ("checksum", "right"),
    [
        ("sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", True),
        # printf hello | git hash-object --stdin
        ("git-sha1:b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0", True),
        ("sha256:" + "0" * 64, False),
        # printf hello | sha1sum
        ("git-sha1:aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d", False),
    ],
)
def test_checksums(tmp_path: Path, checksum: str, right: bool) -> None:
    path = tmp_path / "hello"
    path.write_bytes(b"hello")
    assert is_right(path, File(5, checksum), "hello", silent) is right
    assert not is_right(path, File(6, checksum), "hello", silent)
    assert not is_right(tmp_path / "absent", File(5, checksum), "absent", silent)


def test_what_lies_in_the_folder(tmp_path: Path) -> None:
    """Given models of all kinds, pulled and put there by hand, the list says what each is and what is known of it."""
    (tmp_path / "own.gguf").write_bytes(b"GGUF own")
    (tmp_path / "notes.txt").write_text("no model")
    (tmp_path / ".out.1234").mkdir()
    (tmp_path / "empty").mkdir()
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "adapter_model.safetensors").write_bytes(b"lora")
    (tmp_path / "converted" / "deeper").mkdir(parents=True)
    (tmp_path / "converted" / "config.json").write_text("{}")
    (tmp_path / "converted" / "model.safetensors").write_bytes(b"weights")
    pull(tmp_path / "strand--tiny", {"config.json": b"{}", "tiny.gguf": b"GGUF"})
    assert list_models(tmp_path) == [
        StoredModel("adapter", "adapter", 6, adapter, "unverified"),
        StoredModel("converted", "checkpoint", 9, tmp_path / "converted", "unverified"),
        StoredModel("own", "gguf", 8, tmp_path / "own.gguf", "unverified"),
        StoredModel("strand/tiny/tiny.gguf", "gguf", 4, tmp_path / "strand--tiny" / "tiny.gguf", "verified"),
    ]


def test_what_became_of_a_pulled_model(tmp_path: Path) -> None:
    folder = tmp_path / "strand--tiny"
    pull(folder, {"config.json": b"{}", "model.safetensors": b"weights"})

    def state() -> tuple[int, str]:
        (model,) = models_of(folder)
        return model.bytes, model.state

    assert state() == (9, "verified")
    (folder / "model.safetensors").write_bytes(b"others")
    assert state() == (8, "changed")
    (folder / "model.safetensors").unlink()
    assert state() == (2, "incomplete")
    (folder / PRIVATE / "record.json").write_bytes(b'{"name": 1}')
    (folder / "model.safetensors").write_bytes(b"weights")
    assert state() == (9, "unverified")


def test_a_record_cannot_make_us_remove_what_lies_outside(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("mine")
    folder = tmp_path / "model"
    pull(folder, {"a": b"a"})
    record = folder / PRIVATE / "record.json"
    record.write_bytes(record.read_bytes().replace(b'"a"', b'"../outside"'))
    pull(folder, {"b": b"b"})
    assert (tmp_path / "outside").exists()


def test_a_folder_that_is_not_there_and_one_that_cannot_be_read(tmp_path: Path) -> None:
    assert list_models(tmp_path / "absent") == []
    (tmp_path / "dangling.gguf").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"cannot read .*dangling\.gguf: No such file"):
        list_models(tmp_path)


def test_more_than_the_disk_has(tmp_path: Path) -> None:
    check_free(tmp_path, "a", 0)
    with pytest.raises(ModelError, match=r"^a needs 1\.2 EB more and .* has .*B to spare: choose with --file$"):
        check_free(tmp_path, "a", 2**60)


def test_the_package_model_is_linked_and_verified(tmp_path: Path) -> None:
    shipped = packaged()
    assert shipped.path is not None and (shipped.name, shipped.state) == (DEFAULT_MODEL, "verified")
    first = pull_packaged(tmp_path, silent)
    (came,) = first.files
    assert came.checksum == f"sha256:{DEFAULT_SHA256}"
    target = tmp_path / DEFAULT_MODEL / DEFAULT_FILE
    assert came.how == ("linked" if target.samefile(shipped.path) else "copied")
    assert [each.how for each in pull_packaged(tmp_path, silent).files] == ["kept"]
    # Not written through: it is the package's file too.
    target.unlink()
    target.write_bytes(b"damaged")
    assert [each.state for each in list_models(tmp_path)] == ["changed"]
    assert [each.how for each in pull_packaged(tmp_path, silent).files] == [came.how]
    assert packaged() == shipped


def test_the_package_model_where_it_cannot_go(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(ModelError, match=f"cannot put {DEFAULT_MODEL} into .*: Not a directory"):
        pull_packaged(tmp_path / "models", silent)


def test_what_came_of_a_broken_pull_has_a_name_of_its_own() -> None:
    assert partial_name(sha256_file(b"a")) != partial_name(sha256_file(b"b"))


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF\x03\0\0\0")
    return path


def interpreter(folder: Path, script: str) -> str:
    """What stands in for vLLM's interpreter: it is given -P, our script, the file and the folder to write to."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


WRITES = """
test "$1" = -P && test "$(head -c 4 "$3")" = GGUF || exit 9
echo '{"step": "writing"}'; echo rubbish; echo '{"step": 1}'; printf '{"st'; printf 'ep": "still writing"}\\n'
echo '{}' > "$4/config.json"; (umask 077; printf weights > "$4/model.safetensors")
"""
DONE = """echo '{"done": {"architecture": "Tiny", "parameters": 7, "chat_template": false}}'"""


async def test_a_checkpoint_appears_whole(tmp_path: Path, gguf: Path) -> None:
    steps: list[str] = []
    out = tmp_path / "deeper" / "out"
    done = await convert_gguf(gguf, out, interpreter(tmp_path, WRITES + DONE), steps.append)
    assert (done.path, done.bytes, done.architecture, done.parameters, done.chat_template) == (
        out,
        10,
        "Tiny",
        7,
        False,
    )
    assert steps == ["writing", "still writing"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    modes = {path.name: path.stat().st_mode for path in out.iterdir()}
    assert modes["model.safetensors"] == modes["config.json"], "who may read one may read all"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("""echo '{"error": "the file\\u001b lacks weights"}'; exit 1""", "the file� lacks weights"),
        (
            "echo Traceback >&2; echo '  50% |##  ' >&2; echo 'ValueError: no such architecture' >&2; exit 1",
            "ValueError",
        ),
        ("printf 'reading 1%%\\rreading 2%%\\r' >&2; exit 3", "reading 2%"),
        ("exit 3", "exit code 3"),
        ("kill -9 $$", "killed by signal 9: out of memory?"),
        ("kill -15 $$", "killed by signal 15"),
        ("head -c 1000000 /dev/zero; exit 3", "exit code 3"),
        (WRITES, "exit code 0"),
        (WRITES + DONE + "; exit 1", "exit code 1"),
        (WRITES + DONE.replace("7", "-7"), "exit code 0"),
    ],
)
async def test_a_conversion_that_fails_is_one_line_and_leaves_nothing(
    tmp_path: Path, gguf: Path, script: str, words: str
) -> None:
    out = tmp_path / "outs" / "out"
    with pytest.raises(ModelError) as caught:
        await convert_gguf(gguf, out, interpreter(tmp_path, script), lambda _: None)
    assert str(caught.value).startswith(f"cannot convert {gguf}: ") and words in str(caught.value)
    assert str(caught.value).isprintable()
    assert list(out.parent.iterdir()) == []


async def test_what_shows_before_anything_is_loaded(tmp_path: Path, gguf: Path) -> None:
    async def refusal(file: Path, out: Path, python: str) -> str:
        with pytest.raises(ModelError) as caught:
            await convert_gguf(file, out, python, lambda _: None)
        return str(caught.value)

    out, absent = tmp_path / "out", tmp_path / "absent"
    assert "there is no interpreter ~/no/python; name vLLM's: --python" in await refusal(gguf, out, "~/no/python")
    assert "cannot read" in await refusal(absent, out, sys.executable)
    assert f"{gguf} exists already" in await refusal(gguf, gguf, sys.executable)
    (tmp_path / "zip.gguf").write_bytes(b"PK")
    assert "is not a GGUF file" in await refusal(tmp_path / "zip.gguf", out, sys.executable)
    part = gguf.rename(tmp_path / "big-00001-of-00003.gguf")
    assert "llama-gguf-split --merge" in await refusal(part, out, sys.executable)
    assert not out.exists()


async def test_an_environment_without_transformers(tmp_path: Path, gguf: Path) -> None:
    """Our own interpreter runs the real script, and has none of what it needs."""
    with pytest.raises(ModelError, match=rf"lacks .*transformers.*: {sys.executable} -m pip install .*transformers"):
        await convert_gguf(gguf, tmp_path / "out", sys.executable, lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == [gguf.name]


async def test_an_interpreter_that_is_none(tmp_path: Path, gguf: Path) -> None:
    (tmp_path / "python").write_bytes(b"\0\0\0\0")
    (tmp_path / "python").chmod(0o755)
    with pytest.raises(ModelError, match="Exec format error"):
        await convert_gguf(gguf, tmp_path / "out", str(tmp_path / "python"), lambda _: None)


async def test_a_conversion_that_is_given_up_ends_its_process(tmp_path: Path, gguf: Path) -> None:
    script = """echo "{\\"step\\": \\"$$\\"}"; exec sleep 1000"""
    pids: list[int] = []
    with trio.CancelScope() as scope:

        def give_up(step: str) -> None:
            pids.append(int(step))
            scope.cancel()

        await convert_gguf(gguf, tmp_path / "outs" / "out", interpreter(tmp_path, script), give_up)
    assert scope.cancelled_caught
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], signal.SIGTERM)
    assert list((tmp_path / "outs").iterdir()) == []
