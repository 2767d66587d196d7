"""The guarantees of a run that is killed, fails, or overlaps with another run."""
