"""Makes challenge items from the corpus, a task at most once in a pass, and scores the replies in the sandbox."""

from random import Random

from node.gold.challenges import (
    AnswerItem,
    ChallengeItem,
    ItemKind,
    ItemVerdict,
    answer_item,
    judge_item,
    score_answer,
    score_judgement,
)
from node.gold.corpus import CodeTask, corpus
from node.gold.ports import SEED_BYTES, ProgramTester


class ItemMaker:
    """Items from this program's own tasks. `random` must be unpredictable to peers, as `SystemRandom` is."""

    def __init__(self, tester: ProgramTester, random: Random) -> None:
        self._tester = tester
        self._random = random
        self._left: list[CodeTask] = []
        """Tasks of this pass over the corpus that are not used yet."""

    @property
    def is_ready(self) -> bool:
        """Whether items can be made and scored now."""
        return self._tester.is_ready

    async def make(self, kind: ItemKind) -> ChallengeItem | None:
        """Make an item; None if none came of the task that was drawn. A judge item takes some 6 s of work."""
        if not self._left:
            self._left = list(corpus())
            self._random.shuffle(self._left)
        task = self._left.pop()
        if kind is ItemKind.ANSWER:
            return answer_item(task, self._random)
        return await judge_item(self._tester, task, self._random)

    async def score(self, item: ChallengeItem, text: str | None, preference: int | None) -> ItemVerdict:
        """Score a reply by its text or its preference, whichever the item asks for; None: there was none."""
        if isinstance(item, AnswerItem):
            return await score_answer(self._tester, item, text, self._random.randbytes(SEED_BYTES))
        return score_judgement(item, preference)
