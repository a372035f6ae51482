"""Learning about other nodes: statistics of rounds, gold, and records of challenges, kept in the store."""
