"""The `[sandbox]` table of a node's configuration. Every default is defined here and nowhere else."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta

PLACES_MAX: Final = 64
"""Most commands at a time: each takes a user id, of 128 on the machine."""

MEMORY_BYTES_MIN: Final = 256 << 20
"""Least memory of a command in bytes: rustc takes 95 MB for a small program, and gcc as much again."""


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """Whether and how this node compiles and runs answers in Rust."""

    # auto: if a compiler is found and a sandbox holds on this machine; off: never.
    enabled: Literal["auto", "off"] = "auto"
    # The compiler, or rustup's proxy of that name. None: the first of PATH, ~/.cargo/bin and /usr/bin that works.
    rustc: Path | None = None
    # Commands at a time. 0: one for each core, at most 8, and no more than half of the memory is enough for.
    places: Annotated[int, Meta(ge=0, le=PLACES_MAX)] = 0
    # Most memory of one command with all its processes, in bytes.
    memory_bytes_max: Annotated[int, Meta(ge=MEMORY_BYTES_MIN, le=1 << 40)] = 2 << 30
    # Most CPU time of one command with all its processes, in seconds.
    cpu_s_max: Annotated[int, Meta(ge=1, le=3_600)] = 60
