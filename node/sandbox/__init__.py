"""Runs compilers and strangers' programs, so that nothing of theirs reaches this machine or outlives its limits."""
