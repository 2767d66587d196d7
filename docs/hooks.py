"""The table of options in `docs/options.md`, generated from the package so that it is always correct."""

from __future__ import annotations

from typing import Any

from sparkify_lake import _engine
from sparkify_lake.settings.options import GROUPS, OPTIONS

MARK = "<!-- options -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replaces the mark on a page with the table of options."""
    return markdown.replace(MARK, options_table()) if MARK in markdown else markdown


def options_table() -> str:
    """Returns all options as Markdown, one table per group."""
    defaults = _engine.defaults()
    lines = []
    for group, title in GROUPS.items():
        lines += [f"\n## {title}\n", "| flag | keyword, file key | meaning | default |", "|---|---|---|---|"]
        for option in (one for one in OPTIONS if one.group == group):
            flag = f"`{option.flag}{' ' + option.metavar if option.metavar else ''}`".replace("|", "\\|")
            default = defaults.get(option.name, "")
            if option.kind == "flag":
                default = "off"
            elif default and " " not in default:
                default = f"`{default}`"
            names = [f"`{option.name}`"] if option.calls != {"program"} else ["flag only"]
            names += [f"`{option.key}`"] if "file" in option.sources else []
            lines.append(f"| {flag} | {', '.join(names)} | {option.help} | {default} |")
    return "\n".join(lines)
