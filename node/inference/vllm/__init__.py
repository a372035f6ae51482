"""vLLM: what only it does, and how to run one. No other package knows its quirks."""
