"""Reports: what goes in comes out, as a mapping, as text, as HTML and through a pickle."""

from __future__ import annotations

import copy
import json
import pickle
from html.parser import HTMLParser
from typing import Any

import pytest

from sparkify_lake.render.text_table import Grid, as_html, as_text, count, printable, seconds, size
from sparkify_lake.results.diagnostics import Checkup, Examination
from sparkify_lake.results.dry_run import Plan
from sparkify_lake.results.run_report import RunReport, SampleReport

EVIL = "a<script>alert('x')</script>&\x1b[2J\n.json"


def source(location: str, files: int, size: int) -> dict[str, Any]:
    return {
        "location": location,
        "files": files,
        "bytes": size,
        "files_read": files,
        "bytes_read": size,
        "files_kept": 0,
    }


def run_mapping() -> dict[str, Any]:
    """A report as the native module gives it, with a file name out to break whatever shows it."""
    return {
        "report_version": 1,
        "package_version": "0.1.0",
        "run_id": "20181130T120000Z-1a2b3c4d",
        "version": 3,
        "state": "published",
        "rebuilt": None,
        "started_at": "2018-11-30T12:00:00Z",
        "seconds": 1.26,
        "input": {
            "logs": source("data/log_data", 30, 3_600_000),
            "songs": source("data/song_data", 71, 17_000),
        },
        "output": "lake",
        "executor": "local",
        "options": {"compression": "snappy"},
        "stages": [{"name": "discover", "seconds": 0.01}, {"name": "write", "seconds": 1.2}],
        "records": {
            "logs": {"read": 8056, "loaded": 6820, "filtered": 1233, "quarantined": 3},
            "songs": {"read": 71, "loaded": 71, "filtered": 0, "quarantined": 0},
        },
        "filtered": {"page": 1233},
        "reasons": {"logs": {"syntax": 3}, "songs": {}},
        "coerced": {"songs": 2, "logs": 0},
        "unknown_keys": {"songs": {}, "logs": {"colour": 4}},
        "rejects": [{"file": EVIL, "line": 3, "offset": 120, "reason": "syntax", "key": None}],
        "bad_files": [{"file": EVIL, "reason": "not_json:zip"}],
        "tables": [
            {"name": "songs", "folder": "songs_table", "rows": 71, "files": 71, "bytes": 99_000,
             "partitions": 71, "written": 71, "unchanged": 0, "removed": 0},
            {"name": "songplays", "folder": "songplays_table", "rows": 6820, "files": 1, "bytes": 310_000,
             "partitions": 1, "written": 1, "unchanged": 0, "removed": 2},
        ],
        "plays": {"rows": 6820, "matched": 1},
        "quarantine": "lake/_quarantine/x",
        "credentials": None,
        "warnings": [f"{EVIL} is empty"],
        "peak_rss_bytes": 60_000_000,
        "threads": 2,
        "requests": None,
        "highlights": None,
    }  # fmt: skip


def plan_mapping() -> dict[str, Any]:
    return {
        "input": {"songs": source(EVIL, 71, 17_000)},
        "output": "lake",
        "options": {"compression": "snappy"},
        "outlook": "part",
        "rebuilt": None,
        "tables": [
            {
                "name": "songs",
                "folder": "songs_table",
                "location": "lake/songs_table",
                "exists": True,
                "files": 3,
                "partitions": [],
                "more_partitions": 2,
            },
            {
                "name": "users",
                "folder": "user_table",
                "location": "lake/user_table",
                "exists": False,
                "files": 0,
                "partitions": None,
                "more_partitions": 0,
            },
        ],
        "warnings": [],
        "requests": None,
    }


def examination_mapping() -> dict[str, Any]:
    """An examination with one check of each outcome."""
    return {
        "location": "s3://b/x",
        "checks": [
            {"name": "credentials", "outcome": "ok", "detail": "dl.cfg", "hint": None, "seconds": 0.012},
            {
                "name": "put",
                "outcome": "failed",
                "detail": EVIL,
                "hint": "allow s3:PutObject",
                "seconds": 0.2,
            },
            {"name": "clock", "outcome": "warning", "detail": "7 s ahead", "hint": "set it", "seconds": 0.0},
            {
                "name": "delete",
                "outcome": "skipped",
                "detail": "nothing was put",
                "hint": None,
                "seconds": 0.0,
            },
        ],
        "exit_code": 77,
    }


