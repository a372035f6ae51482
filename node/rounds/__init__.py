"""Rounds in the daemon: the loop that drives the participant, its inbox and outbox, and what belongs to rounds."""
