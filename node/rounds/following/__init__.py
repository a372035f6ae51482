"""Events of rounds and their followers: the hub, the history, the times of phases, and the log."""
