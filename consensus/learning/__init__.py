"""What an asker knows and chooses alone: records, rosters, waves. Members never recompute it."""
