"""Finds out about Rust answers: what they contain, whether they compile and pass, and how they behave."""
