"""The report as an HTML page: its contents, no external resources, and how a real browser renders it."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import fields, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest

import sparkify_lake
from sparkify_lake import lake_highlights
from sparkify_lake.render.charts import ChartColumn, columns_over_time
from sparkify_lake.render.html_report import write_page
from sparkify_lake.results import expectations, highlights, report_parts, request_cost
from sparkify_lake.results.expectations import ExpectationResult, PastValue
from sparkify_lake.results.highlights import Favorite, Highlights, LevelShare, Period
from sparkify_lake.results.run_report import RunReport, schema
from support.processes import Finished
from support.report_samples import EVIL, run_mapping

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="needs Chromium, such as Debian's package chromium"
)

pytestmark = pytest.mark.usefixtures("isolated_module")

SEEN = Highlights(
    unit="day",
    periods=(
        Period(start="2018-11-29", plays=7, paid=4),
        Period(start="2018-12-02", plays=430, paid=0),
    ),
    levels=(LevelShare(level="free", plays=433, listeners=3), LevelShare(level=None, plays=4, listeners=1)),
    songs=(Favorite(title=EVIL, artist=None, plays=4, listeners=2),),
    artists=(Favorite(title=None, artist=EVIL, plays=4, listeners=2),),
)


def report(**changes: Any) -> RunReport:
    return replace(RunReport.from_dict(run_mapping()), highlights=SEEN, **changes)


class Page(HTMLParser):
    """Collects tags, attributes and text; fails if tags are not nested correctly."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "line", "rect"):
            self.open.append(tag)
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_self_contained() -> None:
    html = report().to_html()
    seen = Page(html)
    assert not {"script", "link", "img", "iframe", "a", "object"} & seen.tags
    assert not {"src", "href", "srcset", "onload", "onclick"} & seen.attributes
    assert "url(" not in html and "@import" not in html and "http" not in html.replace("http-", "")


def test_the_page_shows_the_report() -> None:
    requests = {"get": 3, "put": 7, "cost_usd": 1.5, "prices_of": "2026-11"}
    text = Page(report(requests=requests, credentials="dl.cfg").to_html()).text
    for shown in (
        "published", "lake, version 3", "2018-11-30T12:00:00Z",  # the run
        "8,056", "6,820", "1,233", "page", "syntax", "lake/_quarantine/x", "not_json:zip",  # records
        "songs_table", "96.7 KiB", "songplays_table",  # tables
        "discover", "1.2 s",  # time
        "2018-11-29: 7 plays, 4 paid", "99.1 %, 3 listeners", "(none)",  # plays
        "3 get, 7 put: $1.50 at the list prices of 2026-11", "dl.cfg", "57.2 MiB at most", "logs: color 4",
    ):  # fmt: skip
        assert shown in text, shown


def test_the_page_shows_expectations_with_the_values_of_the_last_versions() -> None:
    html = report().to_html()
    [drawn] = re.findall(r"<h2>Expectations</h2>.*?<table>(.*?)</table>", html)
    rows = [
        re.findall(r"<t[hd](?: [^>]*)?>(.*?)</t[hd]>", row) for row in drawn.split("</tr>") if row.strip()
    ][:4]
    assert rows == [
        ["expectation", "result", "value", "version 2", "version 1"],
        ["songplays.rows &gt;= 5000", "met", "6,820", "6,815", "5,810"],
        ["songplays.age &lt;= 3 days", "met", "2 days 02 h", "2 h 03 min", "-"],
        ["songs.rows.change &lt;= 20%", "met", "-", "-", "-"],
    ]
    assert "Expectations" not in report(expectations=()).to_html()


def test_text_from_outside_is_escaped() -> None:
    html = report(output=EVIL, run_id=EVIL, credentials=EVIL).to_html()
    assert "<script" not in html
    assert "\x1b" not in html
    assert Page(html).text.count("<script>alert('x')</script>&") >= 8


def test_the_page_of_a_run_without_plays() -> None:
    nothing = dict.fromkeys(("output", "quarantine", "peak_rss_bytes", "version"))
    none = {"tables": [], "rejects": [], "bad_files": [], "warnings": [], "stages": [], "reasons": {},
            "records": {}, "filtered": {}, "plays": {"rows": 0, "matched": 0}}  # fmt: skip
    for seen in (None, replace(SEEN, periods=(), levels=(), songs=(), artists=())):
        made = RunReport.from_dict({**run_mapping(), **nothing, **none, "state": "built"})
        text = Page(replace(made, highlights=seen).to_html()).text
        assert "built" in text and "None" not in text


