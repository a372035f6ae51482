"""Bit-exact: which answers are compared, and the strengths that follow. Everyone who recounts finds the same bits."""
