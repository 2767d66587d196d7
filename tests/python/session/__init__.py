"""The session without Spark: the scoreboard of calls, the extras, the paths; see `calls`."""