@pytest.mark.parametrize(
    ("starts", "shown"),
    [
        (["2018-11-30"], ["2018-11-30"]),
        (["2018-11-30", "2018-12-02"], ["2018-11-30", "2018-12-01", "2018-12-02"]),
        (["2018-11", "2019-02"], ["2018-11", "2018-12", "2019-01", "2019-02"]),
    ],
)
def test_gaps_in_time_are_empty_columns(starts: list[str], shown: list[str]) -> None:
    columns = [ChartColumn(start=start, height=3, lower=1, label=start) for start in starts]
    drawn = columns_over_time(columns, "plays")
    assert re.findall(r'text-anchor="middle">([^<]+)<', drawn) == shown
    assert drawn.count("<g>") == len(starts)


def test_the_smallest_column_is_drawn_to_scale() -> None:
    drawn = columns_over_time([ChartColumn(start="2018-11-30", height=100, lower=25, label="")], "plays")
    lower, upper = (float(height) for height in re.findall(r'<rect[^>]* height="([\d.]+)"', drawn))
    assert upper == pytest.approx(3 * lower, abs=0.2)


@pytest.fixture(scope="module")
def made(isolated_module: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunReport]:
    """A folder with sample data, its lake, and the page of the run."""
    folder = tmp_path_factory.mktemp("page")
    sparkify_lake.sample(folder / "data", quiet=True)
    expect = ["songplays.rows >= 1", "songplays.match_rate >= 10%", "users.gender.null_rate <= 5%"]
    ran = sparkify_lake.run(
        folder / "data", folder / "lake", report=folder / "run.html", expect=expect, quiet=True
    )
    return folder, ran


def test_highlights_match_the_tables(made: tuple[Path, RunReport]) -> None:
    folder, ran = made
    seen = ran.highlights
    assert seen is not None and seen.unit == "day"
    lake = sparkify_lake.open_lake(folder / "lake")
    plays = lake.songplays.collect()
    days = plays.group_by(pl.col("start_time").dt.strftime("%Y-%m-%d")).len().sort("start_time")
    assert [(period.start, period.plays) for period in seen.periods] == days.rows()
    assert sum(period.paid for period in seen.periods) == plays.filter(level="paid").height
    assert {level.level: level.plays for level in seen.levels} == dict(plays.group_by("level").len().rows())
    assert len(seen.songs) == len(seen.artists) == lake_highlights.MAX_FAVORITES
    best = plays.drop_nulls("song_id").group_by("song_id").agg(pl.len(), pl.col("user_id").n_unique())
    assert (seen.songs[0].plays, seen.songs[0].listeners) == max(best.select("len", "user_id").rows())
    named = lake.songs.join(lake.artists, on="artist_id").select("title", "name").collect().rows()
    assert {(song.title, song.artist) for song in seen.songs} <= set(named)
    assert seen == lake_highlights.query_highlights(lake), "the same lake has the same highlights"


