"""The versions of a lake, as frozen data that displays itself.

The native module reads the commit log; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkify_lake.render.text_table import TextTable, format_bytes, format_count
from sparkify_lake.results.history_parts import PastVersion, Trends, duration, share_of_matches, short_time
from sparkify_lake.results.result import JsonData, Result

if TYPE_CHECKING:
    from sparkify_lake.render.charts import Markup


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class History(Result):
    """The versions of a lake that its commit log has: the last 16.

    `str()` gives a text table, notebooks display an HTML table, and `to_html()` returns a page with charts.
    Programs use `to_dict()` and `to_json()`.

    Attributes:
        location: Root of the lake.
        versions: The versions, the oldest first.
        damaged: Numbers of versions whose commit records are damaged. Nothing needs them.
        trends: What the tables contain over time; only if it was requested.
    """

    location: str
    versions: Sequence[PastVersion]
    damaged: Sequence[int]
    trends: Trends | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> History:
        """Returns the history for a plain mapping."""
        trends = data.get("trends")
        return cls(
            location=data["location"],
            versions=tuple(PastVersion.from_dict(version) for version in data["versions"]),
            damaged=tuple(data["damaged"]),
            trends=None if trends is None else Trends.from_dict(trends),
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain mappings, lists and numbers, ready for JSON."""
        data = JsonData.to_dict(self)
        for version, plain in zip(self.versions, data["versions"], strict=True):
            plain["seconds"] = version.seconds
        return data

    def to_html(self) -> str:
        """Returns the history as a complete HTML page that needs no other file."""
        from sparkify_lake.render.html_report import document

        newest = self.versions[-1]
        title = f"sparkify-lake: history up to version {newest.version}, {newest.committed_at}"
        return document(title, self._page_parts())

    def _page_parts(self) -> Iterator[Markup]:
        from sparkify_lake.render.html_report import heading, section, warning
        from sparkify_lake.results import history_page
        from sparkify_lake.results.report_page import plays_over_time

        newest = self.versions[-1]
        state = "" if newest.is_published else ", not published yet"
        time = f"{short_time(newest.committed_at)} UTC"
        yield heading("sparkify-lake:", f"version {newest.version}{state}", [self.location], [time])
        yield from map(warning, self._warnings())
        yield history_page.newest_part(newest)
        yield section("Versions", history_page.versions_part(self.versions))
        if self.trends is not None and self.trends.plays:
            unit = self.trends.unit
            yield section(f"Plays per {unit}", *plays_over_time(self.trends.plays, unit))
        if self.trends is not None and self.trends.levels:
            yield history_page.levels_section(self.trends.levels, self.trends.unit)
        yield section("All versions", history_page.table_part(self.versions))

    def _title(self) -> str:
        return (
            f"{self.location}: version {self.versions[-1].version}, {len(self.versions)} versions in the log"
        )

    def _tables(self) -> list[TextTable]:
        return [self._version_table()]

    def _warnings(self) -> Sequence[str]:
        return [
            f"the commit record of version {number} is damaged; nothing needs it" for number in self.damaged
        ]

    def _version_table(self) -> TextTable:
        names = list(self.versions[-1].tables)
        rows = [
            (
                str(one.version),
                short_time(one.committed_at),
                duration(one),
                *(format_count(one.tables[name].rows) if name in one.tables else "" for name in names),
                share_of_matches(one),
                format_count(one.quarantined),
                format_bytes(one.bytes),
                format_count(sum(table.written for table in one.tables.values())),
                format_count(sum(table.removed for table in one.tables.values())),
            )
            for one in reversed(self.versions)
        ]
        head = (
            "version",
            "run began (UTC)",
            "took",
            *names,
            "matched",
            "quarantined",
            "size",
            "written",
            "removed",
        )
        return TextTable(head=head, rows=rows, text_columns=("run began (UTC)",))
