"""Prints what the package needs, and what the named extras need, for pip. Runs on a bare Python 3.10."""

import re
import sys
from pathlib import Path


def main() -> None:
    """Reads pyproject.toml; tomllib is not there before 3.11, so the lists are found by their form."""
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    wanted = []
    for name in ["dependencies", *sys.argv[1:]]:
        found = re.search(rf"^{name} = (\[.*?\])$", text, re.MULTILINE | re.DOTALL)
        if found is None:
            sys.exit(f"pyproject.toml has no list {name}")
        wanted += re.findall(r'"([^"]+)"', found.group(1))
    print(*wanted)


if __name__ == "__main__":
    main()
