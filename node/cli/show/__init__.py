"""`strand show`: the round of a certificate, what explains its outcome, and its plots."""

from node.cli.show.command import show

__all__ = ["show"]
