"""Writes the Rust that calls an answer: inputs drawn by type, outcomes shown as text."""
