"""Network parameter sets and example node files, as package data."""
