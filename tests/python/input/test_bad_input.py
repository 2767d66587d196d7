"""The catalog of bad input (`support/bad_input_catalog.py`): each row is accepted, quarantined or refused.

Each case is a real run. After it, every record of the input is in exactly one place: loaded, filtered, or in
the quarantine with its bytes.
"""

from __future__ import annotations

import base64
import json
import os
import resource
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from sparkify_lake.errors import SparkifyLakeError
from support.bad_input_cases import BASE, HOME, LINE, TS, Case, Data, Elsewhere, Unsupported, play, song
from support.bad_input_catalog import ROWS
from support.lake_files import Report, Snapshot, Tables, data_files
from support.processes import ROOT, Finished

pytestmark = pytest.mark.usefixtures("isolated_module")

CASES = [
    (number, case)
    for number, row in ROWS.items()
    if isinstance(row, list)
    for case in row
    if isinstance(case, Case)
]
ELSEWHERE = [
    (number, other)
    for number, row in ROWS.items()
    if isinstance(row, list)
    for other in row
    if isinstance(other, Elsewhere)
]


def write(root: Path, *files: Mapping[str, Data]) -> Path:
    for some in files:
        for path, data in some.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data if isinstance(data, bytes) else data())
    return root


def quarantined(report: Report, content: str) -> list[dict[str, Any]]:
    """The lines in the quarantine: of songs or of logs."""
    if report["quarantine"] is None:
        return []
    files = sorted(Path(report["quarantine"]).glob(f"{content}*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_the_catalog_is_complete(record_property: Callable[[str, object], None]) -> None:
    """The catalog has 118 rows: run here, covered by another existing test, or not supported."""
    assert list(ROWS) == list(range(1, 119))
    here = {number for number, _ in CASES}
    unsupported = [number for number, row in ROWS.items() if isinstance(row, Unsupported)]
    for number, row in ROWS.items():
        assert isinstance(row, Unsupported) or row, f"row {number} is empty"
    missing = [
        f"row {number}: {other.file}: {other.test}" for number, other in ELSEWHERE if not exists(other)
    ]
    others = 118 - len(here) - len(unsupported)
    summary = (
        f"{len(here)} rows run here in {len(CASES)} cases, {others} elsewhere, unsupported: {unsupported}"
    )
    print(summary)
    record_property("catalog", summary)
    assert not missing, "\n".join(missing)
    assert unsupported == [84]
    assert len(here) >= 75, summary


def exists(other: Elsewhere) -> bool:
    path = ROOT / other.file
    keyword = "fn" if path.suffix == ".rs" else "def"
    return path.is_file() and f"{keyword} {other.test}(" in path.read_text()


@pytest.mark.parametrize(("number", "case"), CASES, ids=[f"{number}, {case.name}" for number, case in CASES])
def test_catalog_row(
    tmp_path: Path,
    run: Callable[..., Report],
    read_back: Callable[[Path], Tables],
    number: int,
    case: Case,
) -> None:
    source = write(tmp_path / "in", BASE, case.files)
    lake = tmp_path / "lake"
    if case.exit:
        with pytest.raises(SparkifyLakeError) as caught:
            run(source, lake, **case.options)
        assert caught.value.exit_code == case.exit, caught.value
        assert case.says in str(caught.value)
        assert not data_files(lake), "no table is published"
        return
    report = run(source, lake, **case.options)
    content = case.content
    base = {"songs": 1, "logs": 3}
    found = report["records"][content]
    assert found["loaded"] == base[content] + case.loaded
    assert found["filtered"] == case.filtered
    assert found["quarantined"] == len(case.rejects)
    other = "logs" if content == "songs" else "songs"
    expected = {"read": base[other], "loaded": base[other], "filtered": 0, "quarantined": 0}
    assert report["records"][other] == expected
    for one in report["records"].values():
        assert one["read"] == one["loaded"] + one["filtered"] + one["quarantined"]
    assert report["reasons"][content] == Counter(case.rejects)
    check_quarantine(report, case, source)
    check_report(report, case, lake, read_back)


def check_quarantine(report: Report, case: Case, source: Path) -> None:
    """Every reject is in the quarantine, in order, with the bytes at its offset."""
    lines = [line for line in quarantined(report, case.content) if line["offset"] is not None]
    codes = [line["reason"] + (f":{line['key']}" if line["key"] else "") for line in lines]
    assert codes == list(case.rejects)
    for line in lines:
        data = Path(line["file"]).read_bytes()
        start, total = line["offset"], line["bytes_total"]
        record = data[start : start + total]
        assert line["line"] == data.count(b"\n", 0, start) + 1
        assert Path(line["file"]).is_relative_to(source)
        if "bytes" in line:
            assert line["bytes"].encode() == record[: 64 << 10]
        else:
            assert base64.b64decode(line["bytes_base64"]) == record[: 64 << 10]
            with pytest.raises(UnicodeDecodeError):
                record[: 64 << 10].decode()
        if total <= 64 << 10:
            assert data[start + total : start + total + 1] in (b"", b"\n"), "the reject is a whole record"


def check_report(report: Report, case: Case, lake: Path, read_back: Callable[[Path], Tables]) -> None:
    """The expectations of a case on its report and on the tables."""
    for path, expected in case.report.items():
        if path == "partition":
            partitions = {
                str(file.parent.relative_to(lake / "songs_table"))
                for file in data_files(lake / "songs_table")
            }
            assert partitions == {"year=0/artist_id=ARBASE", expected}
        elif path == "warning":
            assert any(expected in warning for warning in report["warnings"]), report["warnings"]
        elif path == "bad_file":
            assert [one["reason"] for one in report["bad_files"]] == [expected]
            [line] = quarantined(report, case.content)
            assert (line["reason"], line["line"], line["offset"]) == (expected, None, None)
        elif path == "time":
            text, *rest = expected
            moment = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=timezone.utc)
            start = (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)
            assert (start, *rest) in read_back(lake)["time"]
        elif path.startswith("rows."):
            [rows] = [
                table["rows"] for table in report["tables"] if table["name"] == path.removeprefix("rows.")
            ]
            assert rows == expected
        else:
            value: Any = report
            for part in path.split("."):
                value = value[part]
            assert value == expected, path


# --- rows that need more than one file and its outcome ----------------------------------------------------


def test_a_late_event_changes_only_its_month(
    tmp_path: Path, run: Callable[..., Report], snapshot: Callable[[Path], Snapshot]
) -> None:
    """Row 73."""
    source = write(tmp_path / "in", BASE, {"log_data/june.json": play(ts='"ts":1528000000000')})
    run(source, tmp_path / "lake")
    before = snapshot(tmp_path / "lake")
    write(source, {"log_data/late.json": play('"sessionId":9', ts='"ts":1528000000001')})
    run(source, tmp_path / "lake")
    after = snapshot(tmp_path / "lake")
    changed = {path for path in before if after[path] != before[path] and not path.endswith("_SUCCESS")}
    assert before.keys() == after.keys()
    file = "year=2018/month=6/part-00000.snappy.parquet"
    assert changed == {f"time_table/{file}", f"songplays_table/{file}"}


def test_a_file_name_that_is_not_utf8_is_escaped(tmp_path: Path, run: Callable[..., Report]) -> None:
    """Row 96."""
    source = write(tmp_path / "in", BASE)
    name = os.fsencode(source / "log_data") + b"/caf\xe9\n.json"
    with open(name, "wb") as file:
        file.write(LINE + b"junk\n")
    report = run(source, tmp_path / "lake")
    assert report["records"]["logs"] == {"read": 5, "loaded": 4, "filtered": 0, "quarantined": 1}
    [line] = quarantined(report, "logs")
    assert line["file"].endswith("caf\ufffd\\n.json"), "the name is shown on one line"
    record = json.loads(next((tmp_path / "lake" / "_etl" / "log").iterdir()).read_bytes())["record"]
    assert [name for name in record["bases"][0]["input"]["logs"]["files"] if "caf" in name] == [
        "//caf\\xe9\\n.json"
    ]


def test_a_file_that_several_patterns_match_is_read_once(
    tmp_path: Path, build: Callable[..., tuple[Tables, Report]]
) -> None:
    """Row 97."""
    source = write(tmp_path / "in", BASE)
    _, report = build(source, log_data=str(source / "log_data" / "{*.json,b*,base.json,[a-c]*.json}"))
    assert (report["input"]["logs"]["files"], report["plays"]["rows"]) == (1, 3)


def test_an_input_that_shrank_is_refused(
    tmp_path: Path, run: Callable[..., Report], snapshot: Callable[[Path], Snapshot]
) -> None:
    """Row 99."""
    days = {f"log_data/{day}.json": play(f'"sessionId":{day}') + b"\n" for day in range(24)}
    source = write(tmp_path / "in", BASE, days)
    run(source, tmp_path / "lake")
    before = snapshot(tmp_path / "lake")
    for day in range(23):
        (source / f"log_data/{day}.json").unlink()
    with pytest.raises(SparkifyLakeError, match="less than half of the input of version 1") as caught:
        run(source, tmp_path / "lake")
    assert caught.value.exit_code == 65
    assert "--allow-shrink" in (caught.value.hint or "")
    assert snapshot(tmp_path / "lake") == before
    report = run(source, tmp_path / "lake", allow_shrink=True)
    assert report["plays"]["rows"] == 4
    assert run(source, tmp_path / "lake")["version"] == report["version"], (
        "later runs are compared with the new size"
    )


def test_a_low_limit_of_open_files_is_enough(tmp_path: Path, program: Callable[..., Finished]) -> None:
    """Row 107: the number of open files depends on the threads, not on the input."""
    many = {f"log_data/{n}.json": play(f'"sessionId":{n}') for n in range(500)}
    many |= {f"song_data/{n}.json": song(f'"A{n}"', f'"song_id":"S{n}"') for n in range(500)}
    source = write(tmp_path / "in", BASE, many, {"log_data/odd.json": HOME + b"\njunk\n"})
    finished = program(source, "lake", "--threads=4", cwd=tmp_path, under=("prlimit", "--nofile=24"))
    assert finished.returncode == 0, finished.stderr


def test_tables_with_another_partitioning_are_foreign(
    tmp_path: Path, run: Callable[..., Report], read_back: Callable[[Path], Tables]
) -> None:
    """Row 116: tables of another program are refused; tables with another compression are replaced."""
    source = write(tmp_path / "in", BASE)
    other = tmp_path / "lake" / "songplays_table" / "day=2018-11-02" / "part-0.parquet"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"PAR1")
    with pytest.raises(SparkifyLakeError) as caught:
        run(source, tmp_path / "lake")
    assert caught.value.exit_code == 76
    assert "day=2018-11-02" in str(caught.value), "the message names the folder"
    assert other.read_bytes() == b"PAR1"
    run(source, tmp_path / "lake", adopt=True)
    run(source, tmp_path / "lake", compression="zstd")
    assert len(read_back(tmp_path / "lake")["songplays"]) == 3
    assert all(file.name == "part-00000.zstd.parquet" for file in data_files(tmp_path / "lake"))


