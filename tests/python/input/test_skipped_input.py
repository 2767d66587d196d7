"""Input that is not read: it is counted once, with its reason, and the hint fits the reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from sparkify_lake.errors import ConfigurationError, DataRefusedError, NoInputError
from support.generate_records import play, song
from support.lake_files import Report

pytestmark = pytest.mark.usefixtures("isolated")
Run = Callable[..., Report]


def plays_of(report: Report) -> int:
    rows: int = report["plays"]["rows"]
    return rows


def logs_of(source: Path) -> Path:
    return next(source.glob("log?data"))


def warnings_of(report: Report, word: str) -> list[str]:
    return [warning for warning in report["warnings"] if word in warning]


# --- symlinks ---------------------------------------------------------------------------------------------


def moved_away(source: Path, what: str) -> int:
    """Moves all log files but one out of the input and leaves symlinks; returns the number of symlinks."""
    logs, away = logs_of(source), source.parent / "away"
    files = sorted(path for path in logs.rglob("*") if path.is_file())
    away.mkdir()
    if what == "files":
        for file in files[1:]:
            file.rename(away / file.name)
            file.symlink_to(away / file.name)
    elif what == "relative":
        for file in files[1:]:
            file.rename(away / file.name)
            file.symlink_to(Path("../" * len(file.relative_to(source).parents)) / "away" / file.name)
    else:
        for file in files[1:]:
            file.rename(away / file.name)
        (logs / "linked").symlink_to(away)
    return 1 if what == "folder" else len(files) - 1


@pytest.mark.parametrize("what", ["files", "relative", "folder"])
def test_symlinks_are_counted_or_followed(tmp_path: Path, source: Path, run: Run, what: str) -> None:
    count = moved_away(source, what)
    skipped = run(source, tmp_path / "skipped")
    (warning,) = warnings_of(skipped, "symlink")
    assert warning.startswith(f"{count} symlinks in ") and "--follow-symlinks" in warning
    assert warnings_of(skipped, "do not end in .json") == []
    plan = sparkify_lake.plan(source, tmp_path / "new", quiet=True)
    assert warning in plan.warnings, "a dry run says the same"
    followed = run(source, tmp_path / "followed", follow_symlinks=True)
    assert plays_of(followed) == 60 > plays_of(skipped)
    again = run(source, tmp_path / "followed", follow_symlinks=True)
    assert again["state"] == "unchanged"


@pytest.mark.parametrize("place", ["argument", "lake.cfg", "environment"])
def test_the_option_is_set_like_others(
    tmp_path: Path, source: Path, run: Run, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    moved_away(source, "folder")
    if place == "lake.cfg":
        Path("lake.cfg").write_text("[LAKE]\nFOLLOW_SYMLINKS = true\n")
    elif place == "environment":
        monkeypatch.setenv("SPARKIFY_FOLLOW_SYMLINKS", "1")
    given = {"follow_symlinks": True} if place == "argument" else {}
    assert plays_of(run(source, tmp_path / "lake", **given)) == 60
    star = sparkify_lake.build(source, quiet=True, **given)
    assert star.songplays.height == 60


def test_an_input_of_symlinks_only_names_the_option(tmp_path: Path, source: Path) -> None:
    logs = logs_of(source)
    logs.rename(tmp_path / "away")
    logs.mkdir()
    (logs / "2018").symlink_to(tmp_path / "away")
    with pytest.raises(NoInputError, match="there are no JSON files") as caught:
        sparkify_lake.run(source, tmp_path / "lake", quiet=True)
    assert "symlinks: 1" in (caught.value.cause or "")
    assert "--follow-symlinks" in (caught.value.hint or "")


def test_a_symlink_into_the_output_is_refused(tmp_path: Path, source: Path, run: Run) -> None:
    run(source, tmp_path / "lake")
    (logs_of(source) / "lake").symlink_to(tmp_path / "lake")
    with pytest.raises(ConfigurationError, match="lake"):
        run(source, tmp_path / "lake", follow_symlinks=True)
    assert run(source, tmp_path / "lake")["state"] == "unchanged"


def test_a_file_that_is_reached_twice_counts_once(tmp_path: Path, source: Path, run: Run) -> None:
    logs = logs_of(source)
    (logs / "again").symlink_to(logs)
    for file in [path for path in logs.rglob("*") if path.is_file()]:
        (logs / f"copy-of-{file.name}").symlink_to(file)
    assert plays_of(run(source, tmp_path / "lake", follow_symlinks=True)) == 60


# --- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("stream-1-2018-11-05-00", "**/stream-*"),
        ("app.json.1", "**/*.json.1"),
        ("dump", "**/dump"),
        ("events.log", "**"),
    ],
)
def test_a_file_that_a_pattern_names_is_read(
    tmp_path: Path, source: Path, run: Run, name: str, pattern: str
) -> None:
    logs = tmp_path / "logs"
    (logs / "2018").mkdir(parents=True)
    (logs / "2018" / name).write_bytes(play(1).raw + b"\n" + play(2).raw + b"\n")
    (logs / "2018" / "_SUCCESS").touch()
    given: dict[str, Any] = {"song_data": next(source.glob("song?data"))}
    with pytest.raises(NoInputError) as caught:
        sparkify_lake.run(output=tmp_path / "lake", log_data=logs, quiet=True, **given)
    assert "not JSON by name: 1" in (caught.value.cause or "")
    assert "--log-data" in (caught.value.hint or ""), "the hint says how to read it"
    report = sparkify_lake.run(output=tmp_path / "lake", log_data=logs / pattern, quiet=True, **given)
    assert report.plays.rows == 2
    with pytest.raises(NoInputError, match="no file matches") as caught:
        sparkify_lake.run(output=tmp_path / "lake", log_data=logs / "*.gz", quiet=True, **given)
    assert "other names: 1" in (caught.value.cause or "")


def test_days_count_each_file_once(tmp_path: Path) -> None:
    source = tmp_path / "in"
    for name in (
        "song_data/a.json",
        "log_data/2018-11-01.json",
        "log_data/2018-11-02.json",
        "log_data/x.json",
    ):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(song(1).raw if "song" in name else play(len(name)).raw)
    with pytest.raises(NoInputError) as caught:
        sparkify_lake.run(source, tmp_path / "lake", since="2019-01-01", quiet=True)
    assert caught.value.cause == "of 3 files, 2 have another day in their path, and 1 have none"


# --- records ----------------------------------------------------------------------------------------------

WRONG_FOLDER = "is the folder of"
EVENTS: list[dict[str, Any]] = [
    {
        "page": "NextSong", "ts": 1541106106796 + n, "userId": "1", "sessionId": 1, "itemInSession": n,
        "firstName": "A", "lastName": None, "gender": "F", "level": "free", "location": "X", "userAgent": "Y",
        "song": "S", "artist": "T", "length": 1.5,
    }
    for n in range(20)
]  # fmt: skip
SONGS = [json.loads(song(n).raw) for n in range(20)]


def lines(records: list[dict[str, Any]]) -> str:
    return "\n".join(json.dumps(record) for record in records)


INPUTS: dict[str, tuple[str, str]] = {
    "NaN": (lines([{**event, "length": float("nan")} for event in EVENTS]), "NaN"),
    "Python": ("\n".join(str(event) for event in EVENTS), "single quotes"),
    "ISO time": (lines([{**event, "ts": "2018-11-01T00:00:00Z"} for event in EVENTS]), "milliseconds"),
    "seconds": (lines([{**event, "ts": event["ts"] // 1000} for event in EVENTS]), "milliseconds"),
    "wrapped": (json.dumps({"records": EVENTS}), "top level"),
    "wrapped lines": (lines([{"event": event} for event in EVENTS]), "top level"),
    "other pages": (lines([{**event, "page": "Home"} for event in EVENTS]), "NextSong"),
    "songs": (lines(SONGS), WRONG_FOLDER),
}


@pytest.mark.parametrize("name", INPUTS)
def test_a_hint_fits_the_reason(tmp_path: Path, name: str) -> None:
    text, hint = INPUTS[name]
    for folder, content in (("song_data", lines(SONGS)), ("log_data", text)):
        (tmp_path / "in" / folder).mkdir(parents=True)
        (tmp_path / "in" / folder / "a.json").write_text(content)
    with pytest.raises(DataRefusedError, match="no usable NextSong event") as caught:
        sparkify_lake.run(tmp_path / "in", tmp_path / "lake", quiet=True)
    assert hint in (caught.value.hint or ""), caught.value.hint
    assert (WRONG_FOLDER in (caught.value.hint or "")) == (hint == WRONG_FOLDER)
