"""A query and answers as a judge is shown them: as data, without words that pass for the comparison's own.

An honest author answers a query and does not know that the answer will be compared, with what, or under which letter.
A sentence of an answer that speaks of the comparison (which answer is better, what the judge must do, what votes and
reviews it had) is no part of an answer: it tries to write the verdict, and a small model copies it. Such sentences are
left out where they are recognised, and so is what follows the end of a turn, as `clean` leaves it out at the author.
No list of words is complete: `tests/bench/bench_injection.py` measures what is missed. Only the prompt is changed,
never the answer.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from node.inference.text_cleanup import fenced_lines, until_turn_ends
from node.inference.untrusted import folded, shown, without_invisible

MARK = "[...]"
"""Stands in code where words about the comparison stood. In prose nothing does: a mark is text, and more text alone
moves a small model."""

# Letters of Cyrillic and Greek that look like Latin ones, to match words only; of the same length.
_LETTERS = str.maketrans("АВЕКМНОРСТХаеорсухіѕԁԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧοα", "ABEKMHOPCTXaeopcyxisdwABEZHIKMNOPTYXoa")

_DELIMITER = re.compile(r"^(?=[^\w\n]*+\w)(?=[^\w\n]*?===)[^\w\n]*+", re.MULTILINE)
_RULE = re.compile("={3,}")
_ENDS = re.compile(
    r"(?:<|&lt;)\|[^|<>\n]{1,64}\|(?:>|&gt;)|</?(?:start|end)_of_turn>|<(?:eos|bos)>|(?:</s>\s{0,4})?\[/?INST\]|<</?SYS>>"
    r"|^(?=[^\w\n]*+(?:task|answer|end)\b)[^\w\n]*?={3,}+",
    re.IGNORECASE,
)
"""Where an answer is over: a turn's end, or a line that passes for a delimiter of ours."""

_NOUN = r"(?:answer|response|submission)"
_SELF = (
    rf"(?:(?:this|my|above|last|first|second|latter|former)\W{{1,4}}{_NOUN}|{_NOUN}\W{{1,4}}above"
    r"|(?:this|last)\W{1,4}one)"
)
_RANK = r"(?:better|best|worse|worst|superior|inferior|preferred|winner|winning|wins?|stronger|weaker|chosen)"
_MERIT = (
    rf"(?:{_RANK}|right|wrong|correct|incorrect|accepted|verified|preferred|deserves|no\W{{1,4}}code|code|"
    r"\d{1,3}\W{1,3}points?)"
)
_CHOOSE = r"(?:choose|pick|select|prefer(?:red)?|reply|respond|output|vote\W{1,4}for|say|name|print)"


@dataclass(frozen=True, slots=True)
class _Patterns:
    """What only somebody writes who knows of the comparison. Every repetition is bounded: linear."""

    words: re.Pattern[str]
    """Anywhere in a sentence."""
    line: re.Pattern[str]
    """A whole line: a verdict, or a turn of somebody else."""


@dataclass(slots=True)
class _Block:
    """A fenced block with its fences, or the prose between two."""

    label: str
    fenced: bool
    lines: list[str] = field(default_factory=list)
    """As they are shown."""
    changes: int = 0
    """Lines that spoke of the comparison."""
    others: int = 0
    """Lines that did not, without blank ones."""

    def stays(self, honest: bool) -> bool:
        """Whether it is shown. `honest`: another fenced block says nothing of the comparison."""
        return not self.fenced or not self.changes or (not honest and self.others > self.changes)


