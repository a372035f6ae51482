"""Atheris on one target, in a process of its own: `python -P -m tests.fuzz.guided TARGET INPUTS SEED FOLDER`.

Target code runs under trio in a second thread, because libFuzzer keeps the first; both are Python, so branches of
either guide it. Inputs follow from the seed, the corpus and what the code does with it.
"""

import argparse
import sys
import tempfile
import threading
from pathlib import Path

import atheris  # type: ignore[import-not-found, unused-ignore]

INSTRUMENTED = {
    "envelope": ["protocol", "consensus"],
    "certificate": ["protocol", "consensus"],
    "pubsub": ["node.overlay"],
    "multistream": ["libp2p.protocol_muxer", "libp2p.utils", "node.overlay"],
    "yamux": ["libp2p.stream_muxer.yamux", "node.overlay"],
    "streams": ["node.overlay", "protocol"],
    "replies": ["node.inference"],
    "http_json": ["node.inference", "h11"],
}
"""Packages whose branches count: those that read the bytes. Each costs speed."""

RSS_MB_MAX = 1_024
"""MiB of the whole process, instrumented and with libFuzzer's tables, which take half of it."""

INPUT_S = 20
"""seconds for one input."""


def main() -> None:
    """Does not return: libFuzzer ends the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target", choices=INSTRUMENTED)
    parser.add_argument("inputs", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("save", type=Path)
    parser.add_argument("--corpus", type=Path, help="grow this folder")
    chosen = parser.parse_args()
    with atheris.instrument_imports(include=INSTRUMENTED[chosen.target], enable_loader_override=False):
        from tests.fuzz.targets import TARGETS
    from tests.fuzz.driver import quiet, seeds
    from tests.fuzz.mutate import INPUT_BYTES_MAX
    from tests.fuzz.serving import Serving

    quiet()
    target = TARGETS[chosen.target]
    folder = chosen.corpus or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    for index, data in enumerate(seeds(target)):
        (folder / f"seed-{index}").write_bytes(data)
    chosen.save.mkdir(parents=True, exist_ok=True)
    serving = Serving(target)
    threading.Thread(target=serving.run, daemon=True).start()
    serving.ready.wait()
    flags = {
        "runs": chosen.inputs,
        "seed": chosen.seed,
        "max_len": INPUT_BYTES_MAX,
        "rss_limit_mb": RSS_MB_MAX,
        "timeout": INPUT_S,
        "artifact_prefix": f"{chosen.save}/{target.name}-",
        "print_final_stats": 1,
        "verbosity": 0 if chosen.corpus is None else 1,
    }
    atheris.Setup([sys.argv[0], *(f"-{name}={value}" for name, value in flags.items()), str(folder)], serving.one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
