"""What keeps a node from taking part, and the peers that it remembers."""
