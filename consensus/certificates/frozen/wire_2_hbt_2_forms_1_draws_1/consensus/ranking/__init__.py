"""Bit-exact: the choice of pairs to compare and the strengths that follow. Every recount finds the same bits."""
