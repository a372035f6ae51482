"""How a vLLM is started, and what is read from what it prints: lines of vLLM 0.32, seen on a machine without a GPU,
but for those of the CUDA build, which are from its source."""

from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import memory_stream_pair

from node.inference import EngineConfig, VllmConfig
from node.inference.status import EngineStage, ServerStatus
from node.inference.vllm.causes import known_cause, last_error
from node.inference.vllm.command import arguments, environment, served_model
from node.inference.vllm.output import LINE_BYTES_MAX, Output

LORA = VllmConfig(model="Qwen/Qwen2.5-Coder-14B-Instruct", adapter="/models/strand-lora", adapter_rank_max=128)


def test_a_model_and_an_adapter_are_served_under_their_names() -> None:
    config = EngineConfig(kind="vllm", context_tokens=8192)
    command = arguments(config, LORA, 4321)
    assert command[1:3] == ["-m", "vllm.entrypoints.openai.api_server"]
    for option, value in (
        ("--model", LORA.model), ("--port", "4321"), ("--host", "127.0.0.1"), ("--max-model-len", "8192"),
        ("--max-lora-rank", "128"), ("--max-num-seqs", "32"), ("--gpu-memory-utilization", "0.9"),
    ):  # fmt: skip
        assert command[command.index(option) + 1] == value
    assert "--enable-lora" in command
    assert "--lora-modules=strand=/models/strand-lora" in command
    assert f"--served-model-name={LORA.model}" in command
    assert served_model(config, LORA) == "strand"


def test_a_merged_model_is_served_under_the_name_that_the_node_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    merged = VllmConfig(model="~/models/Strand-Rust-Coder-14B", arguments=("--enforce-eager",))
    command = arguments(EngineConfig(model="rust"), merged, 1)
    assert command[command.index("--model") + 1] == "/home/me/models/Strand-Rust-Coder-14B"
    assert "--served-model-name=rust" in command
    assert command[-1] == "--enforce-eager"
    assert not [word for word in command if "lora" in word]
    assert served_model(EngineConfig(), merged) == "Strand-Rust-Coder-14B"


def test_the_server_gets_its_key_by_the_environment_and_none_of_our_secrets() -> None:
    given = environment({"STRAND_API_TOKEN": "secret", "CUDA_VISIBLE_DEVICES": "1"}, "key")
    assert given["VLLM_API_KEY"] == "key"
    assert given["CUDA_VISIBLE_DEVICES"] == "1"
    assert "STRAND_API_TOKEN" not in given
    command = arguments(replace(EngineConfig(), api_key="a very secret key"), LORA, 1)
    assert not [word for word in command if "secret" in word]


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        ("/usr/bin/python3: No module named vllm", "pip install vllm"),
        (
            "(Worker pid=11124) ERROR 11-27 22:27:35 [multiproc_executor.py:1063] ValueError: LoRA rank 16 is greater "
            "than max_lora_rank 8.",
            "set [vllm] adapter_rank_max = 16 or more",
        ),
        (
            "(Worker pid=11432) ERROR 11-27 22:28:08 [multiproc_executor.py:1063] "
            "vllm.exceptions.LoRAAdapterNotFoundError: Loading lora strand failed: No adapter found for /tmp/none",
            "there is no adapter",
        ),
        (
            "  Value error, User-specified max_model_len (1000000) is greater than the derived max_model_len "
            "(max_position_embeddings=4096.0 or model_max_length=None in model's config.json). To allow",
            "the model's own context is 4096 tokens",
        ),
        (
            "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached snapshot folder for the "
            "specified revision on the local disk and outgoing traffic has been disabled.",
            "there is no such model",
        ),
        ("OSError: [Errno 98] Address already in use", "another program has its port"),
        ("RuntimeError: No CUDA GPUs are available", "vLLM finds no GPU"),
        ("RuntimeError: Failed to infer device type, please set the environment", "vLLM finds no GPU"),
        (
            "ValueError: Free memory on device cuda:0 (10.5/23.6 GiB) on startup is less than desired GPU memory "
            "utilization (0.9, 21.24 GiB). Decrease GPU memory utilization",
            "only 10.5 of the GPU's 23.6 GiB are free",
        ),
        (
            "ValueError: To serve at least one request with the model's max seq len (32768), (6.0 GiB KV cache is "
            "needed, which is larger than the available KV cache memory (2.1 GiB).",
            "a context of 32768 tokens needs 6.0 GiB of cache",
        ),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", "smaller or quantised model"),
    ],
)
def test_the_usual_failures_have_a_line_that_says_what_to_do(printed: str, told: str) -> None:
    line = known_cause(f"INFO something before\n{printed}\nINFO something after")
    assert told in line
    assert "\n" not in line


@pytest.mark.parametrize(
    "benign",
    [
        "WARNING lower --max-num-seqs if you run out of memory",
        "INFO Using adapter_config.json of /models/strand",
        "INFO non-default args: {'gpu_memory_utilization': 0.9, 'max_lora_rank': 64}",
    ],
)
def test_words_of_a_failure_in_a_line_that_is_none_do_not_count(benign: str) -> None:
    assert known_cause(benign) == ""
    assert "finds no GPU" in known_cause(f"{benign}\nRuntimeError: No CUDA GPUs are available")


def test_an_unknown_failure_is_told_in_the_words_of_who_failed_first() -> None:
    printed = (
        "(EngineCore pid=1) ERROR [core.py:1] ValueError: the cause\n"
        "RuntimeError: Engine core initialization failed. See root cause above.\n"
    )
    assert (known_cause(printed), last_error(printed)) == ("", "ValueError: the cause")
    assert last_error("Killed") == ""


async def test_stages_go_forward_and_every_line_is_logged(tmp_path: Path) -> None:
    path = tmp_path / "vllm.log"
    status = ServerStatus("vLLM")
    output = Output(path, status)
    ours, theirs = memory_stream_pair()
    seen = []

    def note() -> bool:
        seen.append((status.stage, status.progress))
        return False

    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.read, theirs)
        nursery.start_soon(status.wait_until, note)
        for printed in (
            b"(Worker pid=1) INFO [cpu_model_runner.py:68] Starting to load ", b"model /m...\n",
            b"\rLoading safetensors checkpoint shards:  50% Completed | 1/2 [00:00<?, ?it/s]\n",
            b"Dynamo bytecode transform time: 5.30 s\n", b"Starting to load model again\n",
            b"y" * (2 * LINE_BYTES_MAX) + b"\nlast words \xff",
        ):  # fmt: skip
            await ours.send_all(printed)
            await trio.testing.wait_all_tasks_blocked()
        await ours.aclose()
        await output.ended.wait()
        nursery.cancel_scope.cancel()

    assert seen == [
        (EngineStage.STARTING, ""),
        (EngineStage.LOADING, ""),
        (EngineStage.LOADING, "50% Completed"),
        (EngineStage.COMPILING, ""),
    ]
    lines = path.read_text().splitlines()
    assert lines[0].endswith("Starting to load model /m...")
    assert max(len(line) for line in lines) == LINE_BYTES_MAX
    assert output.why("") == "last words �"
    assert output.why("it was ended by signal 9") == "it was ended by signal 9"
    output.close()
