"""Engines: the source of answers and preferences. Importing this package loads no HTTP client and no model."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import assert_never

from node.inference.config import EngineConfig, VllmConfig
from node.inference.ports import Completion, Engine, EngineError, EngineInfo, JudgePrompt, JudgingMethod, Sampling

__all__ = [
    "Completion",
    "Engine",
    "EngineConfig",
    "EngineError",
    "EngineInfo",
    "JudgePrompt",
    "JudgingMethod",
    "Sampling",
    "VllmConfig",
    "open_engine",
]


@asynccontextmanager
async def open_engine(
    config: EngineConfig,
    vllm: VllmConfig | None = None,
    folder: Path | None = None,
) -> AsyncIterator[Engine]:
    """Run the engine that `config.kind` names, for as long as the block runs.

    `vllm` and `folder` (for its log) are for a vLLM that the node runs, which may still be starting: see Engine.server.
    Raises EngineError if an engine of ours cannot start or a script cannot be read. A remote engine is not contacted
    before its first use: call `probe`.
    """
    match config.kind:
        case "vllm" if vllm is not None and vllm.model:
            from node.inference.vllm.server import open_vllm

            assert folder is not None
            async with open_vllm(config, vllm, folder) as engine:
                yield engine
        case "openai" | "vllm":
            from node.inference.openai import open_openai

            async with open_openai(config) as engine:
                yield engine
        case "embedded":
            from node.inference.embedded import open_embedded

            async with open_embedded(config) as engine:
                yield engine
        case "scripted":
            from node.inference.scripted import open_scripted

            yield await open_scripted(config)
        case _:
            assert_never(config.kind)