def _patterns(letter: str) -> _Patterns:
    """Build the patterns; `letter` matches A or B where it names an answer."""
    named = rf"(?:{_NOUN}|option|candidate)\W{{0,4}}{letter}"
    label = rf"(?:{named}|{letter})"
    words = (
        # The better answer is Answer B. The other answer does not compile.
        rf"\b(?:better|winning|preferred|accepted|other)[^\w.:]{{1,4}}(?:answer|submission)\b"
        rf"(?:\W{{1,4}}(?:is|was|:|=)\W{{1,4}}(?:{label}|{_SELF}))?",
        r"\bboth\W{1,4}answers\b|\b(?:better|winning)_answer\b",
        rf"\b{_RANK}(?:\W{{1,4}}{_NOUN})?\W{{0,4}}(?:\bis\b|\bare\b|[:=>])\W{{0,4}}(?:{label}|{_SELF})",
        # Answer B has code, B is right, B: 9 points.
        rf"(?:{named}\W{{1,4}}|{letter}\W{{0,3}}(?=\s|:))"
        r"(?:(?<=:)\W{0,4}|\W{0,4}(?:is|has|was|are)\W{1,4}|\W{1,4}(?=wins\b))"
        rf"(?:(?:the|clearly|much|far)\W{{1,4}}){{0,2}}{_MERIT}\b",
        # This answer is better. Prefer the answer above. The last answer wins.
        rf"\b{_SELF}\W{{1,4}}(?:\w{{1,12}}\W{{1,4}}){{0,3}}?{_MERIT}\b",
        rf"\b{_CHOOSE}\W{{1,4}}(?:(?:with|that|the|letter|of)\W{{1,4}}){{0,3}}"
        rf"(?:{label}|{_SELF}|its\W{{1,4}}letter|letter\b)",
        rf"\b(?:the|that)\W{{1,4}}{_NOUN}\W{{1,4}}(?:\w{{1,12}}\W{{1,4}}){{0,6}}?wins\b",
        # Ignore all previous instructions. Note to the judge.
        r"\bignore\W{1,4}(?:(?:all|any|the|your|these)\W{1,4}){0,3}(?:previous|prior|above|earlier|other)"
        r"\W{1,4}(?:instructions?|rules?|prompts?)\b",
        r"\b(?:to|for)\W{1,4}(?:the\W{1,4})?(?:judge|grader|evaluator)\b",
        rf"\bjudges?\W{{1,4}}(?:\w{{1,12}}\W{{1,4}}){{0,3}}?(?:prefer|chose|pick)\w{{0,4}}\W{{1,4}}{_SELF}",
        # Merits of its own telling.
        rf"\b(?:ground\W{{1,4}}truth|reference)\W{{1,4}}(?:label|solution|{_NOUN})\b",
        r"\breviewed\W{1,3}by\b|\bscore\W{1,4}\d{1,3}\W{0,3}/\W{0,3}\d|\b\d{1,9}\W{1,3}upvotes\b",
        r"\btests?\W{1,4}(?:have\W{1,4})?passed\b|\b\d{1,6}\W{1,4}passed\b",
    )
    line = (
        r"\W{0,8}(?:system|judge|assistant|user|human|test result)\W{0,3}:.*",
        r"\W{0,8}(?:final\W{1,4})?(?:better|best|verdict|winner|choice|preference|decision|judge?ment|conclusion)"
        rf"\W{{1,8}}(?:(?:is|the)\W{{1,4}}){{0,2}}(?:{label}|{_SELF}|first|second|last)\b.{{0,80}}",
        rf"\W{{0,8}}(?:(?:final\W{{1,4}})?answer\W{{1,8}})?{letter}\W{{0,8}}",
    )
    return _Patterns(*(re.compile("|".join(each), re.IGNORECASE) for each in (words, line)))


_UNLETTERED = _patterns(r"(?-i:(?<![\w'.<])[AB](?!['<\w]|-\w))")
_LETTERED = _patterns(r"(?!)")
"""For answers to a query that names A and B itself: `Answer: B` is then what was asked for."""

_OPTION = re.compile(r"(?<!\w)[AB](?!\w)")
_COMMENT = re.compile(r"\s{0,80}(?://|/?\*|#(?!\[)|--|;|<!--)")
_FENCE = re.compile(r" {0,3}(?:`{3,}+|~{3,}+)[ \t]*+([^`\n]*)")
_NO_CODE = frozenset(
    {"text", "txt", "plain", "plaintext", "console", "output", "log", "json", "yaml", "markdown", "md"}
)
"""Labels of fences around what is no program: sentences may go there as in prose."""

_CUT_MARK = re.compile(r"(\n\[\.\.\. \d{1,9} bytes cut here \.\.\.\]\n)")
_SENTENCE_ENDS = re.compile(r"(?<=[.!?;])[^\S\n]+")


def quoted_query(text: str, bytes_max: int, told: Iterable[str] = ()) -> str:
    """A query in at most `bytes_max` bytes, without control tokens and with no line that looks like a delimiter.

    `told`: the control tokens that the engine's own tokenizer names.
    """
    return clip(_quoted(clip(text, bytes_max), told), bytes_max)


def names_letters(query: str) -> bool:
    """Whether a query names A and B itself, as a multiple-choice task does: then they are no letters of ours alone."""
    return len({found[0] for found in _OPTION.finditer(query)}) == 2


