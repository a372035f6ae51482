"""What this node learns of others from its rounds: statistics, gold, records of challenges; kept in the store."""
