"""`strand ask`: the question from its sources, and the round as lines or as a live picture."""

from node.cli.ask.command import ask

__all__ = ["ask"]
