"""Sybil: colluding newcomers, in any number that their maker starts."""

from simnet.adversaries.collude_same_answer import ColludeSameAnswer


class Sybil(ColludeSameAnswer):
    """Without history they have no weight if trust is `known`, and as much as all others otherwise."""

    KIND = "sybil"
    NEWCOMER = True