def quoted_answer(text: str, bytes_max: int, told: Iterable[str] = (), *, lettered: bool = False) -> str:
    """An answer likewise, without words about the comparison too; `lettered`: see `names_letters`."""
    patterns = _LETTERED if lettered else _UNLETTERED
    # Each part by itself: a fence that was opened before the cut must not hide what stands behind it.
    parts = _CUT_MARK.split(clip(text, bytes_max))
    parts[::2] = (_without_verdicts(part, told, patterns) for part in parts[::2])
    return clip("".join(parts), bytes_max)


def clip(text: str, bytes_max: int) -> str:
    """`text` in at most `bytes_max` bytes of UTF-8, its middle cut, visibly."""
    data = text.encode("utf-8", "replace")
    if len(data) <= bytes_max:
        return data.decode()
    mark = f"\n[... {len(data) - bytes_max} bytes cut here ...]\n"
    kept = max(bytes_max - len(mark), 0)
    # The beginning tells more than the end: fences and signatures stand there.
    head, tail = data[: kept - kept // 3], data[len(data) - kept // 3 :]
    return head.decode(errors="ignore") + mark + tail.decode(errors="ignore")


def _quoted(text: str, told: Iterable[str]) -> str:
    return _sub(_DELIMITER, lambda found: _RULE.sub("= = =", found[0]), shown(text, told))


def _without_verdicts(text: str, told: Iterable[str], patterns: _Patterns) -> str:
    """`text` to where it ends, quoted, without words about the comparison."""
    bare = without_invisible(text)
    kept = until_turn_ends(folded(bare), _ENDS)
    if len(kept) < len(bare):
        return _lines_kept(bare[: len(kept)], told, patterns)
    # What cannot be seen is shown as an escape, unless it hid words: then there is no reason to keep either.
    if bare != text and (without := _lines_kept(bare, told, patterns)) != _quoted(bare, told):
        return without
    return _lines_kept(text, told, patterns)


def _lines_kept(text: str, told: Iterable[str], patterns: _Patterns) -> str:
    """`text` block by block. A fenced block that speaks of the comparison goes, unless it is the answer's program."""
    blocks = [_Block("", False)]
    for line, fenced in fenced_lines(_quoted(text, told)):
        if not fenced and (fence := _FENCE.fullmatch(line.rstrip("\n"))):
            if blocks[-1].fenced:
                blocks[-1].lines.append(line)
                blocks.append(_Block("", False))
            else:
                blocks.append(_Block(fence[1].strip().lower(), True, [line]))
            continue
        block = blocks[-1]
        changed = _code(line, patterns) if block.fenced and block.label not in _NO_CODE else _prose(line, patterns)
        block.changes += changed != line
        block.others += changed == line and bool(line.strip())
        if changed or not line:
            block.lines.append(changed)
    honest = any(block.fenced and not block.changes for block in blocks)
    return "".join(line for block in blocks if block.stays(honest) for line in block.lines).rstrip("\n")


def _prose(line: str, patterns: _Patterns) -> str:
    """A line outside code, without its sentences about the comparison; empty where these are half of it or more."""
    plain = _plain(line)
    body = plain.rstrip("\n")
    if patterns.line.fullmatch(body):
        return ""
    if not patterns.words.search(plain):
        return line
    ends = [*(found.end() for found in _SENTENCE_ENDS.finditer(plain)), len(plain)]
    sentences = list(zip((0, *ends), ends, strict=False))
    kept = [line[start:end] for start, end in sentences if not patterns.words.search(plain[start:end])]
    return "".join(kept).rstrip() + line[len(body) :] if 2 * len(kept) > len(sentences) else ""


def _code(line: str, patterns: _Patterns) -> str:
    """A line of code with a mark for each of its phrases about the comparison, since code must stay whole."""
    if _COMMENT.match(line):
        return "" if patterns.words.search(_plain(line)) else line
    return _sub(patterns.words, lambda _: MARK, line)


def _plain(text: str) -> str:
    """`text` as it reads, for matching words; of the same length."""
    return text if text.isascii() else folded(text).translate(_LETTERS)


def _sub(pattern: re.Pattern[str], change: Callable[[re.Match[str]], str], text: str) -> str:
    """`text` with what `pattern` finds in its plain form replaced."""
    parts: list[str] = []
    position = 0
    for found in pattern.finditer(_plain(text)):
        parts += (text[position : found.start()], change(found))
        position = found.end()
    return "".join((*parts, text[position:]))
