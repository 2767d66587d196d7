"""The session on Sail: the scoreboard of calls, the server, files and S3."""
