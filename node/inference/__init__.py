"""Engines: where answers and preferences come from. Importing this package loads no HTTP client and no model."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import assert_never

from node.inference.config import EngineConfig
from node.inference.ports import Completion, Engine, EngineError, EngineInfo, JudgePrompt, Judging, Sampling

__all__ = [
    "Completion",
    "Engine",
    "EngineConfig",
    "EngineError",
    "EngineInfo",
    "JudgePrompt",
    "Judging",
    "Sampling",
    "open_engine",
]


@asynccontextmanager
async def open_engine(config: EngineConfig) -> AsyncIterator[Engine]:
    """The engine that `config.kind` names, for as long as the block runs.

    Raises EngineError where an embedded engine cannot start or a script cannot be read. A remote engine is not
    contacted before its first use: call `probe`.
    """
    match config.kind:
        case "openai":
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
