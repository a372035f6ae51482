"""Work for rounds: whom this node works for, at what cost, and how its engine answers and judges."""
