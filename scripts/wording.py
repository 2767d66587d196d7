r"""Checks that wording which was replaced does not come back. The rules are in ``wording.toml``.

``python scripts/wording.py`` checks every source, document and configuration file, prints one line
per finding and exits 1 if there is one. Paths as arguments restrict the check to these files and folders.
``--count`` prints the number of findings per rule and top folder instead, ``--guide`` prints the rules as a
table.

A pattern is matched against the text of a file without comment markers, so it also finds wording that
continues on the next line of a comment:

>>> rule = Rule(pattern=r"object an? file", avoid="one object a file", write="one object per file")
>>> for finding in find("//! Song metadata:\n//! one object\n//! a file.\n", [rule]):
...     print(finding.line, finding.text)
2 object a file
"""

from __future__ import annotations

import argparse
import bisect
import collections
import dataclasses
import functools
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # a dependency of pytest and mypy there

ROOT = Path(__file__).resolve().parent.parent
SUFFIXES = (".rs", ".py", ".md", ".toml", ".cfg", ".example", ".sh", ".yml", ".ipynb", "Makefile")

MARKER = re.compile(r"^[ \t]*(//[/!]?|#(?!#)|[-*>|] )?[ \t]*(\"\"\")?|[ \t]*\\?$")
"""Around the text of a line: indentation, the marker of a comment or a list, the end of a split string."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """Wording to avoid, as a pattern and an example, and what to write instead."""

    pattern: str
    avoid: str
    write: str

    @functools.cached_property
    def regex(self) -> re.Pattern[str]:
        r"""The compiled pattern: a space also matches a line break, case counts if there are capital letters.

        >>> Rule(pattern="by the way", avoid="", write="").regex.search("By the\nway").span()
        (0, 10)
        >>> Rule(pattern=r"^What\b", avoid="", write="").regex.search("what it is") is None
        True
        """
        capitals = re.search(r"[A-Z]", re.sub(r"\\[A-Z]", "", self.pattern))
        case = re.RegexFlag(0) if capitals else re.IGNORECASE
        return re.compile(self.pattern.replace(" ", r"\s+"), re.MULTILINE | case)

    def check(self) -> None:
        """Raises ValueError unless the pattern finds the example, and finds nothing in what replaces it.

        >>> Rule(pattern="told", avoid="was told", write="was told by").check()
        Traceback (most recent call last):
        ...
        ValueError: 'told' finds something in 'was told by'
        """
        if not self.regex.search(self.avoid):
            raise ValueError(f"{self.pattern!r} does not find {self.avoid!r}")
        if self.regex.search(self.write):
            raise ValueError(f"{self.pattern!r} finds something in {self.write!r}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """Wording to avoid, and its line."""

    line: int
    text: str
    rule: Rule


def load() -> tuple[list[Rule], list[str]]:
    """Returns the rules, and the files that are excluded."""
    with open(ROOT / "scripts" / "wording.toml", "rb") as file:
        data = tomllib.load(file)
    rules = [Rule(**rule) for rule in data["rule"]]
    for rule in rules:
        rule.check()
    return rules, data["exclude"]


def find(text: str, rules: Sequence[Rule]) -> Iterator[Finding]:
    r"""Finds wording to avoid, rule by rule.

    >>> told = Rule(pattern=r"\btold\b", avoid="told", write="reported")
    >>> list(find("x = untold\n", [told])), [found.line for found in find("\n# as\n# told\n", [told])]
    ([], [3])
    """
    lines = [MARKER.sub("", line) for line in text.split("\n")]
    starts = [0]
    for line in lines[:-1]:
        starts.append(starts[-1] + len(line) + 1)
    bare = "\n".join(lines)
    for rule in rules:
        for match in rule.regex.finditer(bare):
            number = bisect.bisect_right(starts, match.start())
            yield Finding(line=number, text=" ".join(match[0].split()), rule=rule)


def sources(paths: Sequence[str], exclude: Sequence[str]) -> list[str]:
    """Returns the files to check, also new ones, relative to the root of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    skipped = tuple(exclude)
    return [name for name in listed.split("\0") if name.endswith(SUFFIXES) and not name.startswith(skipped)]


def top(name: str) -> str:
    """Returns the part of the repository that a file belongs to.

    >>> top("src/tables/songs.rs"), top("src/lib.rs"), top("README.md")
    ('src/tables', 'src', 'README.md')
    """
    return "/".join(name.split("/")[:2]) if name.count("/") > 1 else name.split("/")[0]


def guide(rules: Sequence[Rule]) -> Iterator[str]:
    """Returns the rules as a table in Markdown.

    >>> list(guide([Rule(pattern="told", avoid="was told", write="was reported")]))[-1]
    '| was told | was reported |'
    """
    yield "| instead of | write |"
    yield "|---|---|"
    for rule in rules:
        yield f"| {rule.avoid} | {rule.write} |"


def main() -> int:
    """Checks the files; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("paths", nargs="*", help="files and folders; all of the repository unless named")
    parser.add_argument("--count", action="store_true", help="print the numbers per rule and folder")
    parser.add_argument("--guide", action="store_true", help="print the rules as a table")
    arguments = parser.parse_args()
    rules, exclude = load()
    if arguments.guide:
        print("\n".join(guide(rules)))
        return 0
    counts: collections.Counter[str] = collections.Counter()
    folders: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    files = sources(arguments.paths, exclude)
    for name in files:
        for found in find((ROOT / name).read_text(encoding="utf-8"), rules):
            counts[found.rule.avoid] += 1
            folders[top(name)][found.rule.avoid] += 1
            if not arguments.count:
                print(f"{name}:{found.line}: {found.text!r}: write: {found.rule.write}")
    if arguments.count:
        for avoid, count in counts.most_common():
            parts = sorted(((folder[avoid], part) for part, folder in folders.items()), reverse=True)
            where = ", ".join(f"{part} {number}" for number, part in parts if number)
            print(f"{count:5}  {avoid}  ({where})")
        for part in sorted(folders):
            print(f"{folders[part].total():5}  {part}")
    print(f"{counts.total()} findings in {len(files)} files, {len(rules)} rules", file=sys.stderr)
    return 1 if counts else 0


if __name__ == "__main__":
    sys.exit(main())
