"""The round machines, what they let in and what they wait for. A change here may stall a round, not falsify one."""
