"""Turns examples in the query and the tests that an asker gives into checks."""
