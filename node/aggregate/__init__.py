"""Reading files of pairwise judgements for `strand aggregate`, from any source and of any size."""
