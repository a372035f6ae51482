"""Makes a tiny random Qwen2 and a LoRA adapter of it: 13 MB that prove the path of adapters, not that they help.

Run by vLLM's interpreter: `python make_tiny.py TOKENIZER_FOLDER OUT RANK`; writes OUT/base and OUT/adapter.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

HIDDEN = 128
LAYERS = 2
HEADS = 2
"""vLLM's CPU build knows heads of 32, 64 and more, not of 16."""


def main(tokenizer_folder: str, out: Path, rank: int) -> None:
    torch.manual_seed(1)
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        # Random weights of the usual spread make flat distributions, in which an adapter changes little.
        initializer_range=0.2,
    )
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(out / "base")
    tokenizer.save_pretrained(out / "base")

    adapter = out / "adapter"
    adapter.mkdir(parents=True)
    weights = {}
    for layer in range(LAYERS):
        for name in ("q_proj", "v_proj"):
            key = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            weights[f"{key}.lora_A.weight"] = torch.randn(rank, HIDDEN, dtype=torch.bfloat16) * 0.5
            weights[f"{key}.lora_B.weight"] = torch.randn(HIDDEN, rank, dtype=torch.bfloat16) * 0.5
    save_file(weights, adapter / "adapter_model.safetensors")
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(out / "base"),
        "r": rank,
        "lora_alpha": 2 * rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": ["q_proj", "v_proj"],
    }
    (adapter / "adapter_config.json").write_text(json.dumps(settings))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
