"""Results as the native module returns them, with a file name that breaks output that does not escape."""

from __future__ import annotations

from typing import Any

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
    """A report as the native module returns it, with a file name that breaks output without escaping."""
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
        "unknown_keys": {"songs": {}, "logs": {"color": 4}},
        "rejects": [{"file": EVIL, "line": 3, "offset": 120, "reason": "syntax", "key": None}],
        "bad_files": [{"file": EVIL, "reason": "not_json:zip"}],
        "tables": [
            {"name": "songs", "folder": "songs_table", "rows": 71, "files": 71, "bytes": 99_000,
             "partitions": 71, "written": 71, "unchanged": 0, "removed": 0},
            {"name": "songplays", "folder": "songplays_table", "rows": 6820, "files": 1, "bytes": 310_000,
             "partitions": 1, "written": 1, "unchanged": 0, "removed": 2},
        ],
        "plays": {"rows": 6820, "matched": 1, "last_at": "2018-11-30T11:58:00.123Z"},
        "quarantine": "lake/_quarantine/x",
        "credentials": None,
        "warnings": [f"{EVIL} is empty"],
        "peak_rss_bytes": 60_000_000,
        "threads": 2,
        "requests": None,
        "highlights": None,
        "expectations": [
            {"expectation": "songplays.rows >= 5000", "metric": "songplays.rows", "unit": "rows",
             "limit": 5000.0, "value": 6820.0, "passed": True,
             "history": [past_value(1, 5810.0), past_value(2, 6815.0)]},
            {"expectation": "songplays.age <= 3 days", "metric": "songplays.age", "unit": "seconds",
             "limit": 259200.0, "value": 182000.0, "passed": True, "history": [past_value(2, 7384.0)]},
            {"expectation": "songs.rows.change <= 20%", "metric": "songs.rows.change", "unit": "share",
             "limit": 0.2, "value": None, "passed": True, "history": []},
        ],
    }  # fmt: skip


def past_value(version: int, value: float) -> dict[str, Any]:
    return {"version": version, "committed_at": f"2018-11-2{version}T12:00:00Z", "value": value}


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
            },
            {
                "name": "users",
                "folder": "user_table",
                "location": "lake/user_table",
                "exists": False,
                "files": 0,
                "partitions": None,
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
    """The check of a lake with two files that differ from its commit log, one of which is named."""
    return {
        "location": "lake", "version": 3,
        "run": "20181130T120000Z-1a2b3c4d", "committed_at": "2018-11-30T12:00:00Z",
        "is_published": True, "is_guarded": False, "files": 72, "bytes": 99_000, "rows": 6891,
        "problem_count": 2, "problems": [{"path": f"songs_table/{EVIL}", "what": "changed"}],
        "ignored": 1, "lost": {"files": 2, "first": ["2018/11/x.json"]}, "repair": "run with --rebuild",
        "exit_code": 76,
    }  # fmt: skip
