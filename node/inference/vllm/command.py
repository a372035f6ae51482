"""The command that starts a vLLM of ours (options of vLLM 0.32): the program behind `vllm serve`, by its module."""

from collections.abc import Mapping
from pathlib import Path

from node.inference.config import EngineConfig, VllmConfig

ADAPTER_NAME = "strand"
"""The served name of the adapter if `engine.model` gives none."""

OURS = {
    "--api-key": "[engine] api_key",
    "--enable-lora": "[vllm] adapter",
    "--gpu-memory-utilization": "[vllm] gpu_memory_share",
    "--host": "nothing: it serves this machine alone",
    "--lora-modules": "[vllm] adapter",
    "--max-model-len": "[engine] context_tokens",
    "--max-num-seqs": "[vllm] sequences_max",
    "--model": "[vllm] model",
    "--port": "[vllm] port",
    "--served-model-name": "[engine] model",
}
"""Arguments on which the node relies, and the setting behind each."""


def served_model(config: EngineConfig, vllm: VllmConfig) -> str:
    """Return the model to use: the adapter if there is one, else the model itself."""
    return config.model or (ADAPTER_NAME if vllm.adapter else base_name(vllm))


def base_name(vllm: VllmConfig) -> str:
    """Return the model's own name: that of its folder, or the hub's."""
    return Path(vllm.model).name if is_folder(vllm.model) else vllm.model


def is_folder(name: str) -> bool:
    """Whether a name is a path; a name at the hub has one slash, and no such beginning."""
    return name.startswith(("/", "~", "."))


def arguments(config: EngineConfig, vllm: VllmConfig, port: int) -> list[str]:
    """Build the command line. It does not contain the key, because every user of the machine can read it."""
    options = {
        "--model": _source(vllm.model),
        "--host": "127.0.0.1",
        "--port": str(port),
        "--dtype": vllm.dtype,
        "--max-model-len": str(config.context_tokens),
        "--max-num-seqs": str(vllm.sequences_max),
        "--gpu-memory-utilization": str(vllm.gpu_memory_share),
        # Sampling follows our requests, not a model folder's recommendation.
        "--generation-config": "vllm",
    }
    served = served_model(config, vllm)
    if vllm.adapter:
        names = [base_name(vllm)]
        # After `=`: a list of one would otherwise take in the next argument.
        adapter = ["--enable-lora", f"--lora-modules={served}={_source(vllm.adapter)}"]
        options["--max-lora-rank"] = str(vllm.adapter_rank_max)
    else:
        names, adapter = [served], []
    return [
        str(Path(vllm.python).expanduser()),
        "-m",
        "vllm.entrypoints.openai.api_server",
        *(word for option in options.items() for word in option),
        *adapter,
        f"--served-model-name={names[0]}",
        "--enable-prompt-tokens-details",
        *vllm.arguments,
    ]


def environment(inherited: Mapping[str, str], api_key: str) -> dict[str, str]:
    """Build the server's environment: the node's without its settings, which hold secrets, and with the key."""
    kept = {name: value for name, value in inherited.items() if not name.startswith("STRAND_")}
    return kept | {"VLLM_API_KEY": api_key, "VLLM_NO_USAGE_STATS": "1", "PYTHONUNBUFFERED": "1"}


def _source(name: str) -> str:
    """Make a path absolute, because the server works in a folder of its own."""
    return str(Path(name).expanduser().absolute()) if is_folder(name) else name
