"""A managed vLLM with a LoRA adapter, and starts that fail, with the real program: a tiny model of random weights."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from node.inference import EngineConfig, EngineError, Sampling, VllmConfig, open_engine
from node.inference.vllm.server import free_port
from protocol.conversation import single
from protocol.types import TaskType
from tests.vllm.servers import BIN, READY_S, checkpoint

pytestmark = pytest.mark.skipif(not BIN.is_dir(), reason=f"there is no {BIN}: make test-vllm makes it")

RANK = 16
PYTHON = str(BIN / "python")
CONFIG = EngineConfig(kind="vllm", api_key="the key of this test's vLLM", context_tokens=2048)
GREEDY = Sampling(temperature=0.0, top_p=1.0, seed=1, max_tokens=24)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `base` and `adapter`."""
    out = tmp_path_factory.mktemp("tiny")
    script = Path(__file__).with_name("make_tiny.py")
    subprocess.run([PYTHON, "-P", script, trio.run(checkpoint), out, str(RANK)], check=True, capture_output=True)
    return out


@pytest.fixture(autouse=True)
def small_and_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")


def server(tiny: Path, **settings: object) -> VllmConfig:
    given = {"python": PYTHON, "model": str(tiny / "base"), "sequences_max": 8, "arguments": ("--enforce-eager",)}
    return VllmConfig(**(given | settings))  # type: ignore[arg-type]


async def test_an_adapter_answers_differently_from_its_base(tiny: Path, tmp_path: Path) -> None:
    port = free_port()
    config = server(tiny, adapter=str(tiny / "adapter"), port=port)
    async with open_engine(CONFIG, config, tmp_path) as engine:
        assert engine.server is not None
        with trio.fail_after(READY_S):
            await engine.server.wait_ready()
        info = await engine.probe()
        assert (info.model, info.models, info.adapters) == ("strand", ("base", "strand"), ("strand",))
        assert info.context_tokens == 2048
        adapted = await engine.answer(single("Sum a slice."), TaskType.CODE, GREEDY)
        again = await engine.answer(single("Sum a slice."), TaskType.CODE, GREEDY)
        assert again.text == adapted.text
        # The same server, asked for the base by its name.
        async with open_engine(replace(CONFIG, url=f"http://127.0.0.1:{port}", model="base")) as base:
            assert (await base.answer(single("Sum a slice."), TaskType.CODE, GREEDY)).text != adapted.text


@pytest.mark.parametrize(
    ("settings", "context_tokens", "told"),
    [
        pytest.param({"adapter_rank_max": 8}, 2048, f"set [vllm] adapter_rank_max = {RANK} or more", id="rank"),
        pytest.param({}, 1_000_000, "the model's own context is 4096 tokens", id="context"),
        pytest.param({"model": "strand/no-such-model", "adapter": ""}, 2048, "there is no such model", id="no model"),
    ],
)
async def test_a_start_that_fails_is_one_clear_line(
    tiny: Path, tmp_path: Path, settings: dict[str, object], context_tokens: int, told: str
) -> None:
    config = server(tiny, **({"adapter": str(tiny / "adapter")} | settings))
    with pytest.raises(ExceptionGroup) as caught, trio.fail_after(READY_S):
        async with open_engine(EngineConfig(kind="vllm", context_tokens=context_tokens), config, tmp_path):
            await trio.sleep_forever()
    (error,) = caught.value.exceptions
    assert isinstance(error, EngineError)
    assert told in str(error)
    assert "\n" not in str(error)
