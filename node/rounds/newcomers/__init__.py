"""Challenges of newcomers (rule R20): gives items to strangers among the connected nodes, and scores replies."""
