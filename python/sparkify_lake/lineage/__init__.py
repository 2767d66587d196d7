"""What a run reports to OpenLineage."""
