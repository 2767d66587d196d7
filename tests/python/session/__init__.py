"""The session on Sail: the scoreboard of calls, the server, files and S3. The scoreboard starts in `calls`."""
