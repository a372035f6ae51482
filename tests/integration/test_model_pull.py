"""Pulling from a hub over loopback: what it sends, what it withholds, and what it invents."""

import hashlib
import json
import os
import signal
import socket
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from node.models.folder import FILES_MAX, ModelError, PulledModel, StoredModel, Told, list_models
from node.models.hub import BARREN_MAX, PAUSES_S, TRIES_MAX, Hub, HubUnreachableError, pull
from tests.support.engine_server import as_json, http
from tests.support.hub_server import COMMIT, REPO, HubServer, described, git_sha1, hub_of
from tests.support.processes import PATIENCE_S, STRAND, Ran, Shell, assert_refused

WEIGHTS = bytes(range(256)) * 4_000
"""1,024,000 bytes: several of the pieces in which a transfer is read."""

CHECKPOINT = {"config.json": b'{"model_type": "llama"}', "model.safetensors": WEIGHTS, ".gitattributes": b""}
SAFETENSORS = "model.safetensors"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token and no proxy of whoever runs the tests."""
    for name in os.environ:
        if name.startswith("HF_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def silent(name: str, done: int, total: int) -> None:
    """Somebody who is told and does nothing."""


async def pulled(
    server: HubServer, models: Path, *patterns: str, told: Told = silent, repo: str = REPO, revision: str = "main"
) -> PulledModel:
    """One pull, without pauses."""
    hub = Hub(server.url, pause=lambda _: None)
    work = partial(pull, repo, models, revision=revision, patterns=patterns, told=told, hub=hub)
    with trio.fail_after(PATIENCE_S):
        return await trio.to_thread.run_sync(work)


def states(models: Path) -> dict[str, tuple[str, str]]:
    return {each.name: (each.kind, each.state) for each in list_models(models)}


def partials(models: Path) -> list[Path]:
    return sorted(models.glob("*/.strand/partial/*"))


async def test_a_whole_repository(tmp_path: Path) -> None:
    async with hub_of(CHECKPOINT, SAFETENSORS) as server:
        result = await pulled(server, tmp_path)
    assert result.path == tmp_path / "strand--tiny"
    assert result.commit == COMMIT
    assert {each.name: each.how for each in result.files} == dict.fromkeys(CHECKPOINT, "fetched")
    checksums = {each.name: each.checksum for each in result.files}
    assert checksums[SAFETENSORS] == f"sha256:{hashlib.sha256(WEIGHTS).hexdigest()}"
    assert checksums["config.json"] == f"git-sha1:{git_sha1(CHECKPOINT['config.json'])}"
    assert {name: (result.path / name).read_bytes() for name in CHECKPOINT} == CHECKPOINT
    total = sum(len(content) for content in CHECKPOINT.values())
    assert list_models(tmp_path) == [StoredModel(REPO, "checkpoint", total, result.path, "verified")]
    assert partials(tmp_path) == []


async def test_a_second_pull_fetches_nothing_that_is_right(tmp_path: Path) -> None:
    async with hub_of(CHECKPOINT, SAFETENSORS) as server:
        folder = (await pulled(server, tmp_path)).path
        (folder / "config.json").write_bytes(b"edited")
        assert states(tmp_path) == {REPO: ("checkpoint", "changed")}
        server.requests.clear()
        again = await pulled(server, tmp_path)
    assert {each.name: each.how for each in again.files} == {
        ".gitattributes": "kept",
        "config.json": "fetched",
        SAFETENSORS: "kept",
    }
    assert server.transfers(SAFETENSORS) == []
    assert (folder / "config.json").read_bytes() == CHECKPOINT["config.json"]


async def test_only_files_that_fit_a_pattern(tmp_path: Path) -> None:
    files = {"tiny.Q4.gguf": b"GGUF four", "tiny.Q8.gguf": b"GGUF eight", "README.md": b"#"}
    async with hub_of(files) as server:
        first = await pulled(server, tmp_path, "*Q4.gguf")
        assert [each.name for each in first.files] == ["tiny.Q4.gguf"]
        await pulled(server, tmp_path, "*Q8.gguf", "nothing like it")
        with pytest.raises(ModelError, match=r"no file of strand/tiny is named so; of its 3 files .* README\.md"):
            await pulled(server, tmp_path, "*.safetensors")
    assert states(tmp_path) == {f"{REPO}/{name}": ("gguf", "verified") for name in ("tiny.Q4.gguf", "tiny.Q8.gguf")}


async def test_a_connection_that_breaks_is_gone_on_with(tmp_path: Path) -> None:
    async with hub_of(CHECKPOINT, SAFETENSORS) as server:
        # In the order of their names: first config.json, which comes whole at its second transfer.
        server.breaks = [0, 300_000, 300_000, 300_000]
        result = await pulled(server, tmp_path)
    assert server.transfers("config.json") == ["", ""]
    first, second, third = server.transfers(SAFETENSORS)
    assert first == ""
    assert 0 < int(second[6:-1]) < int(third[6:-1]) <= 600_000
    assert (result.path / SAFETENSORS).read_bytes() == WEIGHTS


async def test_a_pull_that_broke_is_gone_on_with_by_the_next(tmp_path: Path) -> None:
    def stop(name: str, done: int, total: int) -> None:
        if name == SAFETENSORS and done > total / 4:
            raise KeyboardInterrupt

    async with hub_of(CHECKPOINT, SAFETENSORS) as server:
        with pytest.raises(KeyboardInterrupt):
            await pulled(server, tmp_path, told=stop)
        (partial_file,) = partials(tmp_path)
        there = partial_file.stat().st_size
        assert WEIGHTS.startswith(partial_file.read_bytes()) and there > len(WEIGHTS) / 4
        assert states(tmp_path) == {REPO: ("checkpoint", "incomplete")}
        server.requests.clear()
        result = await pulled(server, tmp_path)
        assert server.transfers(SAFETENSORS) == [f"bytes={there}-"]
    assert {each.name: each.how for each in result.files}[SAFETENSORS] == "resumed"
    assert (result.path / SAFETENSORS).read_bytes() == WEIGHTS
    assert states(tmp_path) == {REPO: ("checkpoint", "verified")}


async def test_a_hub_that_knows_no_parts_sends_all_anew(tmp_path: Path) -> None:
    async with hub_of(CHECKPOINT) as server:
        server.parts = False
        server.breaks = [5, 300_000]
        result = await pulled(server, tmp_path)
    assert (result.path / "config.json").read_bytes() == CHECKPOINT["config.json"]
    assert (result.path / SAFETENSORS).read_bytes() == WEIGHTS


async def test_a_wrong_beginning_is_found_out_and_removed(tmp_path: Path) -> None:
    def stop(name: str, *_: int) -> None:
        if name == SAFETENSORS:
            raise KeyboardInterrupt

    async with hub_of(CHECKPOINT, SAFETENSORS) as server:
        with pytest.raises(KeyboardInterrupt):
            await pulled(server, tmp_path, told=stop)
        (partial_file,) = partials(tmp_path)
        partial_file.write_bytes(b"x" * partial_file.stat().st_size)
        with pytest.raises(ModelError, match="another checksum"):
            await pulled(server, tmp_path)
        assert partials(tmp_path) == []
        assert (await pulled(server, tmp_path)).files[-1].how == "fetched"


@pytest.mark.parametrize("large", [(), (SAFETENSORS,)])
async def test_content_with_another_checksum_is_removed(tmp_path: Path, large: tuple[str, ...]) -> None:
    async with hub_of(CHECKPOINT, *large) as server:
        server.sent = {SAFETENSORS: WEIGHTS[:-1] + b"!"}
        with pytest.raises(
            ModelError, match=f"{SAFETENSORS} has another checksum than 127.0.0.1:.* was removed"
        ) as caught:
            await pulled(server, tmp_path)
        assert not isinstance(caught.value, HubUnreachableError)
        folder = tmp_path / "strand--tiny"
        assert not (folder / SAFETENSORS).exists() and partials(tmp_path) == []
        assert states(tmp_path) == {REPO: ("checkpoint", "incomplete")}
        server.sent = {}
        assert (await pulled(server, tmp_path)).path == folder
    assert states(tmp_path) == {REPO: ("checkpoint", "verified")}


async def test_more_than_was_announced_is_not_taken(tmp_path: Path) -> None:
    async with hub_of(CHECKPOINT) as server:
        server.sent = {SAFETENSORS: WEIGHTS + b"!"}
        with pytest.raises(ModelError, match=f"{SAFETENSORS} is longer than announced"):
            await pulled(server, tmp_path)
    assert [path.stat().st_size for path in partials(tmp_path)] == [0]


async def test_less_than_was_announced_is_tried_again_and_then_told(tmp_path: Path) -> None:
    async with hub_of(CHECKPOINT) as server:
        server.parts = False
        server.sent = {SAFETENSORS: WEIGHTS[:-1]}
        with pytest.raises(HubUnreachableError, match=r"broke off model\.safetensors after .*: it ended early; run"):
            await pulled(server, tmp_path)
        assert 1 < len(server.transfers(SAFETENSORS)) <= TRIES_MAX


async def test_pauses_grow_while_nothing_comes_and_then_the_pull_ends(tmp_path: Path) -> None:
    paused: list[float] = []
    async with hub_of(CHECKPOINT) as server:
        server.breaks = [0] * TRIES_MAX
        work = partial(pull, REPO, tmp_path, told=silent, hub=Hub(server.url, pause=paused.append))
        with pytest.raises(HubUnreachableError, match="run the command again"):
            await trio.to_thread.run_sync(work)
    assert paused == [PAUSES_S.pause(barren) for barren in range(2, BARREN_MAX + 1)]


async def test_what_the_next_commit_lacks_goes_when_its_files_are_there(tmp_path: Path) -> None:
    async with hub_of({"config.json": b"{}", "old.safetensors": b"old", "same": b"same"}) as server:
        folder = (await pulled(server, tmp_path)).path
        (folder / "mine").write_bytes(b"mine")
        server.commit = COMMIT[::-1]
        server.files = {"config.json": b"[]", "new.safetensors": b"new", "same": b"same"}
        server.sent = {"new.safetensors": b"bad"}
        with pytest.raises(ModelError):
            await pulled(server, tmp_path)
        assert (folder / "old.safetensors").exists()
        server.sent = {}
        result = await pulled(server, tmp_path)
    assert {each.name: each.how for each in result.files}["same"] == "kept"
    left = {path.name for path in folder.iterdir()}
    assert left == {".strand", "config.json", "new.safetensors", "same", "mine"}
    assert states(tmp_path) == {REPO: ("checkpoint", "verified")}


async def test_one_pull_at_a_time(tmp_path: Path) -> None:
    async with hub_of(CHECKPOINT) as server, trio.open_nursery() as nursery:
        server.breaks, server.hangs = [3], True
        nursery.start_soon(partial(pulled, server, tmp_path))
        await server.hanging.wait()
        server.hangs = False
        with pytest.raises(ModelError, match="another strand pulls into"):
            await pulled(server, tmp_path)
        server.released.set()
    assert states(tmp_path) == {REPO: ("checkpoint", "verified")}


DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ({}, "sha"),
        ([], "words that are not a hub's"),
        (described() | {"sha": "main"}, "sha"),
        (described() | {"siblings": DEEP}, "words that are not a hub's"),
        (described() | {"siblings": described()["siblings"] * (FILES_MAX + 1)}, f"more than {FILES_MAX}"),
        (described() | {"siblings": []}, "the first are: none"),
        (described(size=None), "no checksum of a"),
        (described(blobId=None), "no checksum of a"),
        (described(blobId="../../a"), "blobId"),
        (described(lfs={"size": 2, "sha256": "0"}), "sha256"),
        (described(size=-1), "a has -1 bytes"),
        (described(size=5 * 1024**4), "more than 4.4 TB are not taken"),
        (described(size=2**70), "a has|size"),
        (described(size=4 * 1024**4), "to spare: choose with --file"),
    ],
)
async def test_a_description_that_cannot_be_followed(tmp_path: Path, description: Any, words: str) -> None:
    async with hub_of({}) as server:
        server.description = description
        with pytest.raises(ModelError, match=words) as caught:
            await pulled(server, tmp_path)
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "../outside", "/etc/passwd", "a/../../outside", "a//b", "", ".", "a/", "..", "a\\..\\b", "a\nb", "a\x1b[2Jb",
        ".strand/record.json", "x" * 256, "x/" * 600 + "x", "a\u202eb", "a\ud800",
    ],
)  # fmt: skip
async def test_names_that_lead_elsewhere_or_hide_are_refused(tmp_path: Path, name: str) -> None:
    async with hub_of({}) as server:
        server.description = described(rfilename=name)
        with pytest.raises(ModelError, match=r"cannot be kept under its name|not a hub's") as caught:
            await pulled(server, tmp_path / "models")
    assert str(caught.value).isprintable()
    assert list(tmp_path.rglob("*")) == []


async def test_a_description_without_end(tmp_path: Path) -> None:
    async with hub_of({}) as server:
        server.replies = {f"/api/models/{REPO}/revision/main?blobs=true": http(b" " * (17 * 1024**2))}
        with pytest.raises(ModelError, match=r"in more than 16\.8 MB"):
            await pulled(server, tmp_path)


GATED = http(b"", "403 Forbidden", "X-Error-Code: GatedRepo\r\nX-Error-Message: \x1b[2Jask first\r\n")


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (GATED, ModelError, r"accept its terms: do so at http://127.0.0.1:\d+/strand/tiny, then set HF_TOKEN"),
        (as_json({"error": "who?"}, "401 Unauthorized"), ModelError, "HTTP status 401"),
        (as_json({}, "400 Bad Request"), ModelError, "HTTP status 400"),
        (as_json({}, "429 Too Many Requests"), HubUnreachableError, "HTTP status 429"),
        (as_json({}, "503 Service Unavailable"), HubUnreachableError, "HTTP status 503"),
        (http(b"", "302 Found", "Location: /away\r\n"), ModelError, "knows no model strand/tiny"),
        (http(b"", "302 Found", "Location: ftp://127.0.0.1/\r\n"), HubUnreachableError, "ftp"),
        (http(b"<html>", "200 OK", "Content-Type: text/html\r\n"), ModelError, "words that are not a hub's"),
    ],
)
async def test_a_refusal_is_one_line(tmp_path: Path, reply: Any, kind: type[ModelError], words: str) -> None:
    async with hub_of({}) as server:
        server.replies = {f"/api/models/{REPO}/revision/main?blobs=true": reply}
        with pytest.raises(ModelError, match=words) as caught:
            await pulled(server, tmp_path)
    assert type(caught.value) is kind
    assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == []


async def test_what_a_hub_does_not_have(tmp_path: Path) -> None:
    async with hub_of(CHECKPOINT) as server:
        with pytest.raises(ModelError, match="knows no model strand/other; if it is private, set HF_TOKEN"):
            await pulled(server, tmp_path, repo="strand/other")
        with pytest.raises(ModelError, match="strand/tiny has no revision v1/x"):
            await pulled(server, tmp_path, revision="v1/x")
        assert (await pulled(server, tmp_path, revision=COMMIT)).commit == COMMIT


async def test_a_full_disk(tmp_path: Path) -> None:
    """Linux's device that is always full stands where the file is to come."""
    parts = tmp_path / "strand--tiny" / ".strand" / "partial"
    parts.mkdir(parents=True)
    (parts / hashlib.sha256(WEIGHTS).hexdigest()).symlink_to("/dev/full")
    async with hub_of(CHECKPOINT, SAFETENSORS) as server:
        with pytest.raises(ModelError, match=r"the disk of .* is full: make room"):
            await pulled(server, tmp_path)


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "strand--tiny").write_text("a file")
    async with hub_of(CHECKPOINT) as server:
        with pytest.raises(ModelError, match=r"cannot write .*: Not a directory|File exists"):
            await pulled(server, tmp_path)


