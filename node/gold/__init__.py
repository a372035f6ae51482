"""Questions whose truth this node knows: its corpus of Rust tasks, and wrong programs made from right ones."""
