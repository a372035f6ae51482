"""Which rounds of a world are kept whole, so that a report can open them."""

from itertools import chain, zip_longest
from typing import Final

from consensus.certificates.certificate import build_certificate
from consensus.certificates.record import Phase, RoundRecord, bodies
from protocol import codec
from protocol.messages import Answer
from protocol.types import Outcome
from simnet.baselines import right_answers
from simnet.plan import Plan, PlannedQuery
from simnet.results import NO_OUTCOME, Choice, KeptRound, RoundResult

REPORT_ROUNDS_MAX: Final = 48
"""Rounds that a report opens, of all its worlds together: a round of 25 members has some 70 kB there."""

WORLD_ROUNDS_MAX: Final = 12
"""Rounds that a single world keeps: four of each choice show how they differ, and a list of them is read at once."""

CERTIFICATE_BYTES_MAX: Final = 256 * 1024
"""Largest certificate that is kept: one of 64 members has some 100 kB, and its replay needs twice that."""


def share_of(worlds: int, rounds: int) -> int:
    """Return how many rounds each of so many worlds keeps, if a report has room for `rounds`."""
    return min(rounds, WORLD_ROUNDS_MAX, max(1, rounds // max(1, worlds)))


class Keeper:
    """Keeps the first rounds of each choice as they end, and gives them out by turns."""

    def __init__(self, plan: Plan, rounds: int) -> None:
        """Build it. `rounds`: most rounds in the end; 0: none are kept."""
        self._plan = plan
        self._rounds = rounds
        self._of: dict[Choice, list[KeptRound]] = {choice: [] for choice in Choice}

    def take(self, asking: PlannedQuery, record: RoundRecord, result: RoundResult, certificate: bytes | None) -> None:
        """Keep the round if there is room for its choice; without a certificate, one that nobody has co-signed.

        A record without a tally has none at all: comparisons that no swarm makes (setting `pairing`) end with a fit.
        """
        choice = choice_of(result)
        if choice is None or len(self._of[choice]) >= self._rounds:
            return
        unsigned = certificate is None
        if unsigned and record.phase is Phase.COSIGNING:
            certificate = codec.encode(build_certificate(record, ()))
        if certificate is None or len(certificate) > CERTIFICATE_BYTES_MAX:
            return
        right = right_answers(self._plan, asking, [answer.content.text for answer in bodies(record.answers, Answer)])
        places = tuple(place for place, is_right in enumerate(right) if is_right)
        self._of[choice].append(KeptRound(result, choice, places, self._dishonest(record), certificate, unsigned))

    def _dishonest(self, record: RoundRecord) -> dict[str, list[int]]:
        """Return the positions of answers by dishonest members, by kind. Real nodes have other keys and are honest."""
        found: dict[str, list[int]] = {}
        for place, answer in enumerate(record.answers):
            node = self._plan.number_of.get(answer.author)
            if node is not None and node not in self._plan.honest:
                found.setdefault(self._plan.behaviours[node].KIND, []).append(place)
        return found

    @property
    def kept(self) -> list[KeptRound]:
        """The kept rounds in the order of their numbers: the first of each choice, then the second of each, and so on.

        So a choice with few rounds leaves its room to the others.
        """
        by_turns = [each for each in chain(*zip_longest(*self._of.values())) if each is not None]
        return sorted(by_turns[: self._rounds], key=lambda each: each.result.number)


def choice_of(result: RoundResult) -> Choice | None:
    """Return what the swarm has chosen; None without an answer, as then there is no certificate either."""
    if result.outcome in (NO_OUTCOME, Outcome.FAILED.value):
        return None
    if result.outcome != Outcome.DECIDED.value:
        return Choice.DEGRADED
    return Choice.RIGHT if result.verdicts.swarm else Choice.WRONG
