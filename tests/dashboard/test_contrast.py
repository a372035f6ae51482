"""The colours of style/tokens.css: each text can be read on what lies under it, in both themes (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

import re

import pytest

from node.dashboard import sources

CONTRAST_MIN = 4.5
TEXTS = ("text", "muted", "accent", "good", "warn", "bad")
CODE = ("keyword", "type", "string", "number", "comment", "function")
GROUNDS = ("background", "surface", "raised")

PAIRS = [
    *((text, ground) for text in TEXTS for ground in GROUNDS),
    *((f"code-{word}", ground) for word in CODE for ground in GROUNDS),
    *((word, f"{word}-tint") for word in ("good", "warn", "bad", "accent")),
    *(("text", f"{word}-tint") for word in ("good", "warn", "bad", "accent")),
    ("on-accent", "accent"),
]


def blocks() -> list[dict[str, str]]:
    """The values of each block of tokens: light, dark by choice, dark by the system."""
    found = re.findall(r":root[^{]*\{([^}]*)\}", sources()["style/tokens.css"])
    values = [dict(re.findall(r"--([\w-]+):\s*([^;]+);", block)) for block in found]
    return [block for block in values if "background" in block]


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_the_dark_theme_is_one_however_it_is_chosen() -> None:
    _, by_choice, by_system = blocks()
    assert by_choice == by_system


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS, ids=lambda name: str(name))
def test_texts_can_be_read(theme: int, text: str, ground: str) -> None:
    values = blocks()[theme]
    assert contrast(values[text], values[ground]) >= CONTRAST_MIN


def test_no_other_file_has_colours() -> None:
    """A colour elsewhere would miss the dark theme."""
    for path, source in sources().items():
        if path.endswith(".css") and path != "style/tokens.css":
            assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsla?\(", source), path


def test_every_token_that_is_used_is_there() -> None:
    known = set(re.findall(r"--([\w-]+):", sources()["style/tokens.css"]))
    used = {name for source in sources().values() for name in re.findall(r"var\(--([\w-]+)", source)}
    assert used <= known