def checkup_mapping() -> dict[str, Any]:
    """A lake with two files that are not as its log says, of which one is named."""
    return {
        "location": "lake", "version": 3,
        "run": "20181130T120000Z-1a2b3c4d", "committed_at": "2018-11-30T12:00:00Z",
        "is_published": True, "is_guarded": False, "files": 72, "bytes": 99_000, "rows": 6891,
        "problem_count": 2, "problems": [{"path": f"songs_table/{EVIL}", "what": "changed"}], "exit_code": 76,
    }  # fmt: skip


def examination() -> Examination:
    return Examination.from_dict(examination_mapping())


def checkup() -> Checkup:
    return Checkup.from_dict(checkup_mapping())


def report() -> RunReport:
    return RunReport.from_dict(run_mapping())


def plan() -> Plan:
    return Plan.from_dict(plan_mapping())


def test_round_trips() -> None:
    assert report().to_dict() == run_mapping()
    assert plan().to_dict() == plan_mapping()
    assert json.loads(report().to_json()) == run_mapping()
    assert RunReport.from_dict(json.loads(report().to_json(indent=None))) == report()
    assert examination().to_dict() == json.loads(examination().to_json()) == examination_mapping()
    assert checkup().to_dict() == json.loads(checkup().to_json()) == checkup_mapping()


def test_fields() -> None:
    assert report().tables["songplays"].rows == 6820
    assert report().records["logs"].quarantined == 3
    assert report().input["songs"].files == 71
    assert report().rejects[0].reason == "syntax"
    assert not plan().tables["users"].exists


def test_an_examination_in_words() -> None:
    lines = str(examination()).splitlines()
    assert lines[0] == "s3://b/x: 1 ok, 1 warning, 1 failed, 1 skipped"
    assert lines[4].split() == ["ok", "credentials", "12", "ms", "dl.cfg"]
    assert [line.split()[0] for line in lines[4:8]] == ["ok", "FAIL", "WARN", "-"]
    assert lines[9:] == ["put:    allow s3:PutObject", "clock:  set it"]
    assert not examination().is_healthy
    whole = {**examination_mapping(), "checks": [], "exit_code": 0}
    assert Examination.from_dict(whole).is_healthy


def test_a_checkup_in_words() -> None:
    text = str(checkup())
    assert text.startswith("lake, version 3: 2 files are not as its log says\n")
    assert "not kept apart" in text and "6,891 rows in 72 files" in text and "and 1 more" in text
    fine = Checkup.from_dict({**checkup_mapping(), "problem_count": 0, "problems": [], "exit_code": 0})
    assert str(fine).startswith("lake, version 3: all files are as its log says\n") and fine.is_healthy
    late = Checkup.from_dict({**checkup_mapping(), "is_published": False, "exit_code": 75})
    assert "not published in full" in str(late) and not late.is_healthy


def test_requests_and_their_price() -> None:
    asked = {"list": 2, "get": 101, "put": 90, "delete": 0, "put_is_at_most": True, "cost_usd": 0.0005}
    planned = Plan.from_dict({**plan_mapping(), "requests": {**asked, "prices_of": "2026-11"}})
    price = "2 list, 101 get, at most 90 put: at most $0.0005 at the list prices of 2026-11"
    assert f"requests  {price}" in str(planned)
    assert price in planned._repr_html_()
    assert planned.requests is not None and planned.requests["put"] == 90
    spent = {"get": 3, "retries": 2, "throttled": 1, "bytes_in": 2048, "bytes_out": 0, "cost_usd": 1.5}
    ran = RunReport.from_dict({**run_mapping(), "requests": spent, "credentials": "dl.cfg"})
    assert "3 get, 2 retries, 1 throttled, 2.0 KiB in: $1.50\n" in str(ran)
    assert "credentials  dl.cfg" in str(ran)
    assert ran.to_dict()["requests"] == spent
    # All is local: nothing is said.
    assert "requests" not in str(report()) and "requests" not in str(plan())


