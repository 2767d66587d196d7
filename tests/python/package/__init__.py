"""The Python package as it is installed: imports, extras, errors, documentation, notebooks, `etl.py`."""
