"""What people are told of the queue of a node's own questions."""

from node.api.queue import QueueReport


def all_held(queue: QueueReport) -> str:
    """Return that cancelled rounds hold all tickets, in words; empty if they do not."""
    if len(queue.running) < queue.running_max or any(each.held_until_ms is None for each in queue.running):
        return ""
    return f"cancelled rounds hold all {queue.running_max} tickets until their budgets are over"


def length(seconds: float) -> str:
    """Return a length of time in words, to the second."""
    minutes, rest_s = divmod(max(0, round(seconds)), 60)
    return f"{minutes} min {rest_s} s" if minutes else f"{rest_s} s"