async def strand(home: Path, *arguments: str) -> Ran:
    return await trio.to_thread.run_sync(lambda: Shell(home).strand(*arguments, "--data-dir", str(home / "data")))


async def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hub_of({**CHECKPOINT, "tiny.gguf": b"GGUF"}, SAFETENSORS) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        ran = await strand(tmp_path, "model", "pull", REPO, "--json")
        assert ran.code == 0 and ran.stderr == "", ran
        told = await strand(tmp_path, "model", "pull", REPO, "--file", "*.gguf", "--file", "config*")
        assert_refused(await strand(tmp_path, "model", "pull", "strand/other"), 1, "knows no model strand/other")
        listed = await strand(tmp_path, "model", "list", "--json")
    folder = tmp_path / "data" / "models" / "strand--tiny"
    assert ran.json["path"] == str(folder) and len(ran.json["files"]) == 4
    assert [each["kind"] for each in ran.json["models"]] == ["checkpoint", "gguf"]
    assert told.stdout.splitlines() == [
        f"{REPO}, 27 bytes, verified (git-sha1 of 2): {folder}",
        f"checkpoint: {folder}",
        f"gguf: {folder / 'tiny.gguf'}",
    ]
    assert [(each["name"], each["state"]) for each in listed.json["models"]] == [
        (REPO, "verified"),
        (f"{REPO}/tiny.gguf", "verified"),
    ]
    shown = {path: "bearer hf_secret" in headers for path, headers, _ in server.requests}
    assert shown.pop("/elsewhere/model.safetensors") is False
    assert all(shown.values()), "the hub sees the token, whoever stores its files does not"


