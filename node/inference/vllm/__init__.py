"""vLLM: its special features, and how to run one. No other package depends on its quirks."""
