"""Lineage of runs for OpenLineage: datasets with facets, and events."""
