"""Why a ranking is as it is: how certain each strength is, and how each judge looks after the round.

Nothing here counts in a certificate. It is computed from a verified one, for people.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from consensus.certificates.record import RoundRecord
from consensus.certificates.tally import fit_input, standing
from consensus.ranking import judges
from protocol.types import ONE, Digest, Key

INTERVAL: Final = 0.9
"""Share of the posterior draws of a strength that lie within its interval; as many lie below as above it."""


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
    tail = (1 - INTERVAL) / 2
    low, high = np.quantile(posterior.draws(), [tail, 1 - tail], axis=1)
    can_win = [record.answers[index].id for index in standing(record)]
    shares = judges.characters(fit.items, fit.judge_priors, fit.judgements, posterior.theta) / ONE
    return Explanation(
        intervals=dict(zip(can_win, zip(low.tolist(), high.tolist(), strict=True), strict=True)),
        characters={key: Character(*row) for key, row in zip(record.seats, shares.tolist(), strict=True)},
    )
