"""An environment in which the stand-in is vLLM (see stand_in_vllm), for a managed engine or a whole node."""

import json
import os
import sys
from pathlib import Path

from node.inference import VllmConfig
from node.inference.vllm.server import SESSION_NAME

ROOT = Path(__file__).parents[2]


class Stage:
    """An interpreter that runs the stand-in, a model's folder, and the folder of the server that uses them."""

    def __init__(self, folder: Path, server_folder: Path | None = None) -> None:
        python = folder / "python"
        # It is called as `python -m vllm.entrypoints...`.
        program = f'{sys.executable} -P -m tests.support.stand_in_vllm "$@"'
        python.write_text(f"#!/bin/sh\nshift 2\nPYTHONPATH={ROOT} exec {program}\n")
        python.chmod(0o700)
        self.model = folder / "Model-7B"
        self.model.mkdir()
        (self.model / "config.json").write_text("{}")
        self._gate = folder / "gate"
        self.behave()
        self.folder = server_folder or folder / "vllm"
        self.config = VllmConfig(python=str(python), model=str(self.model))

    def behave(self, **how: object) -> None:
        """What the stand-in does at its next starts."""
        (self.model / "stand-in.json").write_text(json.dumps(how))

    def close_gate(self) -> None:
        """The next starts wait before they serve, one for each opening."""
        os.mkfifo(self._gate)
        self.behave(gate=str(self._gate))

    def open_gate(self) -> None:
        """Let the start that waits go on; blocks until there is one."""
        self._gate.write_text("go on")

    @property
    def session(self) -> int:
        """Of the last start."""
        return int((self.folder / SESSION_NAME).read_text().split()[1])
