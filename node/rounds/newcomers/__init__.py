"""Challenges of newcomers (rule R20): which of the connected nodes get an item, and what follows from its reply."""
