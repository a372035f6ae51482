"""Blind pairwise judging: prompts, both orders, and preferences as integers.

A model is shown the query and two anonymous answers and asked for one letter. Each pair is asked in both orders and the
two preferences are averaged, because models favour a position: SmolLM2-135M always named A when asked once. Answers are
foreign text and may hold instructions. They stand between delimiters with a nonce that their authors cannot know, and
are shown without control tokens and without words about the comparison (`node.work.quoting`).

A judge may write some words about a pair before it chooses. They are no more trustworthy than the texts that it read,
because an answer may have instructed it. They are shown to it as one line that can hold no delimiter.
"""

import math
from base64 import b32encode
from collections.abc import AsyncGenerator, Collection, Container, Iterator, Sequence
from dataclasses import dataclass, field, replace

import trio

from node.inference.comparing import CHOICE, EXAMPLE_TAG, REASON, block, conversation, preamble
from node.inference.ports import Engine, EngineError, JudgePrompt, Reasoning
from node.inference.untrusted import shown
from node.work.quoting import names_letters, quoted_answer, quoted_turn
from protocol.messages import Turn
from protocol.types import ONE

NONCE_BYTES_MIN = 8
"""Bytes of a nonce. An author commits to an answer before the nonce is drawn and has one try: 64 bits cannot be
guessed."""

NONCE_BYTES = 16
"""Bytes of a judge's nonce."""

TEXT_BYTES_MIN = 200
"""Least bytes of each text that a judge must read; with fewer it compares nothing."""

RESERVED_TOKENS = 128
"""Tokens of delimiters, a server's chat template and the reply."""

QUERY_BYTES_PER_TOKEN = 3
"""Bytes of a query per token. Code has three or more; a query of rarer characters may be refused by the server."""

REASONING_BYTES_PER_TOKEN = 5
"""Bytes of a judge's reasoning that are shown per token. English has four or five; more is cut."""

NO_LETTER = "the reply does not say A or B"

_CUT = "(cut off: it reached its length limit)"


@dataclass(frozen=True, slots=True)
class PromptLimits:
    """Bytes of UTF-8 that a judge reads."""

    query_bytes_max: int
    """Bytes of a query as it is shown. It is never cut: who cannot read the whole of it compares nothing."""
    answer_bytes_max: int
    """Bytes of each answer; the rest of its middle is cut, visibly."""
    reasoning_tokens: int = 0
    """Tokens that it may write about a pair before it chooses; 0: none."""
    fits_surely: bool = True
    """Whether every prompt fits the context, whatever its texts: no tokenizer makes more tokens than bytes."""

    @property
    def reasoning_bytes_max(self) -> int:
        """Bytes of its reasoning that it reads."""
        return self.reasoning_tokens * REASONING_BYTES_PER_TOKEN

    def beside(self, query_bytes: int) -> "PromptLimits | None":
        """Return the limits beside a query that is shown in so many bytes: a long one leaves less of the answers.

        None: it leaves too little. Answers of strangers count a token for each byte, the query what text usually takes.
        """
        if query_bytes <= self.query_bytes_max:
            return self
        excess_tokens = max(math.ceil(query_bytes / QUERY_BYTES_PER_TOKEN) - self.query_bytes_max, 0)
        answer_bytes = self.answer_bytes_max - math.ceil(excess_tokens / 2)
        if answer_bytes < TEXT_BYTES_MIN:
            return None
        return replace(self, query_bytes_max=query_bytes, answer_bytes_max=answer_bytes, fits_surely=False)


@dataclass(frozen=True, slots=True)
class PairPreference:
    """One judged pair: its index in the request, and the preference for its first answer.

    `preference` is 0..65536, 65536 for "surely the first"; None is an abstention.
    """

    index: int
    preference: int | None
    reason: str = field(default="", compare=False)
    """Why it is an abstention."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One prompt to ask: a pair in one order. `swapped` shows the pair's second answer as A."""

    index: int
    swapped: bool


@dataclass(frozen=True, slots=True)
class _Half:
    """The result for one order of a pair."""

    preference: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class QuotedTask:
    """A query as a judge is shown it."""

    text: str
    tag: str
    """What marks the delimiters of its prompts."""
    lettered: bool
    """Whether it names A and B itself."""


@dataclass(frozen=True, slots=True)
class ShownPair:
    """A pair in the order in which a judge sees it."""

    texts: tuple[str, str]
    facts: tuple[str, str] = ("", "")
    """Words of ours on what testers settled about each text; empty: nothing is known."""


