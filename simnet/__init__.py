"""The simulated world: empty until its issue; it will drive the participants of `consensus` in virtual time."""
