"""What is decided: rounds, pairs, aggregation, certificates. Pure: time and messages come in, effects go out."""
