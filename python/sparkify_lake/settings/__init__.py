"""Options, the files that set them, and how the settings of one call are resolved."""