async def test_ctrl_c_keeps_what_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hub_of(CHECKPOINT, SAFETENSORS) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.breaks, server.hangs = [400_000], True
        command = [STRAND, "model", "pull", REPO, "--file", SAFETENSORS, "--data-dir", tmp_path / "data"]
        with (tmp_path / "stdout").open("wb") as stdout, (tmp_path / "stderr").open("wb") as stderr:
            run = partial(trio.run_process, command, stdout=stdout, stderr=stderr, check=False)
            async with trio.open_nursery() as nursery:
                process = await nursery.start(partial(run, env=Shell(tmp_path).environment()))
                with trio.fail_after(PATIENCE_S):
                    await server.hanging.wait()
                process.send_signal(signal.SIGINT)
        assert process.returncode == 130
        assert (tmp_path / "stdout").read_bytes() == b""
        assert (tmp_path / "stderr").read_bytes() == b"strand: stopped; the same command goes on from here\n"
        server.hangs = False
        ran = await strand(tmp_path, "model", "pull", REPO, "--file", SAFETENSORS, "--json")
    assert ran.json["files"][0]["how"] == "resumed"
    assert server.transfers(SAFETENSORS)[1].startswith("bytes=")


async def test_an_endpoint_that_nobody_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        monkeypatch.setenv("HF_ENDPOINT", f"http://{host}")
        assert_refused(await strand(tmp_path, "model", "pull", REPO), 4, f"cannot reach {host}", "refused")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert_refused(await strand(tmp_path, "model", "pull", REPO), 4, "HF_HUB_OFFLINE is set")
    monkeypatch.setenv("HF_ENDPOINT", "nonsense")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert_refused(await strand(tmp_path, "model", "pull", REPO), 4, "cannot reach nonsense")
    assert json.loads((await strand(tmp_path, "model", "list", "--json")).stdout)["models"] == []
