"""A running swarm, asked by the clients that people have: OpenAI's own in Python and JavaScript, and `llm`."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from node.client import connect
from node.inference import EngineConfig
from node.local.nodes import LocalNodeError, NodeSpec, start_node
from tests.e2e.conftest import SWARM_NODES, RunningSwarm
from tests.support.processes import PATIENCE_S, Shell

# Its generators hang in each other, and trio complains of those that are dropped before their end.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator '(httpx2|openai)[.]:ResourceWarning")

CLIENTS = Path(__file__).parents[2] / ".venv-clients"
LLM = CLIENTS / "bin" / "llm"
OPENAI_JS = CLIENTS / "npm" / "node_modules" / "openai"
MODEL = "strand-rust:members"
HELLO: Any = [{"role": "user", "content": "Sum a slice."}]
A_TOOL: Any = {"type": "function", "function": {"name": "look", "parameters": {}}}


def client_of(swarm: RunningSwarm) -> OpenAI:
    return OpenAI(api_key="any", base_url=f"{swarm.url}/v1", max_retries=0)


def report_of(reply: Any) -> dict[str, Any]:
    """What the swarm says of its answer."""
    report = (reply.model_extra or {})["strand"]
    assert isinstance(report, dict)
    return report


async def test_the_answer_is_the_one_that_the_certificate_proves(swarm: RunningSwarm) -> None:
    async with AsyncOpenAI(api_key="any", base_url=f"{swarm.url}/v1") as client:
        told = await client.chat.completions.create(model=MODEL, messages=HELLO, temperature=0, max_tokens=64)
    report = report_of(told)
    async with connect(swarm.url) as node:
        assert report["certificate"] == f"/api/certificates/{report['query_id']}"
        verified = verify_certificate(await node.certificate(report["query_id"]))
    assert isinstance(verified, VerifiedCertificate)
    best = verified.ranking.ranked[0]
    winner = verified.record.contents[best.answer]
    assert told.choices[0].message.content == winner.text
    assert told.choices[0].finish_reason == winner.finish
    assert told.usage is not None
    assert (told.usage.prompt_tokens, told.usage.completion_tokens) == (winner.prompt_tokens, winner.answer_tokens)
    assert (report["outcome"], report["audience"], report["ignored"]) == ("decided", "members", ["temperature"])
    assert len(report["ranking"]) == SWARM_NODES
    assert report["ranking"][0]["answer_id"] == best.answer.hex()
    assert verified.record.query.max_tokens == 64 and not verified.record.query.turns


async def test_a_conversation_is_asked_as_one(swarm: RunningSwarm) -> None:
    conversation: Any = [
        {"role": "developer", "content": "Use iterators."},
        {"role": "user", "content": "Sum a slice."},
        {"role": "assistant", "content": "Of which type?"},
        {"role": "user", "content": [{"type": "text", "text": "i64"}]},
    ]
    async with AsyncOpenAI(api_key="any", base_url=f"{swarm.url}/v1") as client:
        told = await client.chat.completions.create(model="strand-rust:public", messages=conversation)
    async with connect(swarm.url) as node:
        verified = verify_certificate(await node.certificate(report_of(told)["query_id"]))
    assert isinstance(verified, VerifiedCertificate)
    assert [(turn.role, turn.text) for turn in verified.record.query.turns] == [
        ("system", "Use iterators."),
        ("user", "Sum a slice."),
        ("assistant", "Of which type?"),
        ("user", "i64"),
    ]


async def test_the_async_client_reads_a_stream(swarm: RunningSwarm) -> None:
    async with AsyncOpenAI(api_key="any", base_url=f"{swarm.url}/v1") as client:
        stream = await client.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert chunks[-2].choices[0].finish_reason in {"stop", "length"}
    assert chunks[-1].usage is not None and report_of(chunks[-1])["outcome"] == "decided"


def test_the_sync_client_asks_in_all_forms(swarm: RunningSwarm) -> None:
    with client_of(swarm) as client:
        assert client.models.list().data[0].id == "strand-rust"
        whole = client.chat.completions.create(model=MODEL, messages=HELLO)
        assert whole.choices[0].message.content
        with client.chat.completions.create(model=MODEL, messages=HELLO, stream=True) as stream:
            assert "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        response = client.responses.create(model=MODEL, input="Sum a slice.", store=False)
        assert response.output_text and report_of(response)["ignored"] == ["store"]
        with client.responses.stream(model=MODEL, input="Sum a slice.") as events:
            assert events.get_final_response().output_text
        assert client.completions.create(model=MODEL, prompt="Sum a slice.").choices[0].text


def test_the_client_understands_what_is_refused(swarm: RunningSwarm) -> None:
    with client_of(swarm) as client:
        with pytest.raises(openai.BadRequestError) as tools:
            client.chat.completions.create(model=MODEL, messages=HELLO, tools=[A_TOOL])
        assert (tools.value.param, tools.value.code) == ("tools", "unsupported_parameter")
        with pytest.raises(openai.NotFoundError) as model:
            client.chat.completions.create(model="gpt-6", messages=HELLO)
        assert (model.value.param, model.value.code) == ("model", "model_not_found")
        long: Any = [{"role": "user", "content": "x" * 70_000}]
        with pytest.raises(openai.BadRequestError) as too_long:
            client.chat.completions.create(model=MODEL, messages=long)
        assert too_long.value.code == "context_length_exceeded"
        with pytest.raises(openai.APIStatusError) as larger:
            client.chat.completions.create(model=MODEL, messages=long * 2)
        assert (larger.value.status_code, larger.value.code) == (413, "request_too_large")
        with pytest.raises(openai.BadRequestError) as previous:
            client.responses.create(model=MODEL, input="Sum a slice.", previous_response_id="resp_1")
        assert previous.value.param == "previous_response_id"


async def test_a_node_with_another_as_its_engine_does_not_start(swarm: RunningSwarm, tmp_path: Path) -> None:
    """So no circle of nodes can be closed: the last of them would not start."""
    spec = NodeSpec(tmp_path / "node", EngineConfig(kind="openai", url=swarm.url))
    async with AsyncExitStack() as stack:
        with pytest.raises(LocalNodeError, match="is a Strand node, which is no engine"):
            await start_node(spec, stack)


@pytest.mark.skipif(not LLM.exists(), reason="there is no `llm`: `make clients` installs it")
def test_llm_asks_as_its_user_would_configure_it(swarm: RunningSwarm, shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: swarm\n  model_name: {MODEL}\n  api_base: {swarm.url}/v1\n"
    )
    environment = shell.environment() | {"LLM_USER_PATH": str(tmp_path)}
    for settings in ((), ("--no-stream",), ("-s", "Be short."), ("-c",)):
        ran = subprocess.run(
            [LLM, *(() if "-c" in settings else ("-m", "swarm")), *settings, "Sum a slice."],
            capture_output=True,
            text=True,
            env=environment,
            timeout=PATIENCE_S,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, ""), ran
        assert ran.stdout.strip()


def node_version() -> int:
    """The major version of Node.js; 0: there is none."""
    if (node := shutil.which("node")) is None:
        return 0
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    return int(told.stdout.lstrip("v").partition(".")[0])


@pytest.mark.skipif(not OPENAI_JS.exists(), reason="there is no JavaScript client: `make clients` fetches it with npm")
def test_the_javascript_client_asks(swarm: RunningSwarm) -> None:
    if node_version() < 20:
        pytest.skip("OpenAI's JavaScript client needs Node 20")
    script = Path(__file__).with_name("openai_client.mjs")
    ran = subprocess.run(
        ["node", script, OPENAI_JS, swarm.url, MODEL], capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode()
    told = json.loads(ran.stdout)
    assert MODEL in told["models"]
    assert told["whole"]["choices"][0]["message"]["content"] and told["whole"]["strand"]["outcome"] == "decided"
    assert told["text"] and told["last"]["usage"]["total_tokens"] and told["last"]["strand"]["certificate"]
    assert (told["types"][0], told["types"][-1]) == ("response.created", "response.completed")
    assert told["refused"] == {"status": 400, "code": "unsupported_parameter", "param": "tools"}
