"""Reports as mappings, text and HTML."""
