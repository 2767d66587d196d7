"""Runs with shards on executors write the same lake as local runs."""
