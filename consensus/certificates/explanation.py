"""Why a ranking is as it is: how certain each strength is, and how each judge looks after the round.

Nothing here counts in a certificate. It is computed from a verified one, for people.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from consensus.certificates.record import RoundRecord
from consensus.certificates.tally import fit_input, rank
from consensus.ranking import judges
from consensus.ranking.bradley_terry import STRENGTH_ONE
from protocol.types import ONE, Digest, Key


@dataclass(frozen=True, slots=True)
class Character:
    """Probabilities of what a judge does, from its history and its judgements in this round alone (sum: 1)."""

    honest: float
    """It prefers the better answer."""
    inverse: float
    """It prefers the worse answer."""
    coin: float
    """It does not look."""
    partisan: float
    """It prefers answers equal to its own."""

    @property
    def likeliest(self) -> tuple[str, float]:
        """Return the name of the most probable character, and its probability."""
        named = {"honest": self.honest, "inverse": self.inverse, "coin": self.coin, "partisan": self.partisan}
        name = max(named, key=lambda each: named[each])
        return name, named[name]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Figures behind a ranking."""

    intervals: Mapping[Digest, tuple[float, float]]
    """Per answer that can win, the interval of its strength (log-odds)."""
    characters: Mapping[Key, Character]
    """Per member of the roster."""


def explain(record: RoundRecord) -> Explanation:
    """Explain the ranking of a verified round, which must have one."""
    fit = fit_input(record)
    posterior = judges.posterior(fit.items, fit.judge_priors, fit.judgements, fit.model)
    shares = judges.characters(fit.items, fit.judge_priors, fit.judgements, posterior.theta) / ONE
    return Explanation(
        intervals={
            each.answer: (each.interval[0] / STRENGTH_ONE, each.interval[1] / STRENGTH_ONE)
            for each in rank(record).ranked
        },
        characters={key: Character(*row) for key, row in zip(record.seats, shares.tolist(), strict=True)},
    )
