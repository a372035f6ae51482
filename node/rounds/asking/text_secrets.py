"""Texts that look like they hold a secret: found before a question is sent, because no node can take it back.

A known form of key or token is a secret. The value of an assignment such as `password = "..."` is one if it looks
random. Whatever else is secret is not found: the finder spares a user who pastes a file without reading it, and
nobody else. Time is linear in the text's length: a pattern begins at most once in a run of the characters that it
repeats, or all its repetitions are bounded.
"""

import math
import re
from collections import Counter
from typing import Final

RANDOM_CHARS_MIN: Final = 16
"""Characters of a value that looks random. Shorter ones are passwords of people, which look like any other word."""

RANDOM_BITS_MIN: Final = 3.0
"""Shannon entropy of such a value, bits per character: 16 random hexadecimal digits have 3.2 on the average, words and
names in code with a number at their end less than this or too few digits."""

DIGITS_MIN: Final = 2
"""Digits of such a value: of 20 random letters and digits nine in ten have two, and passwords of words have none."""

BARE_DIGITS_MIN: Final = 4
"""Digits of such a value without quotes, which may be a name in code: `Utf8ToUtf16Converter` has three."""

KEY_HEAD_CHARS: Final = 400
"""Characters after the first line of a private key in which its content begins; headers of an encrypted one come first.
"""

# A token begins where no letter stands before it, or after an escaped line end in JSON: `\nghp_...`.
_HERE = r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))"

_FORMS: Final = (
    ("an AWS access key", r"(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9])"),
    ("a GitHub token", r"(?:gh[oprsu]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{50})"),
    ("a GitLab token", r"gl(?:pat|ptt|dt|rt|ft|cbt|oas|soat|agent|imt)-[A-Za-z0-9_-]{20}"),
    ("a Slack token", r"(?:xox[abeoprs]-[A-Za-z0-9-]{16}|xapp-\d-[A-Za-z0-9-]{16})"),
    ("an Anthropic key", r"sk-ant-[A-Za-z0-9]{2,12}-[A-Za-z0-9_-]{32}"),
    ("an OpenAI key", r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{32}|sk-[A-Za-z0-9]{40}"),
    ("a Stripe key", r"[rs]k_(?:live|test)_[A-Za-z0-9]{16}"),
    ("a Google key", r"(?:AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{24}|ya29\.[A-Za-z0-9_-]{24})"),
    ("a Hugging Face token", r"hf_[A-Za-z0-9]{32}"),
    ("an npm token", r"npm_[A-Za-z0-9]{36}"),
    ("a PyPI token", r"pypi-[A-Za-z0-9_-]{64}"),
    ("a crates.io token", r"cio[A-Za-z0-9]{32}(?![A-Za-z0-9])"),
    ("a DigitalOcean token", r"do[opr]_v1_[a-f0-9]{64}"),
    ("a SendGrid key", r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    ("an age key", r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    # The parts are runs of other characters than the dots between them.
    ("a JSON web token", r"eyJ[A-Za-z0-9_-]{8,2048}\.eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{16}"),
)
_TOKENS: Final = tuple((kind, re.compile(f"{_HERE}(?:{form})")) for kind, form in _FORMS)

_KEY_BEGINS: Final = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d{1,2}:"
)
_KEY_CONTENT: Final = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40}|(?<=\\n)[A-Za-z0-9+/]{40}")
"""Content of a private key: code that reads keys names the first line alone."""

_NAMES: Final = (
    r"(?:pass(?:word|wd|phrase)|pwd|secret|token|credential"
    r"|api[_-]?key|(?:access|account|auth|private|signing)[_-]?key)"
)
_ASSIGNED: Final = re.compile(
    # TOKEN=..., "api_key": "...", let secret: &str = "...", password := `...`
    rf"(?i:{_NAMES})[A-Za-z0-9_-]{{0,24}}[\"'`]?\s{{0,4}}(?::\s{{0,2}}&?(?:'static\s)?\w{{1,16}}\s{{0,2}}(?==))?"
    r"(?:=>|:=|[=:])\s{0,4}(?P<quote>[\"'`]?)(?P<value>[^\s\"'`]{16,256})"
)
_BEARER: Final = re.compile(r"(?i:\bbearer\s{1,4})(?P<value>[A-Za-z0-9_.~+/=-]{16,256})")
_IN_URL: Final = re.compile(r"://[^\s:/@\"'`]{0,64}:(?P<value>[^\s/@\"'`]{16,256})@")

_BARE: Final = re.compile(r"[A-Za-z0-9_.~+/=-]+")
"""What a value without quotes is made of, as in a file of variables; code has brackets."""

_STAND_IN: Final = re.compile(
    r"(?i:example|placeholder|change.?me|your[_-]|dummy|x{4}|\*{3}|\.{3})|0123456789|1234567890|[<{$%]"
)
"""Marks values that stand for a secret: in documents, templates and tests."""


def find_secret(text: str) -> str | None:
    """Return what kind of secret the text looks like it holds, such as "a GitHub token"; None if none was found.

    Time is linear in the text's length. The secret itself is never part of the result.
    """
    for found in _KEY_BEGINS.finditer(text):
        if _KEY_CONTENT.search(text, found.end(), found.end() + KEY_HEAD_CHARS):
            return "a private key"
    for kind, form in _TOKENS:
        if any(not _STAND_IN.search(found[0]) for found in form.finditer(text)):
            return kind
    for kind, form in (("a password or token", _ASSIGNED), ("a bearer token", _BEARER), ("a password", _IN_URL)):
        for found in form.finditer(text):
            value = found["value"]
            bare = "quote" in form.groupindex and not found["quote"]
            if _looks_random(value, BARE_DIGITS_MIN if bare else DIGITS_MIN) and (not bare or _BARE.fullmatch(value)):
                return kind
    return None


def _looks_random(value: str, digits_min: int = DIGITS_MIN) -> bool:
    """Whether a value looks like it was drawn at random rather than written by a person."""
    if len(value) < RANDOM_CHARS_MIN or _STAND_IN.search(value):
        return False
    if sum(letter.isdigit() for letter in value) < digits_min or not any(letter.isalpha() for letter in value):
        return False
    counts = Counter(value)
    bits = -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
    return bits >= RANDOM_BITS_MIN