def test_a_huge_value_does_not_need_as_much_memory(tmp_path: Path, program: Callable[..., Finished]) -> None:
    """Row 16: a file of 1 GiB that is one value is refused with much less memory."""
    source = write(tmp_path / "in", BASE)
    with (source / "log_data" / "large.json").open("wb") as file:
        file.write(b'{"x":"')
        file.truncate(1 << 30)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    finished = program(source, "lake", "--threads=1", cwd=tmp_path)
    assert finished.returncode == 65, finished.stderr
    assert "single_value_too_large" in finished.stderr
    grown = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert max(before, 600 << 10) >= grown, "in KiB: twice the largest value, plus Python itself"


def test_many_rejects_do_not_need_memory(tmp_path: Path, program: Callable[..., Finished]) -> None:
    """Rejects go to disk: 150 MB of rejects need less memory than their size."""
    source = write(tmp_path / "in", BASE)
    reject = b'{"page":"NextSong","ts":1,"userId":"' + b"x" * 450 + b'"}\n'
    (source / "log_data" / "bad.json").write_bytes(reject * 300_000)
    finished = program(source, "lake", "--max-bad=100%", "--threads=2", "--json", "--quiet", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    report = json.loads(finished.stdout)
    assert report["records"]["logs"]["quarantined"] == 300_000
    files = sorted((tmp_path / report["quarantine"]).iterdir())
    assert len(files) >= 2, "split into files that fit into memory"
    assert sum(file.read_bytes().count(b"\n") for file in files) == 300_000
    assert sum(file.stat().st_size for file in files) > 150 << 20
    assert report["peak_rss_bytes"] < 150 << 20, report["peak_rss_bytes"]


def test_quarantined_records_can_be_repaired_and_loaded(tmp_path: Path, run: Callable[..., Report]) -> None:
    """The quarantine has enough to find, repair and load a record."""
    bad = play(ts=f'"ts":{TS // 1000}')
    source = write(tmp_path / "in", BASE, {"log_data/case.json": LINE + bad + b"\n"})
    report = run(source, tmp_path / "lake")
    assert report["plays"]["rows"] == 4
    [line] = quarantined(report, "logs")
    repaired = json.loads(line["bytes"])
    repaired["ts"] *= 1000
    data = Path(line["file"]).read_bytes()
    end = line["offset"] + line["bytes_total"]
    Path(line["file"]).write_bytes(data[: line["offset"]] + json.dumps(repaired).encode() + data[end:])
    report = run(source, tmp_path / "lake")
    assert (report["plays"]["rows"], report["quarantine"]) == (5, None)
    assert len(list((tmp_path / "lake" / "_etl" / "quarantine").rglob("*.jsonl"))) == 1, (
        "the quarantine of the first run is kept"
    )
