"""What a run guarantees when it is killed, fails, or overlaps with another run."""
