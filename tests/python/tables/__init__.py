"""The contents of the five tables."""
