"""An engine for tests of the Python side: it records its calls and returns fixed results."""

from __future__ import annotations

from typing import Any

from support.report_samples import checkup_mapping, examination_mapping, plan_mapping, run_mapping


class FakeEngine:
    """Replaces the native module: records its calls, and returns a fixed result or raises `failure`."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, object]]] = []
        self.failure: BaseException | None = None

    def _called(self, name: str, options: dict[str, object]) -> None:
        self.calls.append((name, options))
        if self.failure is not None:
            raise self.failure

    def run(
        self, options: dict[str, object], on_tick: object, binding: object, iceberg: object
    ) -> dict[str, Any]:
        self._called("run", options)
        return run_mapping()

    def plan(self, options: dict[str, object], on_tick: object) -> dict[str, Any]:
        self._called("plan", options)
        return plan_mapping()

    def sample(self, directory: str, options: dict[str, object], on_tick: object) -> dict[str, Any]:
        self._called("sample", {"directory": directory, **options})
        return {"songs": 5, "song_files": 6, "events": 7, "log_files": 8, "bytes": 9, "seconds": 0.1}

    def doctor(
        self, location: str, options: dict[str, object], on_tick: object, binding: object
    ) -> dict[str, Any]:
        self._called(f"doctor {location}", options)
        return examination_mapping()

    def check(self, options: dict[str, object], on_tick: object, iceberg: object) -> dict[str, Any]:
        self._called("check", options)
        return checkup_mapping()

    def status(self, options: dict[str, object]) -> dict[str, Any]:
        self._called("status", options)
        made = {"location": "lake", "version": 3, "run": "r", "committed_at": "2018-11-30T12:00:00Z"}
        known: dict[str, Any] = {"known": {}, "state": {"files": 0, "bytes": 0, "first": []}, "input": None}
        lost = {"files": 0, "first": []}
        return {**made, **known, "lost": lost, "is_published": False, "rows": {"songs": 71}}

    def recover(self, options: dict[str, object], on_tick: object, iceberg: object) -> dict[str, Any]:
        self._called("recover", options)
        return {**checkup_mapping(), "problems": [], "problem_count": 0, "exit_code": 0}

    def defaults(self) -> dict[str, str]:
        return {"compression": "snappy", "memory_limit": "512MiB"}

    def build_info(self) -> dict[str, str]:
        return {"version": "1.2.3", "profile": "release"}
