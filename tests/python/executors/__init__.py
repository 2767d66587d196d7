"""Runs whose shards are worked on elsewhere make the same lake as runs on the threads of this process."""
