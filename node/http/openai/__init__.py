"""OpenAI's API on the node: one way through a round (`replies`), and a dialect for each of its three forms."""
