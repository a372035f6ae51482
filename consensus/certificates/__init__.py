"""What counts in a round, and the proof of it: everything here is recomputed by whoever verifies a certificate."""
