"""Prints the dependencies of the package and of the given extras for pip, one per line.

Runs on Python 3.10 without packages.
"""

import re
import sys
from pathlib import Path


def main() -> None:
    """Reads the lists in pyproject.toml with regular expressions, because Python 3.10 has no tomllib."""
    # The list `build` is that of the build system.
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    wanted = []
    for name in ["dependencies", *sys.argv[1:]]:
        name = {"build": "requires"}.get(name, name)
        found = re.search(rf"^{name} = (\[.*?\])$", text, re.MULTILINE | re.DOTALL)
        if found is None:
            sys.exit(f"pyproject.toml has no list {name}")
        wanted += re.findall(r'"([^"]+)"', found.group(1))
    if any(one.startswith("pyspark[") for one in wanted):
        # Both install the package pyspark; the full one includes the client.
        wanted = [one for one in wanted if not one.startswith("pyspark-client")]
    print(*wanted, sep="\n")


if __name__ == "__main__":
    main()
