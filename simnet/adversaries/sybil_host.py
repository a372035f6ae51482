"""Sybil host: many keys on one host."""

from simnet.adversaries.sybil import Sybil


class SybilHost(Sybil):
    """Colluding newcomers that share an address group, so that the lot over groups gives them one seat in turn."""

    KIND = "sybil-host"
    ONE_HOST = True
