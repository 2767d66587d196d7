"""Input files: bad records and bad files."""
