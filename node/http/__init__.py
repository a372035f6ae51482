"""The node's HTTP interface, on loopback unless a token guards it."""
