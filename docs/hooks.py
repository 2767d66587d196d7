"""What the pages take from the package itself, so that it cannot be wrong: the options and their defaults."""

from __future__ import annotations

from typing import Any

from sparkify_lake import _engine
from sparkify_lake.settings.options import GROUPS, OPTIONS


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Puts the table of options in the place of its mark."""
    return markdown.replace("<!-- options -->", _options()) if "<!-- options -->" in markdown else markdown


def _options() -> str:
    defaults = _engine.defaults()
    lines = []
    for group, title in GROUPS.items():
        lines += [f"\n## {title}\n", "| flag | keyword, file key | what | default |", "|---|---|---|---|"]
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