def test_many_days_are_grouped_by_month(
    made: tuple[Path, RunReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_highlights, "MAX_DAYS", 3)
    seen = lake_highlights.query_highlights(sparkify_lake.open_lake(made[0] / "lake"))
    assert seen is not None and seen.unit == "month"
    assert [period.start for period in seen.periods] == sorted({period.start for period in seen.periods})
    assert all(re.fullmatch(r"\d{4}-\d{2}", period.start) for period in seen.periods)
    assert sum(period.plays for period in seen.periods) == made[1].tables["songplays"].rows


def test_the_page_of_a_lake_without_some_tables(made: tuple[Path, RunReport], tmp_path: Path) -> None:
    data, file = made[0] / "data", tmp_path / "run.html"
    ran = sparkify_lake.run(data, tmp_path / "a", tables="songplays", report=file, quiet=True)
    assert ran.highlights is not None and ran.highlights.periods
    assert ran.highlights.songs == ran.highlights.artists == ()
    ran = sparkify_lake.run(data, tmp_path / "b", tables="songs,artists", report=file, quiet=True)
    assert ran.highlights is None and ran.warnings == ()
    Page(file.read_text())


def test_only_a_run_with_a_page_has_highlights(made: tuple[Path, RunReport], tmp_path: Path) -> None:
    assert sparkify_lake.run(made[0] / "data", tmp_path / "lake", quiet=True).highlights is None


def test_the_program_writes_the_page(
    made: tuple[Path, RunReport], tmp_path: Path, program: Callable[..., Finished]
) -> None:
    file = tmp_path / "run.html"
    done = program(made[0] / "data", "lake", "--report", file, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    jsonschema.validate(printed, schema())
    assert RunReport.from_dict(printed).to_html() == file.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lake", "run.html"], (
        "no temporary file is left"
    )


@pytest.mark.parametrize("file", [".", "nowhere/run.html", "s3://bucket/run.html"])
def test_an_unwritable_page_is_refused_before_the_run(
    file: str, made: tuple[Path, RunReport], tmp_path: Path
) -> None:
    with pytest.raises(sparkify_lake.OutputError, match="the report cannot be written") as problem:
        sparkify_lake.run(made[0] / "data", tmp_path / "lake", report=file)
    assert problem.value.hint and not (tmp_path / "lake").exists()


def test_a_full_disk_after_the_run_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, *args: object, **kwargs: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(sparkify_lake.StorageError, match="the tables are published") as problem:
        write_page(report().to_html(), tmp_path / "run.html")
    assert "No space left" in str(problem.value) and list(tmp_path.iterdir()) == []


def test_a_lake_that_changes_during_the_page_is_a_warning(
    made: tuple[Path, RunReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed(lake: object) -> None:
        raise pl.exceptions.ComputeError("file changed")

    monkeypatch.setattr(lake_highlights, "query_highlights", removed)
    ran = sparkify_lake.run(made[0] / "data", tmp_path / "lake", report=tmp_path / "run.html", quiet=True)
    assert ran.state == "published" and ran.highlights is None
    assert ran.warnings[-1] == "the report has no plays, because the lake could not be read (ComputeError)"
    assert "the lake could not be read" in (tmp_path / "run.html").read_text()


def test_the_schema_describes_reports(made: tuple[Path, RunReport]) -> None:
    described = schema()
    jsonschema.Draft202012Validator.check_schema(described)
    assert list(described["properties"]) == [field.name for field in fields(RunReport)]
    for kind in (Highlights, Period, LevelShare, Favorite, ExpectationResult, PastValue):
        assert list(described["$defs"][kind.__name__]["properties"]) == [one.name for one in fields(kind)]
    plain = made[1].to_dict()
    built = sparkify_lake.build(made[0] / "data", quiet=True).report.to_dict()
    for mapping in (plain, built, run_mapping(), report().to_dict()):
        jsonschema.validate(json.loads(json.dumps(mapping)), described)
    for broken in ({"report_version": 2}, {"seconds": "1"}, {"surprise": 1}, {"tables": {}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**plain, **broken}, described)


def texts(kind: type) -> dict[str, str]:
    """Returns the attributes of a class with the texts of its docstring, in the words of JSON."""
    listed = (inspect.getdoc(kind) or "").partition("\nAttributes:\n")[2].replace("None", "null")
    found = re.findall(r"^    (\w+): (.*(?:\n      .*)*)", listed, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def test_the_schema_has_the_texts_of_the_classes() -> None:
    described = schema()
    homes = [vars(module) for module in (report_parts, highlights, request_cost, expectations)]
    kinds = {name: next(home[name] for home in homes if name in home) for name in described["$defs"]}
    assert len(kinds) >= 14
    for kind, part in [(RunReport, described), *((kinds[name], described["$defs"][name]) for name in kinds)]:
        properties = part["properties"].items()
        assert {name: one.get("description") for name, one in properties} == texts(kind), kind.__name__


MEASURE = """<script>
const boxes = [...document.querySelectorAll("rect, .track i")].map(box => box.getBoundingClientRect());
const page = document.documentElement;
document.title = JSON.stringify({
  wide: page.scrollWidth - page.clientWidth,
  flat: boxes.filter(box => box.width < 0.1).length,
  boxes: boxes.length,
  sections: [...document.querySelectorAll("h2")].map(title => title.textContent),
  cut: [...document.querySelectorAll(".tile, td")].filter(one => one.scrollWidth > one.clientWidth + 1)
    .length,
  tall: [...document.querySelectorAll("tr")].filter(row => row.getBoundingClientRect().height > 60).length,
});
</script>"""


@needs_browser
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_a_browser_renders_the_page(width: int, made: tuple[Path, RunReport], tmp_path: Path) -> None:
    """A real browser without a network measures the page that it rendered."""
    file = tmp_path / "run.html"
    file.write_text((made[0] / "run.html").read_text().replace("</body>", f"{MEASURE}</body>"))
    assert BROWSER is not None
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--disable-quic", "--enable-logging=stderr",
        "--host-resolver-rules=MAP * ~NOTFOUND", "--allow-file-access-from-files", "--dump-dom",
        "--window-size=1400,2100", f"--user-data-dir={tmp_path / 'profile'}",
    ]  # fmt: skip
    # Windows of Chromium are at least 500 pixels wide; frames can be narrower.
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<iframe src="run.html" style="width:{width}px;height:2000px;border:0"></iframe><script>'
        'onload = () => { document.title = document.querySelector("iframe").contentDocument.title; }</script>'
    )
    done = subprocess.run(
        [BROWSER, *flags, frame.as_uri()], capture_output=True, text=True, check=True, timeout=60
    )
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None, done.stderr
    drawn = json.loads(title.group(1).replace("&quot;", '"'))
    assert drawn["wide"] <= 0, "nothing overflows horizontally"
    assert drawn["boxes"] > 40 and drawn["flat"] <= drawn["boxes"] / 10
    assert drawn["cut"] == 0 and drawn["tall"] == 0, "every column has its full width"
    assert drawn["sections"] == [
        "Plays per day",
        "Input",
        "Tables",
        "Expectations",
        "Time by phase",
        "Run",
    ]
    assert "CONSOLE" not in done.stderr
