"""Every row of the catalogue of bad input: accepted, put into quarantine, or refused, and accounted for.

The rows are data (`bad_input_catalog`). Each case is run for real; afterwards every record of the input is in
exactly one place: loaded, filtered or in the quarantine's files, with its bytes.
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

pytestmark = pytest.mark.usefixtures("alone")

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


def kept(report: Report, content: str) -> list[dict[str, Any]]:
    """The lines of the quarantine of that content."""
    if report["quarantine"] is None:
        return []
    files = sorted(Path(report["quarantine"]).glob(f"{content}*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_the_catalogue_is_complete(record_property: Callable[[str, object], None]) -> None:
    """118 rows, each run here, named elsewhere (and there), or said not to be ours."""
    assert list(ROWS) == list(range(1, 119))
    here = {number for number, _ in CASES}
    unsupported = [number for number, row in ROWS.items() if isinstance(row, Unsupported)]
    for number, row in ROWS.items():
        assert isinstance(row, Unsupported) or row, f"row {number} says nothing"
    missing = [
        f"row {number}: {other.file}: {other.test}" for number, other in ELSEWHERE if not exists(other)
    ]
    others = 118 - len(here) - len(unsupported)
    told = f"{len(here)} rows run here in {len(CASES)} cases, {others} elsewhere, not ours: {unsupported}"
    print(told)
    record_property("catalogue", told)
    assert not missing, "\n".join(missing)
    assert unsupported == [84]
    assert len(here) >= 75, told


def exists(other: Elsewhere) -> bool:
    path = ROOT / other.file
    keyword = "fn" if path.suffix == ".rs" else "def"
    return path.is_file() and f"{keyword} {other.test}(" in path.read_text()


@pytest.mark.parametrize(("number", "case"), CASES, ids=[f"{number}, {case.name}" for number, case in CASES])
def test_row(
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
        assert not data_files(lake), "nothing is published"
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
    """Every reject is in a file, in order, with the bytes that stand at its place."""
    lines = [line for line in kept(report, case.content) if line["offset"] is not None]
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
            assert data[start + total : start + total + 1] in (b"", b"\n"), "the whole record"


def check_report(report: Report, case: Case, lake: Path, read_back: Callable[[Path], Tables]) -> None:
    """What a case says of its report, and of the tables."""
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
            [line] = kept(report, case.content)
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


# --- rows that are more than a file and its outcome -------------------------------------------------------


def test_a_late_event_changes_its_month_alone(
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


def test_a_file_name_that_is_no_text(tmp_path: Path, run: Callable[..., Report]) -> None:
    """Row 96."""
    source = write(tmp_path / "in", BASE)
    name = os.fsencode(source / "log_data") + b"/caf\xe9\n.json"
    with open(name, "wb") as file:
        file.write(LINE + b"junk\n")
    report = run(source, tmp_path / "lake")
    assert report["records"]["logs"] == {"read": 5, "loaded": 4, "filtered": 0, "quarantined": 1}
    [line] = kept(report, "logs")
    assert line["file"].endswith("caf\ufffd\\n.json"), "shown in one line"
    record = json.loads(next((tmp_path / "lake" / "_etl" / "log").iterdir()).read_bytes())["record"]
    assert [name for name in record["bases"][0]["input"]["logs"]["files"] if "caf" in name] == [
        "caf\\xe9\\n.json"
    ]


def test_a_file_that_several_patterns_match_is_read_once(
    tmp_path: Path, build: Callable[..., tuple[Tables, Report]]
) -> None:
    """Row 97."""
    source = write(tmp_path / "in", BASE)
    _, report = build(source, log_data=str(source / "log_data" / "{*.json,b*,base.json,[a-c]*.json}"))
    assert (report["input"]["logs"]["files"], report["plays"]["rows"]) == (1, 3)


def test_an_input_that_shrank(
    tmp_path: Path, run: Callable[..., Report], snapshot: Callable[[Path], Snapshot]
) -> None:
    """Row 99."""
    days = {f"log_data/{day}.json": play(f'"sessionId":{day}') + b"\n" for day in range(24)}
    source = write(tmp_path / "in", BASE, days)
    run(source, tmp_path / "lake")
    before = snapshot(tmp_path / "lake")
    for day in range(23):
        (source / f"log_data/{day}.json").unlink()
    with pytest.raises(SparkifyLakeError, match="less than half of what version 1") as caught:
        run(source, tmp_path / "lake")
    assert caught.value.exit_code == 65
    assert "--allow-shrink" in (caught.value.hint or "")
    assert snapshot(tmp_path / "lake") == before
    report = run(source, tmp_path / "lake", allow_shrink=True)
    assert report["plays"]["rows"] == 4
    assert run(source, tmp_path / "lake")["version"] == report["version"], "the new size is the measure now"


def test_few_open_files(tmp_path: Path, program: Callable[..., Finished]) -> None:
    """Row 107: no more files are open than threads have, however many there are."""
    many = {f"log_data/{n}.json": play(f'"sessionId":{n}') for n in range(500)}
    many |= {f"song_data/{n}.json": song(f'"A{n}"', f'"song_id":"S{n}"') for n in range(500)}
    source = write(tmp_path / "in", BASE, many, {"log_data/odd.json": HOME + b"\njunk\n"})
    finished = program(source, "lake", "--threads=4", cwd=tmp_path, under=("prlimit", "--nofile=24"))
    assert finished.returncode == 0, finished.stderr


def test_tables_of_another_form_are_foreign(
    tmp_path: Path, run: Callable[..., Report], read_back: Callable[[Path], Tables]
) -> None:
    """Row 116: what another program laid out is refused, what we laid out otherwise is replaced."""
    source = write(tmp_path / "in", BASE)
    other = tmp_path / "lake" / "songplays_table" / "day=2018-11-02" / "part-0.parquet"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"PAR1")
    with pytest.raises(SparkifyLakeError) as caught:
        run(source, tmp_path / "lake")
    assert caught.value.exit_code == 76
    assert "day=2018-11-02" in str(caught.value), "the difference is shown"
    assert other.read_bytes() == b"PAR1"
    run(source, tmp_path / "lake", adopt=True)
    run(source, tmp_path / "lake", compression="zstd")
    assert len(read_back(tmp_path / "lake")["songplays"]) == 3
    assert all(file.name == "part-00000.zstd.parquet" for file in data_files(tmp_path / "lake"))


def test_memory_does_not_grow_with_a_value(tmp_path: Path, program: Callable[..., Finished]) -> None:
    """Row 16: a file of 1 GiB that is one value is refused with far less memory than that."""
    source = write(tmp_path / "in", BASE)
    with (source / "log_data" / "large.json").open("wb") as file:
        file.write(b'{"x":"')
        file.truncate(1 << 30)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    finished = program(source, "lake", "--threads=1", cwd=tmp_path)
    assert finished.returncode == 65, finished.stderr
    assert "single_value_too_large" in finished.stderr
    grown = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert max(before, 600 << 10) >= grown, "in KiB: twice the largest value, and what Python takes"


def test_millions_of_rejects_take_no_memory(tmp_path: Path, program: Callable[..., Finished]) -> None:
    """What is rejected goes to disk: 150 MB of rejects are more than the memory that is used."""
    source = write(tmp_path / "in", BASE)
    reject = b'{"page":"NextSong","ts":1,"userId":"' + b"x" * 450 + b'"}\n'
    (source / "log_data" / "bad.json").write_bytes(reject * 300_000)
    finished = program(source, "lake", "--max-bad=100%", "--threads=2", "--json", "--quiet", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    report = json.loads(finished.stdout)
    assert report["records"]["logs"]["quarantined"] == 300_000
    files = sorted((tmp_path / report["quarantine"]).iterdir())
    assert len(files) >= 2, "in files of a size that fits into memory"
    assert sum(file.read_bytes().count(b"\n") for file in files) == 300_000
    assert sum(file.stat().st_size for file in files) > 150 << 20
    assert report["peak_rss_bytes"] < 150 << 20, report["peak_rss_bytes"]


def test_the_quarantine_can_be_repaired_and_read_again(tmp_path: Path, run: Callable[..., Report]) -> None:
    """What is kept is enough to find, repair and load a record."""
    bad = play(ts=f'"ts":{TS // 1000}')
    source = write(tmp_path / "in", BASE, {"log_data/case.json": LINE + bad + b"\n"})
    report = run(source, tmp_path / "lake")
    assert report["plays"]["rows"] == 4
    [line] = kept(report, "logs")
    repaired = json.loads(line["bytes"])
    repaired["ts"] *= 1000
    data = Path(line["file"]).read_bytes()
    end = line["offset"] + line["bytes_total"]
    Path(line["file"]).write_bytes(data[: line["offset"]] + json.dumps(repaired).encode() + data[end:])
    report = run(source, tmp_path / "lake")
    assert (report["plays"]["rows"], report["quarantine"]) == (5, None)
    assert len(list((tmp_path / "lake" / "_etl" / "quarantine").rglob("*.jsonl"))) == 1, (
        "the first run's stays"
    )
