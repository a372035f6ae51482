"""The conditions that keep a node from taking part, and the peers that it remembers."""
