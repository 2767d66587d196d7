"""The history of a lake: its versions, the program, and the page as a real browser renders it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import sparkify_lake
from report.test_html_report import BROWSER, MEASURE, Page, needs_browser
from sparkify_lake import lake_trends
from sparkify_lake.render.small_multiples import Measure, small_multiples
from sparkify_lake.results.history import History
from sparkify_lake.results.history_parts import LevelPeriod
from support.generate_inputs import write_input
from support.generate_records import play, song
from support.processes import Finished, assert_refused
from support.report_samples import EVIL

pytestmark = pytest.mark.usefixtures("isolated_module")


def grown(folder: Path, versions: int) -> list[Any]:
    """Makes a lake with a number of versions; returns the reports of their runs."""
    source = write_input(folder / "in", [song(n) for n in range(30)], [play(n) for n in range(40)], 3)
    reports = [sparkify_lake.run(source, folder / "lake", quiet=True)]
    for version in range(2, versions + 1):
        extra = b"".join(play(1000 * version + n).raw + b"\n" for n in range(version))
        (source / "log_data" / f"more-{version}.json").write_bytes(extra)
        if version == 3:
            (source / "log_data" / "bad.json").write_text('{"page": "NextSong", "userId": "1"}\n')
        reports.append(sparkify_lake.run(source, folder / "lake", max_bad=5, quiet=True))
    return reports


@pytest.fixture(scope="module")
def made(isolated_module: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    folder = tmp_path_factory.mktemp("history")
    return folder / "lake", grown(folder, 4)


def test_a_version_is_what_its_run_reported(made: tuple[Path, list[Any]]) -> None:
    lake, reports = made
    found = sparkify_lake.history(lake)
    assert [one.version for one in found.versions] == [1, 2, 3, 4] and found.damaged == ()
    for one, report in zip(found.versions, reports, strict=True):
        assert (one.run, one.committed_at) == (report.run_id, report.started_at)
        assert list(one.tables) == list(report.tables)
        for name, table in report.tables.items():
            size = one.tables[name]
            assert (size.rows, size.files, size.bytes) == (table.rows, table.files, table.bytes)
            assert (size.written, size.removed) == (table.written, table.removed)
        for name, counts in report.records.items():
            assert one.input[name].records == counts
            assert one.input[name].files == report.input[name].files
        assert one.input["logs"].reasons == report.reasons.get("logs", {})
        assert one.plays == report.plays
        assert one.is_published and one.seconds is not None
        assert abs(one.seconds - report.seconds) < 1.0
    assert found.versions[2].quarantined == 1
    assert History.from_dict(json.loads(found.to_json())) == found


def test_only_the_last_versions_are_in_the_log(tmp_path: Path) -> None:
    grown(tmp_path, 18)
    found = sparkify_lake.history(tmp_path / "lake")
    assert [one.version for one in found.versions] == list(range(3, 19))
    # A version that is not published yet, and the marker of an older release.
    done = tmp_path / "lake" / "_etl" / "done"
    marker = done / f"{17:020}.json"
    marker.write_text(json.dumps({"version": 17, "stamps": {}}))
    (done / f"{18:020}.json").unlink()
    # Nothing needs the record of an older version.
    (tmp_path / "lake" / "_etl" / "log" / f"{10:020}.json").write_text("{}")
    found = sparkify_lake.history(tmp_path / "lake")
    assert found.damaged == (10,) and len(found.versions) == 15
    before, newest = found.versions[-2:]
    assert before.is_published and before.seconds is None
    assert not newest.is_published and newest.seconds is None
    text = str(found)
    assert "not published" in text and "warning: the commit record of version 10 is damaged" in text
    assert "not published yet" in Page(found.to_html()).text


def test_a_lake_that_does_not_exist(tmp_path: Path, program: Callable[..., Finished]) -> None:
    with pytest.raises(sparkify_lake.NoInputError, match="there is no lake"):
        sparkify_lake.history(tmp_path / "nowhere")
    assert_refused(program("history", "nowhere", cwd=tmp_path), 66, says="there is no lake")
    assert_refused(program("history", cwd=tmp_path), 78, says="no lake to report the history of")


def test_the_program_prints_and_writes_the_history(
    made: tuple[Path, list[Any]], tmp_path: Path, program: Callable[..., Finished]
) -> None:
    lake, reports = made
    done = program("history", lake, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"{lake}: version 4, 4 versions in the log"
    assert [line.split()[0] for line in lines[4:8]] == ["4", "3", "2", "1"]
    done = program("history", lake, "--json", "--html", "history.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = History.from_dict(json.loads(done.stdout))
    assert found.to_html() == (tmp_path / "history.html").read_text()
    assert found.trends is not None
    assert sum(one.plays for one in found.trends.plays) == reports[-1].tables["songplays"].rows
    assert [path.name for path in tmp_path.iterdir()] == ["history.html"]


@pytest.mark.parametrize("file", [".", "nowhere/history.html", "s3://bucket/history.html"])
def test_an_unwritable_page_is_refused(
    file: str, made: tuple[Path, list[Any]], tmp_path: Path, program: Callable[..., Finished]
) -> None:
    done = program("history", made[0], "--html", file, cwd=tmp_path)
    assert_refused(done, 73, says="cannot be written")


def test_the_page_is_self_contained_and_escapes_text(made: tuple[Path, list[Any]]) -> None:
    found = sparkify_lake.history(made[0], trends=True)
    html = replace(
        found, location=EVIL, versions=[replace(one, run=EVIL) for one in found.versions]
    ).to_html()
    seen = Page(html)
    assert not {"script", "link", "img", "iframe", "a"} & seen.tags
    assert not {"src", "href", "srcset", "onload"} & seen.attributes
    assert seen.text.count("<script>alert('x')</script>&") == 5
    for shown in ("version 4", "rows of songplays", "quarantined", "Plays per month", "version 3: 1"):
        assert shown in seen.text, shown
    assert "Users by level" not in seen.text, "there is no table users_history"


# --- levels of users, from a table with the columns of users_history ---


def users_history(*rows: tuple[str, str, str, str | None]) -> pl.LazyFrame:
    """Rows of user, level, valid_from and valid_to."""
    frame = pl.DataFrame(rows, schema=["user_id", "level", "valid_from", "valid_to"], orient="row")
    times = pl.col("valid_from", "valid_to").str.to_datetime("%Y-%m-%d %H:%M", time_unit="us")
    return frame.with_columns(times).lazy()


def levels(frame: pl.LazyFrame, unit: str = "day") -> tuple[LevelPeriod, ...]:
    return lake_trends.levels_by_period(lake_trends.level_changes(frame).collect(), unit)


def test_levels_of_users_over_time() -> None:
    frame = users_history(
        ("8", "free", "2018-11-01 10:00", "2018-11-03 09:00"),
        ("8", "paid", "2018-11-03 09:00", None),
        ("9", "paid", "2018-11-01 11:00", "2018-11-03 12:00"),
        ("9", "free", "2018-11-03 12:00", "2018-11-03 13:00"),
        ("9", "paid", "2018-11-03 13:00", None),
        ("10", "free", "2018-11-04 00:00", None),
    )
    found = [(one.start[-2:], one.free, one.paid, one.upgrades, one.downgrades) for one in levels(frame)]
    assert found == [("01", 1, 1, 0, 0), ("02", 1, 1, 0, 0), ("03", 0, 2, 2, 1), ("04", 1, 2, 0, 0)]
    assert levels(frame, "month") == (LevelPeriod(start="2018-11", free=1, paid=2, upgrades=2, downgrades=1),)


@pytest.mark.parametrize("seed", range(5))
def test_levels_match_a_count_of_each_user(seed: int) -> None:
    """A slow, independent count: the level of each user at the end of each day."""
    from random import Random

    random = Random(seed)
    begin = datetime(2018, 11, 1)
    rows, changes = [], []
    for user in range(random.randint(1, 20)):
        times = sorted(
            {begin + timedelta(minutes=random.randrange(20 * 24 * 60)) for _ in range(random.randint(1, 5))}
        )
        level = random.choice(["free", "paid"])
        for at, time in enumerate(times):
            until = times[at + 1] if at + 1 < len(times) else None
            rows.append((str(user), level, f"{time:%Y-%m-%d %H:%M}", until and f"{until:%Y-%m-%d %H:%M}"))
            changes.append((user, level, time, at > 0))
            level = "paid" if level == "free" else "free"
    random.shuffle(rows)
    for one in levels(users_history(*rows)):
        end = datetime.fromisoformat(one.start) + timedelta(days=1)
        now = {user: level for user, level, time, _ in changes if time < end}
        today = [level for _, level, time, new in changes if new and f"{time:%F}" == one.start]
        assert (one.free, one.paid) == tuple(list(now.values()).count(level) for level in ("free", "paid"))
        assert (one.upgrades, one.downgrades) == (today.count("paid"), today.count("free"))


# --- drawing ---


def test_a_small_chart_is_drawn_to_scale() -> None:
    measure = Measure(title="rows", values=[100, None, 25, 0], texts=["100", "", "25", "0"])
    drawn = small_multiples([measure], ["version 1", "version 2", "version 3", "version 4"])
    first, last, none = (float(height) for height in re.findall(r'<rect[^>]* height="([\d.]+)"', drawn))
    assert first == pytest.approx(4 * last, abs=0.2) and none == 0
    assert "<b>0</b>" in drawn and "version 3: 25" in drawn and "version 2" not in drawn
    unknown = small_multiples([Measure(title="time", values=[None], texts=[""])], ["version 1"])
    assert "not known" in unknown


@needs_browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_a_browser_renders_the_page(
    width: int, theme: str, made: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    """A real browser without a network measures the page that it rendered."""
    found = sparkify_lake.history(made[0], trends=True)
    assert found.trends is not None and BROWSER is not None
    shown = levels(
        users_history(
            ("8", "free", "2018-11-01 10:00", "2018-11-03 09:00"),
            ("8", "paid", "2018-11-03 09:00", None),
            ("9", "paid", "2018-12-10 11:00", None),
        ),
        "month",
    )
    html = replace(found, trends=replace(found.trends, levels=shown)).to_html()
    # Plays of the generator are spread over years.
    colors = "({theme: getComputedStyle(document.body).backgroundColor, ...JSON.parse(document.title)})"
    script = f"<script>document.title = JSON.stringify({colors})</script>"
    (tmp_path / "history.html").write_text(html.replace("</body>", f"{MEASURE}{script}</body>"))
    (tmp_path / "frame.html").write_text(
        f'<iframe src="history.html" style="width:{width}px;height:2000px;border:0"></iframe><script>'
        'onload = () => { document.title = document.querySelector("iframe").contentDocument.title; }</script>'
    )
    done = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--allow-file-access-from-files", "--dump-dom",
            f"--blink-settings=preferredColorScheme={int(theme == 'light')}", "--window-size=1400,2100",
            f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "frame.html").as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None, done.stderr
    drawn = json.loads(title.group(1).replace("&quot;", '"'))
    assert drawn["theme"] == {"light": "rgb(246, 247, 249)", "dark": "rgb(18, 22, 29)"}[theme]
    assert drawn["wide"] <= 0, "nothing overflows horizontally"
    assert drawn["cut"] == 0 and drawn["tall"] == 0
    assert drawn["boxes"] > 40 and drawn["flat"] <= drawn["boxes"] / 10
    assert drawn["sections"] == ["Versions", "Plays per month", "Users by level", "All versions"]
    assert "CONSOLE" not in done.stderr
