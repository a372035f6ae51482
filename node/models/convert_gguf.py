"""GGUF to a checkpoint that vLLM loads: the script of a child process, run by the interpreter of vLLM's environment.

`python -P convert_gguf.py FILE.gguf FOLDER`: FOLDER exists and is empty. It prints JSON lines: {"step": ...} as it
proceeds, and at the end {"done": {...}} or {"error": ...}. It imports nothing of this project, which is not installed
there, and ends at the end of its stdin, which the kernel ensures however the parent ends.
"""

import importlib.util
import json
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

NEEDED = ("torch", "transformers", "gguf", "accelerate")

KEYS_SHOWN = 3
"""Weights named in an error: the first ones identify the layer."""


class ConversionRefused(Exception):
    """Ends the conversion with one line."""


def main() -> int:
    """Convert one file. Returns the exit code."""
    file, folder = (Path(argument).absolute() for argument in sys.argv[1:3])
    threading.Thread(target=_end_with_stdin, args=(folder,), daemon=True).start()
    # Libraries print to stdout as well: the parent must read only our lines.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # A conversion needs a file and a folder; a library must not fetch anything else.
    os.environ["HF_HUB_OFFLINE"] = "1"

    def say(**words: Any) -> None:
        print(json.dumps(words), file=replies, flush=True)

    try:
        done = _convert(file, folder, say)
    except ConversionRefused as refusal:
        say(error=str(refusal))
        return 1
    say(done=done)
    return 0


def _convert(file: Path, folder: Path, say: Any) -> dict[str, Any]:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        install = f"{sys.executable} -m pip install {' '.join(missing)}"
        raise ConversionRefused(f"{sys.executable} lacks {', '.join(missing)}; install what it lacks with: {install}")
    say(step="loading transformers")
    import torch
    import transformers

    say(step="reading weights")
    # If a kernel for packed weights is available, newer transformers would keep them packed, and save them so.
    packed = getattr(transformers, "GgufConfig", None)
    unpack = {} if packed is None else {"quantization_config": packed(dequantize=True)}
    model, loading = transformers.AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.bfloat16, output_loading_info=True, **unpack
    )
    _check(model, loading)
    tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    say(step="writing the checkpoint")
    # It is a plain model now: neither saving nor vLLM may treat it as a quantised one.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {
        "architecture": (model.config.architectures or [type(model).__name__])[0],
        "parameters": sum(weights.numel() for weights in model.parameters()),
        "chat_template": bool(tokenizer.chat_template),
    }


def _check(model: Any, loading: dict[str, Any]) -> None:
    """Refuse a model that the file holds only in part: the rest would be random numbers, with a mere warning."""
    for words, keys in (("lacks weights", "missing_keys"), ("has weights of another shape", "mismatched_keys")):
        found = sorted(str(key) for key in loading.get(keys) or ())
        if found:
            raise ConversionRefused(f"the file {words}, {len(found)} of them: {', '.join(found[:KEYS_SHOWN])}")
    packed = [name for name, weights in model.state_dict().items() if not weights.is_floating_point()]
    if packed:
        raise ConversionRefused(
            f"transformers left weights packed, {len(packed)} of them: {', '.join(packed[:KEYS_SHOWN])}"
        )


def _end_with_stdin(folder: Path) -> None:
    while os.read(0, 4096):
        pass
    # Nobody else is left to remove the folder.
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
