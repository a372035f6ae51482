"""What models and servers leave in a text, as it was seen; and what must be left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.inference.text_cleanup import clean
from tests.support.effort import cases

CODE = "```rust\nfn sum(v: &[i32]) -> i32 {\n    v.iter().sum()\n}\n```"
ANSWER = f"Sum them up:\n\n{CODE}\n\nIt takes linear time."

SAMPLES = {
    "qwen3-empty-thoughts": "<think>\n\n</think>\n\n" + ANSWER,
    "qwen3-thoughts": "<think>\nOkay, the user wants a sum. Maybe `iter().sum()`?\n\nYes.\n</think>\n\n" + ANSWER,
    "thoughts-with-code": f"<think>\nFirst try:\n```rust\nfn f() {{}}\n```\nNo.\n</think>\n{ANSWER}",
    "thoughts-with-half-a-fence": f"<think>\nFirst try:\n```rust\nfn f() {{\nNo.\n</think>\n{ANSWER}",
    "thoughts-in-one-line": "<think>easy</think>" + ANSWER,
    "thoughts-twice": f"<think>a</think>\n<think>\nb\n</think>\n{ANSWER}",
    "thoughts-that-the-template-opened": f"Okay, a sum.\n\n1. iter\n2. sum\n</think>\n\n{ANSWER}",
    "thoughts-afterwards": f"{ANSWER}\n\n<think>\nWas that right? I should",
    "other-words-for-it": f"<reasoning>\nhm\n</reasoning>\n{ANSWER}",
    "chatml-end": ANSWER + "<|im_end|>",
    "chatml-end-twice": ANSWER + "\n<|im_end|>\n<|endoftext|>\n",
    "llama-2-end": ANSWER + "</s>",
    "llama-3": f"<|start_header_id|>assistant<|end_header_id|>\n\n{ANSWER}<|eot_id|>",
    "gemma": f"<start_of_turn>model\n{ANSWER}<end_of_turn>\n<eos>",
    "deepseek": ANSWER + "<｜end▁of▁sentence｜>",
    "mistral": f"<s> {ANSWER}</s>",
    "mistral-with-nothing-before": f"<s>{ANSWER}",
    "chatml-head": f"<|im_start|>assistant\n{ANSWER}<|im_end|>",
    "chatml-head-and-thoughts": f"<|im_start|>assistant\n<think>\nhm\n</think>\n{ANSWER}<|im_end|>",
    "role-alone": f"assistant\n{ANSWER}",
    "alpaca-head": f"### Response:\n{ANSWER}",
    "runs-on": f"{ANSWER}<|im_end|>\n<|im_start|>user\nAnd now in C.<|im_end|>\n<|im_start|>assistant\nint f();",
    "runs-on-in-llama-2": f"{ANSWER}\n[INST] And now in C. [/INST] int f();",
    "wrapped-in-markdown": f"```markdown\n{ANSWER}\n```",
    "wrapped-in-nothing": f"```\n{ANSWER}\n```\n",
    "wrapped-in-markdown-and-ended": f"```md\n{ANSWER}\n```<|im_end|>",
    "wrapped-thoughts": f"<think>hm</think>\n```markdown\n{ANSWER}\n```</s>",
}


@pytest.mark.parametrize("text", SAMPLES.values(), ids=SAMPLES)
def test_only_the_answer_is_left(text: str) -> None:
    assert clean(text) == ANSWER


@pytest.mark.parametrize(
    "text",
    ["", " \n", "<think>", "<think>\nI should first consider", "<think>a</think>", "<|im_end|>", "</s></s>", "<s>"],
)
def test_where_there_is_no_answer_nothing_is_left(text: str) -> None:
    assert clean(text) == ""


def test_a_wrapped_document_whose_end_was_cut_sheds_its_first_line() -> None:
    assert clean("```markdown\nSum them:\n\n```rust\nfn sum() {") == "Sum them:\n\n```rust\nfn sum() {"


def test_a_block_that_was_cut_sheds_the_token_at_its_end() -> None:
    assert clean("```rust\nfn main() {}\n<|im_end|>") == "```rust\nfn main() {}"


@pytest.mark.parametrize(
    "text",
    [
        ANSWER,
        CODE,
        "Answer: 42",
        "    let indented = 1;",
        "```\nfn a() {}\n```\nand\n```rust\nfn b() {}\n```",
        "```\nfn a() {}\n```\nand\n```\nfn b() {}\n```",
        "```text\nno block within\n```",
        '```rust\nconst END: &str = "<|im_end|>";\nconst THINK: &str = "<think>";\n```\nThat is ChatML.',
        "```\n<think>\nis how it begins\n</think>\n```\nThat is a template.",
        "```rust\nlet a = 1;\n// unclosed, and it goes on\nlet b = [INST];",
        "The tag `</think>` ends it.",
        "Tell <think> from </think>.",
        "It was <s>slow</s>",
        "<s>No.</s> Yes, it is.",
        "~~~rust\nfn a() {}\n~~~",
        "A line\x0bwith\x0cother\u2028breaks",
    ],
)
def test_what_may_be_the_answer_is_left_alone(text: str) -> None:
    assert clean(text) == text


PIECES = st.sampled_from(
    ["<think>", "</think>", "\n", "```", "```rust\n", "\n```\n", "```markdown\n", "<|im_end|>", "</s>", "<s>", "x", " "]
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_nothing_is_made_up(text: str) -> None:
    """Whatever comes out stood in the text, in that order."""
    letters = iter(text)
    assert all(letter in letters for letter in clean(text))


LONG = cases(1_000_000, fast=100_000)
"""bytes of the longest texts"""


@pytest.mark.parametrize(
    "piece", [" ", "<s>", "</s>", "`", "<think>", "</think>\n", "```\n", "```rust\n", "<|", "```  "]
)
def test_a_long_text_of_anything_is_soon_cleaned(piece: str) -> None:
    """A pattern that took the square of the length would not end today."""
    clean(piece * (LONG // len(piece)) + "x`")
    clean("x" + piece * (LONG // len(piece)))
