"""Removal of debris from a model's text: reasoning, chat-template tokens, a fence around the whole.

Servers should remove these and often do not: a template that the server does not know leaves its tokens in the text, a
reasoning model without a reasoning parser leaves its thoughts. Code fences stay: a program about chat templates may
contain any of these words, and the content of a fence is the answer.
"""

import re
from collections.abc import Iterator

PASSES = 3
"""Passes for nested wrappings: at most a head, a fence and reasoning were seen in one text."""

_REASONING = "think|thinking|thought|reasoning"
_OPENS = re.compile(rf"[ \t]*<({_REASONING})>")
_CLOSES = re.compile(rf"</({_REASONING})>")
_CLOSES_ALONE = re.compile(rf"[ \t]*</({_REASONING})>[ \t]*")

# Ends of a turn, of ChatML (Qwen, SmolLM2), Llama 2 and 3, Gemma, Phi, DeepSeek, Mistral, GLM.
_ENDS = (
    "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|eom_id|>", "<|end|>", "<|EOT|>", "<|user|>",
    "<|observation|>", "<end_of_turn>", "<eos>", "<｜end▁of▁sentence｜>", "<｜User｜>", "[INST]", "[/INST]",
)  # fmt: skip
_TURN_ENDS = re.compile("|".join(re.escape(token) for token in (*_ENDS, "<|im_start|>", "<|start_header_id|>")))

# The head of the assistant's own turn, if the server left it in the text; a bare role only on a line of its own.
_HEAD = re.compile(
    r"\s*(?:<s>\s*)?(?:"
    r"<\|im_start\|>\s*assistant\s*?\n"
    r"|<\|start_header_id\|>\s*assistant\s*<\|end_header_id\|>"
    r"|<\|assistant\|>|<｜Assistant｜>|<start_of_turn>model[ \t]*\n"
    r"|(?:assistant|Assistant:|### ?(?:Response|Assistant):)[ \t]*\n"
    r")"
)
# Not if it strikes out some first words.
_BEGIN = re.compile(r"\s*<s>(?![^\n]*</s>\s*\S)[ \t]*")

_FENCE = re.compile(r" {0,3}(`{3,}+|~{3,}+)[ \t]*+([^`\n]*)")
_DOCUMENTS = frozenset({"markdown", "md"})


def clean(text: str) -> str:
    """Return the answer in a model's text; empty if there is only debris or reasoning. Linear in the text's length.

    Reasoning that was never closed (a model that was cut while it thought) is dropped to the end of the text.
    """
    for _ in range(PASSES):
        text = _unwrapped(_last_shed(until_turn_ends(_without_reasoning(_without_head(text)))))
    return text


def _without_head(text: str) -> str:
    head = _HEAD.match(text) or _BEGIN.match(text)
    return text[head.end() :] if head else text


def _without_reasoning(text: str) -> str:
    kept: list[str] = []
    reasoning = False
    for line, fenced in fenced_lines(text):
        rest = line
        if not reasoning and not fenced:
            if _OPENS.match(rest):
                reasoning = True
            elif _CLOSES_ALONE.fullmatch(rest.rstrip("\r\n")):
                # The template had opened it: everything before was reasoning.
                kept, rest = [], ""
        while reasoning and (end := _CLOSES.search(rest)):
            rest = rest[end.end() :]
            reasoning = _OPENS.match(rest) is not None
        if not reasoning:
            kept.append(rest)
    return "".join(kept)


def until_turn_ends(text: str, ends: re.Pattern[str] = _TURN_ENDS) -> str:
    """Cut a text at the end of the turn: a model that continues makes up the next question, which is no answer."""
    position = 0
    for line, fenced in fenced_lines(text):
        if not fenced and (end := ends.search(line)):
            return text[: position + end.start()]
        position += len(line)
    return text


def _last_shed(text: str) -> str:
    """Remove debris at the end, even after an open fence, and blank lines around the text."""
    # Markup may end in a word that is struck out.
    tokens = _ENDS if "<s>" in text else (*_ENDS, "</s>")
    end = len(text)
    while end:
        if text[end - 1].isspace():
            end -= 1
        elif token := next((token for token in tokens if text.endswith(token, 0, end)), ""):
            end -= len(token)
        else:
            break
    return text[:end].lstrip("\r\n")


def _unwrapped(text: str) -> str:
    """Remove one fence around the whole if there are fences inside, which its lines would hide.

    A wrapped document whose end was cut has no closing line; it is recognised only under a document's label.
    """
    lines = text.split("\n")
    outer = _FENCE.fullmatch(lines[0])
    if outer is None or len(lines) < 4:
        return text
    closed = _is_bare(lines[-1])
    if not closed and outer[2].strip().lower() not in _DOCUMENTS:
        return text
    inside, blocks = False, 0
    for line in lines[1 : -1 if closed else None]:
        fence = _FENCE.fullmatch(line)
        if fence is None:
            continue
        if inside == bool(fence[2].strip()):
            # A bare fence ends the outer one after all, or a labelled one begins within a block: no wrapped document.
            return text
        inside = not inside
        blocks += 1
    if not blocks or (closed and inside):
        return text
    return "\n".join(lines[1 : -1 if closed else None])


def _is_bare(line: str) -> bool:
    fence = _FENCE.fullmatch(line)
    return fence is not None and not fence[2].strip()


def fenced_lines(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each line with its end, and whether it stands in a code fence; the fences' own lines do not."""
    opened = ""
    for line in re.split(r"(?<=\n)", text):
        fence = _FENCE.fullmatch(line.rstrip("\r\n"))
        if fence is None:
            yield line, bool(opened)
        elif not opened:
            opened = fence[1]
            yield line, False
        else:
            if fence[1].startswith(opened) and not fence[2].strip():
                opened = ""
            yield line, bool(opened)
