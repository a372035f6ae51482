"""Rounds in the daemon: inbound messages, the loop that drives the participant, outbound gossip, users' questions."""