@pytest.mark.parametrize(
    "made",
    [report(), plan(), examination(), checkup()],
    ids=["report", "plan", "examination", "checkup"],
)
def test_copies(made: RunReport | Plan | Examination | Checkup) -> None:
    assert pickle.loads(pickle.dumps(made)) == made
    assert copy.deepcopy(made) == made
    with pytest.raises(AttributeError):
        setattr(made, next(iter(made.to_dict())), "something else")


def test_text_is_an_aligned_table() -> None:
    text = str(report())
    assert text.splitlines()[:6] == [
        "published in 1.3 s",
        "",
        "table       rows  files      size  written  unchanged  removed  folder",
        "---------  -----  -----  --------  -------  ---------  -------  ---------------",
        "songs         71     71  96.7 KiB       71          0        0  songs_table",
        "songplays  6,820      1   303 KiB        1          0        2  songplays_table",
    ]
    for fact in (
        "1 of 6,820 plays have a song",
        "logs: syntax 3",
        "lake/_quarantine/x",
        "57.2 MiB",
        "write 1.2 s",
    ):
        assert fact in text
    assert repr(report()) == text


@pytest.mark.parametrize("made", [report(), plan()], ids=["report", "plan"])
def test_text_is_ascii_and_moves_no_cursor(made: RunReport | Plan) -> None:
    assert str(made).isascii()
    assert "\x1b" not in str(made)
    assert r"\x1b[2J\n.json" in str(made)
    assert max(map(len, str(made).splitlines())) < 120


class Tags(HTMLParser):
    """Collects tags and text, and fails where they do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.seen.append(tag)
        assert {name for name, _ in attrs} <= {"style"}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("made", [report(), plan()], ids=["report", "plan"])
def test_html_is_whole_and_escaped(made: RunReport | Plan) -> None:
    tags = Tags()
    tags.feed(made._repr_html_())
    tags.close()
    assert tags.open == []
    assert set(tags.seen) <= {"div", "table", "thead", "tbody", "tr", "th", "td", "b"}
    assert "<script>alert('x')</script>&" in tags.text, "shown as text"
    assert "songs_table" in tags.text


def test_a_run_that_wrote_nothing() -> None:
    nothing = dict.fromkeys(("output", "quarantine", "peak_rss_bytes"))
    none = {"tables": [], "rejects": [], "bad_files": [], "warnings": [], "plays": {"rows": 0, "matched": 0}}
    empty = {**run_mapping(), **nothing, **none, "state": "built"}
    text = str(RunReport.from_dict(empty))
    assert text.startswith("built in 1.3 s")
    assert "None" not in text


def test_sample_report() -> None:
    made = SampleReport(
        directory="d", songs=5, song_files=6, events=7000, log_files=2, bytes=4096, seconds=0.1
    )
    assert str(made) == "5 songs in 6 files and 7,000 events in 2 files (4.0 KiB) below d"
    assert json.loads(made.to_json()) == made.to_dict()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1023 * 1024, "1.0 MiB"),
        (150 << 20, "150 MiB"),
        (3 << 50, "3,072 TiB"),
    ],
)
def test_sizes(number: int, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (119.7, "2 min 00 s"),
        (3599.6, "1 h 00 min"),
        (7384, "2 h 03 min"),
    ],
)
def test_durations(number: float, text: str) -> None:
    assert seconds(number) == text


def test_grids() -> None:
    grid = Grid(head=("name", "n"), rows=[("a", count(1)), ("long", count(1000))], texts=("name",))
    assert as_text("t", [grid]) == "t\n\nname      n\n----  -----\na         1\nlong  1,000"
    assert as_text("t", [Grid(head=("name",), rows=[])]) == "t"
    assert as_html("<t>", []) == '<div><div style="font-weight:600">&lt;t&gt;</div></div>'
    assert printable("é \u202e\ud800") == r"é \u202e\ud800"
