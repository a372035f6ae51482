"""A program that is started like vLLM's server and behaves like one without a model, in two processes.

It prints what vLLM prints, serves a StandIn, and starts a second process that does not end by itself. What else it
does stands in the file stand-in.json of the folder that holds its model: {"fail": TEXT} to print and end with 1,
{"deaf": true} for one that never serves, {"gate": PATH} to wait until somebody writes to that FIFO.
"""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path

import trio

from tests.support.engine_server import StandIn, http

BANNER = (
    "(Worker pid=1) INFO 11-27 22:24:17 [cpu_model_runner.py:68] Starting to load model {model}...",
    "\rLoading safetensors checkpoint shards:  50% Completed | 1/2 [00:00<?, ?it/s]",
    "\rLoading safetensors checkpoint shards: 100% Completed | 2/2 [00:00<00:00, 68.34it/s]",
    "(EngineCore pid=2) INFO 11-27 22:24:19 [kv_cache_utils.py:2327] CPU KV cache size: 2,097,152 tokens",
)


class StandInVllm(StandIn):
    """With health checks, which need no key."""

    KEY = os.environ.get("VLLM_API_KEY", "").lower()

    def reply_to(self, path: str, headers: str, body: object) -> object:  # type: ignore[override]
        """See Server."""
        return http(b"", headers="") if path == "/health" else super().reply_to(path, headers, body)


def main(arguments: list[str]) -> int:
    options = dict(pairwise(arguments))
    model = Path(options["--model"])
    told = json.loads((model / "stand-in.json").read_text())
    if "fail" in told:
        print(told["fail"])
        return 1
    # It outlives its parent, as vLLM's EngineCore does.
    subprocess.Popen([sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"])
    for line in BANNER:
        print(line.format(model=model))
    if told.get("deaf"):
        signal.pause()
    if "gate" in told:
        Path(told["gate"]).read_text()
    server = StandInVllm()
    given = [word.removeprefix("--").partition("=") for word in arguments]
    (name,) = (value for option, _, value in given if option == "served-model-name")
    server.models = [{"id": name, "max_model_len": int(options["--max-model-len"])}]
    adapters = (value.partition("=")[0] for option, _, value in given if option == "lora-modules")
    server.models += [{"id": adapter, "parent": name} for adapter in adapters]
    trio.run(partial(trio.serve_tcp, server.serve, int(options["--port"]), host="127.0.0.1"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
