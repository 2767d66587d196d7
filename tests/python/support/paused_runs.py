"""A run that is stopped (SIGSTOP) at a request while other runs commit newer versions, and then continues."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from support.crash_harness import ForkServer, Versions
from support.generate_records import play
from support.lake_checker import Contents, check, contents, recorded
from support.s3_faults import Fault
from support.s3_jobs import options
from support.s3_proxy import Proxy
from support.s3_servers import Bucket

MOMENTS = ("before", "after", "held", "timed")
"""Stopped when the proxy has a request, which it sends on; when the answer is ready; with a request that the
proxy keeps until the process continues (a slow network); or at a random time."""


LONGEST_WINDOW = 0.6
"""A pause is longer than the time for which a run trusts its last look at the commit log, in seconds."""


def with_growing_input(versions: Versions, folder: Path, fork_server: ForkServer) -> Versions:
    """The versions, and two more: the first input with one more log file, which grows."""
    sources, lakes, held = list(versions.sources), list(versions.lakes), list(versions.held)
    for plays in (3, 7):
        sources.append(folder / f"growing-{plays}")
        lakes.append(folder / f"lake-growing-{plays}")
        shutil.copytree(versions.sources[0], sources[-1])
        lines = [play(1_000 + seed).raw + b"\n" for seed in range(plays)]
        (sources[-1] / "log_data").mkdir(exist_ok=True)
        (sources[-1] / "log_data" / "growing.json").write_bytes(b"".join(lines))
        ended = fork_server.run(sources[-1], lakes[-1])
        assert ended["code"] == 0, ended
        assert contents(lakes[-1]) not in held
        held.append(contents(lakes[-1]))
    return Versions(sources, lakes, held)


@dataclass
class PausedRuns:
    """Rounds on one server."""

    folder: Path
    bucket: Bucket
    proxy: Proxy
    paused: ForkServer
    other: ForkServer
    versions: Versions
    ends: Counter[str] = field(default_factory=Counter)
    lakes: int = 0

    def run(self, number: int, name: str, fork_server: ForkServer, **given: Any) -> dict[str, Any]:
        return fork_server.run(
            self.versions.sources[number],
            self.bucket.url(name),
            options={**options(self.bucket.server), "store_patience": "60s", **given},
        )

    def newest(self, name: str) -> tuple[int, Contents]:
        """The newest version in the commit log, and the files that it lists."""
        key = max(self.bucket.names(f"{name}/_etl/log/"))
        record = json.loads(self.bucket.get(key))["record"]
        return record["version"], recorded(record)

    def seen(self, name: str) -> Path:
        folder = self.folder / f"seen-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return self.bucket.download(name, folder)

    def round(self, random: Random, at: int, moment: str, where: str) -> bool:
        """Stops a run at its request number `at`; returns False if it has fewer requests."""
        self.lakes += 1
        name = f"paused-{self.lakes}"
        # If both are the same, the stopped run has nothing to do.
        first, stopped = random.choices(range(len(self.versions.sources)), k=2)
        assert self.run(first, name, self.other)["code"] == 0
        self.proxy.clear()

        def stop() -> None:
            with suppress(ProcessLookupError):
                os.kill(self.paused.child, signal.SIGSTOP)

        fault: Fault | None = {"before": "call", "after": "call after", "held": "call held", "timed": None}[
            moment
        ]
        if fault:
            self.proxy.inject(fault, first=at, call=stop)
        given = {**options(self.proxy), "store_patience": "60s"}
        self.paused.start(self.versions.sources[stopped], self.bucket.url(name), options=given)
        if not fault:
            time.sleep(random.random() / 5)
            stop()
        is_stopped = self.wait_until_stopped(where)
        requests = len(self.proxy.requests)
        if is_stopped:
            begun = time.monotonic()
            # The first input again reverts what the stopped run has published.
            choices = (first, first, *range(len(self.versions.sources)))
            for number in random.choices(choices, k=random.randint(2, 4)):
                ended = self.run(number, name, self.other)
                assert ended["code"] == 0, f"{where}: {ended}"
            time.sleep(max(0.0, begun + LONGEST_WINDOW - time.monotonic()))
            with suppress(ProcessLookupError):
                os.kill(self.paused.child, signal.SIGCONT)
            self.proxy.release()
        ended = self.paused.end()
        has_ended = ended["code"] == 0 and len(self.proxy.requests) == requests and not fault
        report = ended.pop("report", None)
        ended["version"] = report["version"] if report else None
        self.assert_result(random, name, ended, has_ended, f"{where}: {ended}")
        return is_stopped

    def reverted(self, fault: Fault, key: str) -> dict[str, Any]:
        """Stops a run at a PUT of a key, makes the version before it again, and continues; returns its end.

        The lake is `paused-{lakes}`; its newest version, 3, is that of the first input.
        """
        self.lakes += 1
        name = f"paused-{self.lakes}"
        assert self.run(0, name, self.other)["code"] == 0
        self.proxy.clear()
        injection = self.proxy.inject(
            fault, "PUT", key=key, call=lambda: os.kill(self.paused.child, signal.SIGSTOP)
        )
        given = {**options(self.proxy), "store_patience": "60s"}
        self.paused.start(self.versions.sources[1], self.bucket.url(name), options=given)
        assert self.wait_until_stopped(f"at {key}")
        assert injection.hits
        assert self.run(0, name, self.other)["code"] == 0
        os.kill(self.paused.child, signal.SIGCONT)
        self.proxy.release()
        return self.paused.end()

    def wait_until_stopped(self, where: str) -> bool:
        """Waits until the run is stopped; returns False if it ended first."""
        late = time.monotonic() + 30
        while time.monotonic() < late:
            with suppress(OSError):
                status = Path(f"/proc/{self.paused.child}/stat").read_text().rpartition(")")[2].split()[0]
                if status == "T":
                    return True
                if status in "ZX":
                    return False
                time.sleep(0.002)
                continue
            return False
        raise AssertionError(f"{where}: the run neither stopped nor ended")

    def assert_result(
        self, random: Random, name: str, ended: dict[str, Any], has_ended: bool, where: str
    ) -> None:
        """The newest version is in place or the next run puts it there; no older one was called published.

        A run that was stopped after its last request had published its version before the others began.
        """
        version, listed = self.newest(name)
        assert ended["code"] in (0, 75), where
        if ended["code"] == 0 and not has_ended:
            assert ended["version"] == version, f"{where}: version {version} exists"
        seen = contents(self.seen(name))
        lost = listed.keys() - seen.keys()
        self.ends[f"exit {ended['code']}"] += 1
        if seen == listed:
            self.ends["newest version in place"] += 1
        else:
            self.ends["mended by the next run"] += 1
        again = next((i for i, held in enumerate(self.versions.held) if held == listed), None)
        assert again is not None, f"{where}: version {version} is of none of the inputs"
        following = random.choice((again, *range(len(self.versions.sources))))
        mended = self.run(following, name, self.other)
        assert mended["code"] == 0, f"{where}: the next run: {mended.get('error')}"
        folder = self.seen(name)
        assert contents(folder) == self.versions.held[following], where
        faults = check(folder, settled=True, bucket=True, lost=lost)
        assert faults == [], f"{where}: {faults}"
        shutil.rmtree(folder)
