"""The embedded model server: a child process of `node.inference.embedded`, never imported by it.

A native crash of llama.cpp must not end the node, so it has a process of its own. The parent writes one JSON line of
settings to stdin (argv would show the key to every user of the machine) and keeps stdin open. This process prints one
JSON line with its URL and ends when stdin ends, which the kernel ensures however the parent ends.
"""

import json
import os
import signal
import sys

SETTINGS_BYTES_MAX = 64 * 1024


def main() -> None:
    """Serve until stdin ends."""
    # Ctrl-C reaches the whole group of processes; the parent is the one to end this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # llama.cpp prints to stdout as well: the parent must read only our line.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    settings = json.loads(sys.stdin.buffer.readline(SETTINGS_BYTES_MAX))
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["model_path"]
    params.model_alias = {settings["model"]}
    params.hostnames = ["127.0.0.1"]
    params.port = settings["port"]
    params.api_keys = [settings["api_key"]]
    # The defaults let every web page read the server's replies and let the prompt cache take 8 GiB.
    params.cors_origins = "http://127.0.0.1"
    params.cache_ram_mib = settings["cache_ram_mib"]
    params.ui = False
    params.n_parallel = settings["slots"]
    params.n_ctx = settings["context_tokens"] * settings["slots"]
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["prompt_threads"]
    params.verbosity = 1
    server = xllamacpp.Server(params)
    print(json.dumps({"url": server.listening_address}), file=replies, flush=True)
    while sys.stdin.buffer.read(SETTINGS_BYTES_MAX):
        pass
    # An orderly stop would wait for generations that nobody reads any more.
    os._exit(0)


if __name__ == "__main__":
    main()
