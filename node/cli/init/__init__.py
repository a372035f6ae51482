"""`strand init`: its options, the dialogue in a terminal, and the file that it writes."""

from node.cli.init.command import init

__all__ = ["init"]
