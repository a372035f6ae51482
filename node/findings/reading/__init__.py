"""Reads answers by the grammar of Rust: what they contain, and which function is asked for."""
