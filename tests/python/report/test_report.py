"""Reports as mappings, as text, as HTML, and pickled."""

from __future__ import annotations

import copy
import json
import pickle
from html.parser import HTMLParser

import pytest

from sparkify_lake.render.text_table import (
    TextTable,
    as_html,
    as_text,
    format_bytes,
    format_count,
    format_seconds,
    printable,
)
from sparkify_lake.results.diagnostics import Checkup, Examination
from sparkify_lake.results.dry_run import Plan
from sparkify_lake.results.run_report import RunReport, SampleReport
from support.report_samples import checkup_mapping, examination_mapping, plan_mapping, run_mapping


def examination() -> Examination:
    return Examination.from_dict(examination_mapping())


def checkup() -> Checkup:
    return Checkup.from_dict(checkup_mapping())


def report() -> RunReport:
    return RunReport.from_dict(run_mapping())


def plan() -> Plan:
    return Plan.from_dict(plan_mapping())


def test_mappings_round_trip() -> None:
    assert report().to_dict() == run_mapping()
    assert plan().to_dict() == plan_mapping()
    assert json.loads(report().to_json()) == run_mapping()
    assert RunReport.from_dict(json.loads(report().to_json(indent=None))) == report()
    assert examination().to_dict() == json.loads(examination().to_json()) == examination_mapping()
    assert checkup().to_dict() == json.loads(checkup().to_json()) == checkup_mapping()


def test_fields_of_a_report() -> None:
    assert report().tables["songplays"].rows == 6820
    assert report().records["logs"].quarantined == 3
    assert report().input["songs"].files == 71
    assert report().rejects[0].reason == "syntax"
    assert not plan().tables["users"].exists


def test_text_of_expectations() -> None:
    lines = [line.split("  ") for line in str(report()).splitlines() if "songplays.rows >=" in line]
    assert [[cell for cell in line if cell] for line in lines] == [
        ["songplays.rows >= 5000", "6,820", " 6,815", "met"]
    ]
    older = {name: value for name, value in run_mapping().items() if name != "expectations"}
    assert RunReport.from_dict(older).expectations == (), "a report of an older release"
    assert "expectation" not in str(RunReport.from_dict(older))


def test_text_of_an_examination() -> None:
    lines = str(examination()).splitlines()
    assert lines[0] == "s3://b/x: 1 ok, 1 warning, 1 failed, 1 skipped"
    assert lines[4].split() == ["ok", "credentials", "12", "ms", "dl.cfg"]
    assert [line.split()[0] for line in lines[4:8]] == ["ok", "FAIL", "WARN", "-"]
    assert lines[9:] == ["put:    allow s3:PutObject", "clock:  set it"]
    assert not examination().is_healthy
    whole = {**examination_mapping(), "checks": [], "exit_code": 0}
    assert Examination.from_dict(whole).is_healthy


def test_text_of_a_checkup() -> None:
    text = str(checkup())
    assert text.startswith("lake, version 3: 2 files do not match the commit log\n")
    assert "not kept apart" in text and "6,891 rows in 72 files" in text and "and 1 more" in text
    assert (
        "2 input files: 2018/11/x.json …" in text and "run with --rebuild" in text and "1 files with" in text
    )
    fine = Checkup.from_dict({**checkup_mapping(), "problem_count": 0, "problems": [], "exit_code": 0})
    assert str(fine).startswith("lake, version 3: all files match the commit log\n") and fine.is_healthy
    late = Checkup.from_dict({**checkup_mapping(), "is_published": False, "exit_code": 75})
    assert "not completely published" in str(late) and not late.is_healthy


def test_text_of_requests_and_their_price() -> None:
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
    # A local run shows no requests.
    assert "requests" not in str(report()) and "requests" not in str(plan())


@pytest.mark.parametrize(
    "made",
    [report(), plan(), examination(), checkup()],
    ids=["report", "plan", "examination", "checkup"],
)
def test_reports_can_be_copied_and_pickled(made: RunReport | Plan | Examination | Checkup) -> None:
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
def test_text_is_ascii_without_control_characters(made: RunReport | Plan) -> None:
    assert str(made).isascii()
    assert "\x1b" not in str(made)
    assert r"\x1b[2J\n.json" in str(made)
    assert max(map(len, str(made).splitlines())) < 120


class Tags(HTMLParser):
    """Collects tags and text; fails if tags are not nested correctly."""

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
def test_html_is_well_formed_and_escaped(made: RunReport | Plan) -> None:
    tags = Tags()
    tags.feed(made._repr_html_())
    tags.close()
    assert tags.open == []
    assert set(tags.seen) <= {"div", "table", "thead", "tbody", "tr", "th", "td", "b"}
    assert "<script>alert('x')</script>&" in tags.text, "escaped and shown as text"
    assert "songs_table" in tags.text


def test_text_of_a_run_that_wrote_nothing() -> None:
    nothing = dict.fromkeys(("output", "quarantine", "peak_rss_bytes"))
    none = {"tables": [], "rejects": [], "bad_files": [], "warnings": [], "plays": {"rows": 0, "matched": 0}}
    empty = {**run_mapping(), **nothing, **none, "state": "built"}
    text = str(RunReport.from_dict(empty))
    assert text.startswith("built in 1.3 s")
    assert "None" not in text


def test_text_of_a_sample_report() -> None:
    made = SampleReport(
        directory="d", songs=5, song_files=6, events=7000, log_files=2, bytes=4096, seconds=0.1
    )
    assert str(made) == "5 songs in 6 files and 7,000 events in 2 files (4.0 KiB) in d"
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
def test_formatted_sizes(number: int, text: str) -> None:
    assert format_bytes(number) == text


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
        (172_000, "47 h 46 min"),
        (172_800, "2 days 00 h"),
    ],
)
def test_formatted_durations(number: float, text: str) -> None:
    assert format_seconds(number) == text


def test_text_and_html_tables() -> None:
    table = TextTable(
        head=("name", "n"),
        rows=[("a", format_count(1)), ("long", format_count(1000))],
        text_columns=("name",),
    )
    assert as_text("t", [table]) == "t\n\nname      n\n----  -----\na         1\nlong  1,000"
    assert as_text("t", [TextTable(head=("name",), rows=[])]) == "t"
    assert as_html("<t>", []) == '<div><div style="font-weight:600">&lt;t&gt;</div></div>'
    assert printable("é \u202e\ud800") == r"é \u202e\ud800"
