"""Incremental runs: what they read again, and that they end as a rebuild would."""
