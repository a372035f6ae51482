"""Sybil: colluding newcomers, as many as their maker cares to start."""

from simnet.adversaries.collude_same_answer import ColludeSameAnswer


class Sybil(ColludeSameAnswer):
    """Without history, so that they weigh nothing where trust is known and as much as all others where it is not."""

    KIND = "sybil"
    NEWCOMER = True
