"""Rounds in the daemon: what comes in, the loop that drives the participant, what goes out, what a user asks."""
