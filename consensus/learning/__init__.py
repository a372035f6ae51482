"""The asker's own statistics and choices: learned weights, rosters, waves. Members never recompute them."""
