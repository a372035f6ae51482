"""Reading files of pairwise judgements for `strand aggregate`: anybody's, of any size."""
