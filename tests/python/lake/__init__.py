"""The lake on disk: who may write it, what a second run does, and who can read it."""
