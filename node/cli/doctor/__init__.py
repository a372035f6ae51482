"""`strand doctor`: what it checks of the machine, the configuration and the running node."""

from node.cli.doctor.command import doctor

__all__ = ["doctor"]
