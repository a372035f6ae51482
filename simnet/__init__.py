"""A simulator of whole swarms, which drives the participants of `consensus` in virtual time."""