@trio.as_safe_channel
async def judge(
    engine: Engine,
    turns: Sequence[Turn],
    pairs: Sequence[tuple[str, str]],
    *,
    nonce: bytes,
    limits: PromptLimits,
    cut: Container[str] = frozenset(),
    facts: Sequence[tuple[str, str]] = (),
    told: Collection[str] = frozenset(),
) -> AsyncGenerator[PairPreference, None]:
    """Judge `pairs` of answers to a conversation, and yield each once, as soon as it is known.

    Use as `async with judge(...) as judgements: async for judgement in judgements: ...`; leaving the block cancels
    pending requests. An engine's failure makes its pair an abstention. `nonce`: fresh random bytes, for these pairs
    only. `cut`: the texts that ended at their token limit, which the prompt states, as it does `facts`: words of
    ours about the two answers of each pair; none: nothing is known. `told`: the engine's own control tokens.
    """
    asks = []
    for ask in asking_order(pairs):
        if pairs[ask.index][0] != pairs[ask.index][1]:
            asks.append(ask)
        elif not ask.swapped:
            yield PairPreference(ask.index, ONE // 2)
    task = quote_task(turns, nonce, told)
    prompts = ((ask, pair_prompt(task, _shown(pairs, facts, ask), limits, cut, told)) for ask in asks)
    halves: dict[int, _Half] = {}
    send, receive = trio.open_memory_channel[tuple[Ask, _Half]](len(asks))
    async with trio.open_nursery() as nursery:
        for _ in range(min(engine.concurrency, len(asks))):
            nursery.start_soon(_ask_all, engine, prompts, send.clone())
        send.close()
        async for ask, half in receive:
            if ask.index not in halves:
                halves[ask.index] = half
                continue
            other = halves.pop(ask.index)
            # Each order gave the probability of the answer that it showed as A.
            forward, backward = (other, half) if ask.swapped else (half, other)
            yield PairPreference(
                ask.index, combine(forward.preference, backward.preference), half.reason or other.reason
            )


def prompt_limits(
    context_tokens: int, answer_bytes_max: int, reasoning_tokens: int = 0, facts_bytes: int = 0
) -> PromptLimits:
    """Return limits with which every prompt surely fits a context, if the query keeps to its own.

    Otherwise an answer of rare characters would overflow the context and make its judges abstain. `facts_bytes`: of the
    words about one answer. Raises EngineError if the context is too small to judge with.
    """
    reasoning_bytes = reasoning_tokens * REASONING_BYTES_PER_TOKEN
    # Our own plain English has a token per three bytes or more.
    free_tokens = context_tokens - RESERVED_TOKENS - len(preamble(reasoning_tokens > 0)) // 2 - reasoning_bytes
    # The same for the facts about two answers.
    free_tokens -= facts_bytes
    answer_bytes = min(answer_bytes_max, free_tokens // 3)
    if answer_bytes < TEXT_BYTES_MIN:
        after = f" after {reasoning_tokens} tokens of reasoning" if reasoning_tokens else ""
        raise EngineError(f"a context of {context_tokens} tokens is too small to judge answers with{after}")
    return PromptLimits(free_tokens - 2 * answer_bytes, answer_bytes, reasoning_tokens)


def query_bytes(turns: Sequence[Turn], told: Collection[str] = frozenset()) -> int:
    """Return the bytes in which a query is shown to a judge whose nonce has NONCE_BYTES."""
    return len(quote_task(turns, bytes(NONCE_BYTES), told).text.encode("utf-8", "replace"))


def prompt_bytes(
    query_bytes: int, pairs: Sequence[tuple[str, str]], limits: PromptLimits, facts: Sequence[tuple[str, str]] = ()
) -> int:
    """Return the bytes of the longest prompt of these pairs, without delimiters and the judge's own text.

    `facts`: see `judge`.
    """
    shown = max((sum(min(len(text.encode()), limits.answer_bytes_max) for text in pair) for pair in pairs), default=0)
    known = max((sum(len(each) for each in pair) for pair in facts), default=0)
    return len(preamble(limits.reasoning_tokens > 0)) + query_bytes + shown + known


def quote_task(turns: Sequence[Turn], nonce: bytes, told: Collection[str]) -> QuotedTask:
    """Quote a query, whole: one question as it is, a conversation turn by turn behind delimiters.

    Raises ValueError if the nonce has fewer than NONCE_BYTES_MIN bytes.
    """
    if len(nonce) < NONCE_BYTES_MIN:
        raise ValueError(f"a nonce of {len(nonce)} bytes can be guessed: it takes {NONCE_BYTES_MIN}")
    tag, lettered = fence_tag(nonce), names_letters(turns)
    quoted = [(str(turn.role), _untagged(quoted_turn(turn, told, lettered=lettered))) for turn in turns]
    return QuotedTask(quoted[0][1] if len(quoted) == 1 else conversation(quoted, tag), tag, lettered)


def pair_prompt(
    task: QuotedTask, pair: ShownPair, limits: PromptLimits, cut: Container[str], told: Collection[str]
) -> JudgePrompt:
    """Return the prompt about a pair that shows its first answer as A; `limits`, `cut` and `told` are those of `judge`.

    The common part of a query's prompts comes first. Raises ValueError if the query is longer than the limits.
    """
    if len(task.text.encode("utf-8", "replace")) > limits.query_bytes_max:
        raise ValueError("a query is never cut: ask PromptLimits.beside whether it fits")
    first, second = pair.texts
    tag = task.tag
    shown_pair = block(
        task.text,
        _untagged(quoted_answer(first, limits.answer_bytes_max, told, lettered=task.lettered)),
        _untagged(quoted_answer(second, limits.answer_bytes_max, told, lettered=task.lettered)),
        tag,
        # In the delimiter, where no author can write.
        tuple(_delimiter(tag, text in cut, known) for text, known in zip(pair.texts, pair.facts, strict=True)),
    )
    plain = f"{preamble()}{shown_pair}{CHOICE}"
    if not limits.reasoning_tokens:
        return JudgePrompt(plain, first, second)
    asked = f"{preamble(reasoned=True)}{shown_pair}{REASON}"

    def choice(written: str) -> str:
        reason = _reason(shown(written, told), tag, limits.reasoning_bytes_max)
        return f"{asked} {reason}\n{CHOICE}" if reason else plain

    return JudgePrompt(plain, first, second, Reasoning(asked, limits.reasoning_tokens, choice))


def combine(forward: float | None, backward: float | None) -> int | None:
    """Combine P(first) shown as A and P(second) shown as A to the preference for a pair's first answer, 0..65536.

    A single order shows mostly the model's favourite position, so without both there is no preference.
    """
    if forward is None or backward is None:
        return None
    return round((forward + 1.0 - backward) / 2 * ONE)


def asking_order(pairs: Sequence[tuple[str, str]]) -> list[Ask]:
    """Return all pairs in both orders, with prompts of the same answer as A next to each other (prefix cache)."""
    asks = [Ask(index, swapped) for index in range(len(pairs)) for swapped in (False, True)]
    rank: dict[str, int] = {}
    for ask in asks:
        rank.setdefault(_ordered(pairs, ask)[0], len(rank))
    return sorted(asks, key=lambda ask: rank[_ordered(pairs, ask)[0]])


async def _ask_all(
    engine: Engine,
    prompts: Iterator[tuple[Ask, JudgePrompt]],
    results: trio.MemorySendChannel[tuple[Ask, _Half]],
) -> None:
    """Ask prompts from a shared iterator: several tasks keep the order and bound the concurrency."""
    with results:
        for ask, prompt in prompts:
            try:
                preference = await engine.preference(prompt)
                half = _Half(preference, "" if preference is not None else NO_LETTER)
            except EngineError as error:
                half = _Half(None, str(error))
            await results.send((ask, half))


def _delimiter(tag: str, is_cut: bool, known: str) -> str:
    """Return what stands in the delimiter line beside an answer's letter: its tag, and what is known of the answer."""
    told = [f"({known})"] if known else []
    return " ".join((tag, *told, _CUT)) if is_cut else " ".join((tag, *told))


def _shown(pairs: Sequence[tuple[str, str]], facts: Sequence[tuple[str, str]], ask: Ask) -> ShownPair:
    return ShownPair(_ordered(pairs, ask), _ordered(facts, ask) if facts else ("", ""))


def _ordered(pairs: Sequence[tuple[str, str]], ask: Ask) -> tuple[str, str]:
    first, second = pairs[ask.index]
    return (second, first) if ask.swapped else (first, second)


def fence_tag(nonce: bytes) -> str:
    """Spell a nonce as the mark that fences quoted answers: lower-case base 32."""
    # Half the tokens of hexadecimal: digits are tokens of their own.
    return b32encode(nonce).decode().rstrip("=").lower()


def _untagged(text: str) -> str:
    """Remove the examples' tag, which is public: no text may close one of their blocks.

    A word replaces it: with nothing in its place, the text after it could begin a line.
    """
    return text.replace(EXAMPLE_TAG, "tag")


def _reason(written: str, tag: str, bytes_max: int) -> str:
    """Return a judge's text as one line of at most `bytes_max` bytes; empty if nothing is left.

    On a line of its own, or with the tag of its prompt, it could close a delimiter.
    """
    # A chat repeats the label first; and a model that is not stopped continues with the choice, which has its own
    # request.
    told = written.strip().removeprefix(REASON).partition(CHOICE)[0]
    words = told.replace(EXAMPLE_TAG, " ").replace(tag, " ").split()
    return " ".join(words).encode("utf-8", "replace")[:bytes_max].decode(errors="ignore")
