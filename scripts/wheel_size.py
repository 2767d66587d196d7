"""Prints the size of each wheel in a folder, and fails if a wheel exceeds the limit for downloads."""

import sys
from pathlib import Path

LIMIT = 20 * 2**20


def main() -> None:
    """Checks every wheel in the folder that is given as an argument."""
    wheels = sorted(Path(sys.argv[1]).glob("*.whl"))
    for wheel in wheels:
        size = wheel.stat().st_size
        print(f"{wheel.name}: {size / 2**20:.1f} MiB")
        if size > LIMIT:
            sys.exit(f"larger than {LIMIT / 2**20:.0f} MiB")
    if not wheels:
        sys.exit("no wheel was built")


if __name__ == "__main__":
    main()
