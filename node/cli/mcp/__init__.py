"""`strand mcp`, and the proxy behind it, which alone imports the protocol's package."""

from node.cli.mcp.command import mcp

__all__ = ["mcp"]
