"""`strand` whose challenges are of known truth: `python -P -m tests.support.challenging_node ITEMS run ...`.

ITEMS is a file of JSON, a list of `{"prompt", "right", "wrong"}`. They are used in turn, so that no sandbox is needed:
an answer is right if it is the right text.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import node.daemon
from node.cli.main import run
from node.gold.challenges import AnswerItem, ChallengeItem, ItemKind, ItemVerdict, JudgeItem, score_judgement
from node.gold.ports import Visibility


class FileItems:
    """Items from a file, in their order."""

    is_ready = True

    def __init__(self, items: list[dict[str, str]]) -> None:
        self._items = iter(items)

    async def make(self, kind: ItemKind) -> ChallengeItem | None:
        """Make the next item; None after the last one."""
        if (item := next(self._items, None)) is None:
            return None
        prompt, right, wrong = item["prompt"], item["right"], item["wrong"]
        if kind is ItemKind.ANSWER:
            return AnswerItem(prompt, "", right)
        return JudgeItem(prompt, wrong, right, False, Visibility.EASY)

    async def score(self, item: ChallengeItem, text: str | None, preference: int | None) -> ItemVerdict:
        """Compare texts."""
        if isinstance(item, JudgeItem):
            return score_judgement(item, preference)
        return ItemVerdict.PASSED if text == item.right else ItemVerdict.FAILED


def with_items(file: Path) -> Any:
    """What stands for the maker of items in a node's process."""
    items = json.loads(file.read_text(encoding="utf-8"))
    return lambda *_: FileItems(items)


if __name__ == "__main__":
    node.daemon.ItemMaker = with_items(Path(sys.argv[1]))  # type: ignore[misc]
    sys.exit(run(sys.argv[2:]))
