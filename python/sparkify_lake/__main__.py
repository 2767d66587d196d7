"""`python -m sparkify_lake`, the same program as `python etl.py` and `sparkify-lake`."""

from sparkify_lake.cli import entry

if __name__ == "__main__":
    entry()
