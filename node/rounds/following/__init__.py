"""What is told of rounds: events for those who follow them, their history, their times, and the log."""
