"""Fails if a linked crate comes from another source than crates.io, or has a license that is not on the list.

Known vulnerabilities are not checked here: their lists need a network (`cargo audit`, `pip-audit`).
"""

import json
import re
import subprocess
import sys

REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"

# Licenses that allow the wheel to be redistributed if it includes their text.
LICENSES = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "MIT-0",
    "Unicode-3.0", "Unlicense", "Zlib", "bzip2-1.0.6", "Apache-2.0 WITH LLVM-exception",
}  # fmt: skip

BANNED = {
    "native-tls": "the project uses one implementation of TLS: rustls",
    "openssl-sys": "it links a system library",
}


def is_allowed(expression: str) -> bool:
    """Returns whether the licenses above satisfy an SPDX expression.

    >>> is_allowed("GPL-3.0 OR MIT"), is_allowed("GPL-3.0 AND MIT"), is_allowed("(MIT OR X) AND ISC")
    (True, False, True)
    >>> is_allowed("MIT/GPL-3.0"), is_allowed("Apache-2.0 WITH LLVM-exception"), is_allowed("")
    (True, True, False)
    """
    names = re.compile(r"[\w.+-]+(?: WITH [\w.+-]+)?")
    words = {"OR": "or", "AND": "and"}

    def value(found: re.Match[str]) -> str:
        return words.get(found[0]) or str(found[0] in LICENSES)

    sum_of_products = names.sub(value, expression.replace("/", " OR "))
    return bool(sum_of_products) and bool(eval(sum_of_products, {"__builtins__": {}}))


def faults(packages: list[dict[str, str]]) -> list[str]:
    """Returns one line for each package that may not be linked."""
    found = []
    for package in packages:
        name = f"{package['name']} {package['version']}"
        if package["source"] not in (None, REGISTRY):
            found.append(f"{name} comes from {package['source']}")
        if not is_allowed(package["license"] or ""):
            found.append(f"{name} has the license {package['license']}")
        if package["name"] in BANNED:
            found.append(f"{name}: {BANNED[package['name']]}")
    return found


def main() -> None:
    """Checks all crates that the lock file lists for Linux."""
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--filter-platform"]
    metadata = json.loads(subprocess.check_output([*command, "x86_64-unknown-linux-gnu"]))
    packages = metadata["packages"]
    found = faults(packages)
    sys.exit("\n".join(found)) if found else print(f"{len(packages)} crates: sources and licenses are fine")


if __name__ == "__main__":
    main()
