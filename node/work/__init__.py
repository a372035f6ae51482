"""Work for rounds: the served requesters, its cost, and the engine's answers and judgements."""
