"""After any sequence of arrivals and runs the lake is, to the byte, what a rebuild of its input makes.

A sequence comes from its seed alone. One that fails is shortened and printed; ``--seed N`` begins with it.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support import oracle
from support.crash_harness import KILLED, Victim, build_faults, scratch
from support.input_mutations import FULL, HAPPENINGS, Files, Sequence, Step
from support.lake_checker import check
from support.lake_files import FOLDERS, Report
from support.random_sequences import sequence
from support.retained_input_replay import KeepingDisk
from support.rounds import Rounds
from support.sequence_replay import Bodies, Digests, Disk, Outcome, Refusal, Trouble, md5, play, shortened

pytestmark = [pytest.mark.usefixtures("isolated_module"), pytest.mark.timeout(7_200)]


@pytest.fixture
def folder() -> Iterator[Path]:
    with scratch() as made:
        yield made / "place"


def judged(folder: Path, played: Sequence, kind: type[Disk] = Disk) -> None:
    """Fails if a step of the sequence breaks the law, with the shortest sequence that does."""

    def again() -> Disk:
        return kind(folder, played.has_real_times)

    if trouble := play(again(), played):
        short, why = shortened(played, trouble, again)
        pytest.fail(f"{trouble}\n\nin short:\n{short}\n{why}", pytrace=False)


def test_every_step_ends_as_a_rebuild(
    folder: Path, rounds: Rounds, record_property: Callable[[str, object], None]
) -> None:
    steps = 0
    count = rounds(50, 600)
    for seed in range(rounds.seed, rounds.seed + count):
        played = sequence(seed)
        judged(folder, played)
        steps += len(played.steps)
    record_property("summary", f"{count} sequences from seed {rounds.seed}, {steps} steps")


def test_every_step_that_keeps_what_is_gone_ends_as_a_rebuild_of_all(
    folder: Path, rounds: Rounds, record_property: Callable[[str, object], None]
) -> None:
    steps = 0
    count = rounds(20, 300)
    for seed in range(rounds.seed, rounds.seed + count):
        played = sequence(seed)
        judged(folder, played, KeepingDisk)
        steps += len(played.steps)
    record_property("summary", f"{count} sequences from seed {rounds.seed}, {steps} steps")


# --- kills ------------------------------------------------------------------------------------------------


class Killed(Disk):
    """Runs are killed before they may come to their end, also while only a part of a step has happened."""

    is_steady = False

    def __init__(self, folder: Path, victim: Victim, random: Random, *, can_count: bool) -> None:
        super().__init__(folder, has_real_times=False)
        self.victim, self.random, self.can_count = victim, random, can_count
        self.now: Files = {}
        self.usual = 0.01
        self.unsound: list[str] = []
        self.kills: Counter[str] = Counter()

    def take(self, step: Step) -> None:
        if self.random.random() < 0.5:
            paths = sorted(self.now.keys() | step.files.keys())
            sides = {path: self.random.choice((self.now, step.files)) for path in paths}
            part = replace(step, files={path: side[path] for path, side in sides.items() if path in side})
            super().take(part)
            self.kill(part, step.calls[0])
        super().take(step)
        self.now = step.files

    def run(self, step: Step, tables: str) -> Outcome | None:
        for _ in range(self.random.choice((0, 1, 1, 2))):
            self.kill(step, tables)
        ended = self.victim.run(self.input.folder, self.lake, options=self.options(step, tables))
        self.usual = ended["seconds"]
        if ended["code"] == 0:
            report: Report = ended["report"]
            first = "was committed by an earlier run and has been published first"
            return report | {"warnings": [one for one in report["warnings"] if first not in one]}
        return Refusal(ended["code"], ended["error"])

    def options(self, step: Step, tables: str) -> dict[str, Any]:
        return {**step.options, "quiet": True, **({"tables": tables} if tables != FULL[0] else {})}

    def kill(self, step: Step, tables: str) -> None:
        """Runs the job and kills it: at some moment, or before some operation on a file."""
        task: dict[str, Any] = {"options": self.options(step, tables)}
        if self.can_count and self.random.random() < 0.5:
            task |= {"mode": "kill", "at": self.random.randint(1, 150)}
        else:
            task["signals"] = [[self.usual * self.random.uniform(0.05, 1.1), 9]]
        ended = self.victim.run(self.input.folder, self.lake, **task)
        self.kills["killed" if ended["code"] == KILLED else "came to their end"] += 1
        if self.lake.exists():
            self.unsound += check(self.lake)


def followed_by_the_checker(played: Sequence) -> Sequence:
    """Without lost files of tables, and with one compression: files of another have other names."""
    steps = []
    for step in played.steps:
        options = {name: value for name, value in step.options.items() if name != "compression"}
        steps.append(replace(step, lost=None, options=options))
    return replace(played, steps=tuple(steps))


def test_runs_that_are_killed_change_nothing_about_it(
    folder: Path,
    tmp_path: Path,
    rounds: Rounds,
    record_property: Callable[[str, object], None],
) -> None:
    can_count = shutil.which("cc") is not None
    faults = build_faults(tmp_path) if can_count else None
    kills: Counter[str] = Counter()
    count = rounds(8, 200)
    with Victim(faults) as victim:
        for seed in range(rounds.seed, rounds.seed + count):
            played = followed_by_the_checker(sequence(seed))
            place = Killed(folder, victim, Random(seed), can_count=can_count)
            trouble = play(place, played)
            assert trouble is None and not place.unsound, f"{played}\n{trouble}\n{place.unsound}"
            kills += place.kills
    record_property("summary", f"{count} sequences from seed {rounds.seed}, runs {dict(kills)}")
    assert kills["killed"] >= 4 * count


# --- does it notice? --------------------------------------------------------------------------------------

Mistake = Callable[[Bodies, Bodies, Step, Step], Bodies]
"""What a lake would hold: what it held, what it should hold, the step before and this one."""


def months(old: Step, new: Step) -> set[str]:
    """The partitions of plays in log files that came, went or changed."""
    found = set()
    for path in old.files.keys() | new.files.keys():
        sides = [step.files[path] for step in (old, new) if path in step.files]
        if path.startswith("log") and len({side.body for side in sides}) + len(sides) != 3:
            for one in (one for side in sides for one in side.records if not one.fault):
                at = oracle.time_row(int(json.loads(one.raw).get("ts", 0)))
                found.add(f"year={at[5]}/month={at[4]}/")
    return found


def kept(before: Bodies, after: Bodies, *tables: str) -> Bodies:
    """The old files of those tables in place of the new ones."""
    folders = {FOLDERS[table] for table in tables}
    return {
        path: before.get(path, body) if path.partition("/")[0] in folders else body
        for path, body in after.items()
    }


def stale_partition(before: Bodies, after: Bodies, old: Step, new: Step) -> Bodies:
    """Only the newest month is looked at: late files change nothing."""
    stale = kept(before, after, "songplays", "time")
    newest = max((path for path in after if path.startswith("songplays_table/year")), default="")
    return {path: after[path] if path == newest else body for path, body in stale.items()}


def stale_time(before: Bodies, after: Bodies, old: Step, new: Step) -> Bodies:
    """Times of plays that went stay."""
    return kept(before, after, "time") if len(new.files) < len(old.files) else after


def stale_user(before: Bodies, after: Bodies, old: Step, new: Step) -> Bodies:
    """Users are what the newest day says; late events say nothing, and neither do events that go."""

    def latest(bodies: Bodies) -> str:
        return max((path for path in bodies if path.startswith("time_table")), default="")

    return kept(before, after, "users") if latest(before) == latest(after) else after


def stale_artist(before: Bodies, after: Bodies, old: Step, new: Step) -> Bodies:
    """Variants come, and never go or change."""
    return after if new.files.keys() - old.files.keys() else kept(before, after, "artists")


def stale_song(before: Bodies, after: Bodies, old: Step, new: Step) -> Bodies:
    """A partition of songs that was there stays as it was."""
    return kept(before, after, "songs")


def missed_late_match(before: Bodies, after: Bodies, old: Step, new: Step) -> Bodies:
    """Plays are matched when they come, and not again when songs come or go."""
    changed = months(old, new)
    return {
        path: before.get(path, body)
        if path.startswith("songplays_table") and not any(month in path for month in changed)
        else body
        for path, body in after.items()
    }


def left_over(before: Bodies, after: Bodies, old: Step, new: Step) -> Bodies:
    """A partition that nothing belongs to any more stays."""
    return {**{path: body for path, body in before.items() if path.startswith("songplays")}, **after}


def untouched_is_lost(before: Bodies, after: Bodies, old: Step, new: Step) -> Bodies:
    """Only what was built again is there."""
    changed = months(old, new)
    return {
        path: body
        for path, body in after.items()
        if not (changed and path.startswith("time_table/year") and not any(one in path for one in changed))
    }


def options_do_not_count(before: Bodies, after: Bodies, old: Step, new: Step) -> Bodies:
    """The same input is the same lake."""
    is_same = {path: file.body for path, file in old.files.items()} == {
        path: file.body for path, file in new.files.items()
    }
    return before if is_same and "max_bad" not in new.options.keys() - old.options.keys() else after


class Mistaken(Disk):
    """A lake as it would be if the engine made a mistake."""

    def __init__(self, folder: Path, mistake: Mistake | None, has_real_times: bool) -> None:
        super().__init__(folder, has_real_times)
        self.mistake = mistake
        self.shown: Bodies | None = None
        self.steps: list[Step] = []
        self.told: Outcome | None = None

    def take(self, step: Step) -> None:
        super().take(step)
        self.steps.append(step)
        self.shown = None

    def run(self, step: Step, tables: str) -> Outcome | None:
        before = self.bodies()
        self.shown = None
        done = super().run(step, tables)
        if self.mistake is None and self.told is not None:
            return self.told
        self.told = done if not isinstance(done, Refusal) else self.told
        if self.mistake and len(self.steps) > 1 and not isinstance(done, Refusal) and step.lost is None:
            self.shown = self.mistake(before, self.bodies(), *self.steps[-2:])
        return done

    def bodies(self) -> Bodies:
        return super().bodies() if self.shown is None else self.shown

    def digests(self) -> Digests:
        return {path: md5(body) for path, body in self.bodies().items()}


def mistaken(folder: Path, mistake: Mistake | None, says: str) -> tuple[int, Trouble]:
    """How many sequences it takes until the mistake is noticed by those words, and what is said then."""
    for seed in range(1, 30):
        played = sequence(seed)
        trouble = play(Mistaken(folder, mistake, played.has_real_times), played)
        if trouble and says in str(trouble):
            return seed, trouble
    pytest.fail("the mistake was not noticed", pytrace=False)


@pytest.mark.parametrize(
    ("mistake", "says"),
    [
        (stale_partition, "songplays, only in the rebuild"),
        (stale_time, "time, only in the lake"),
        (stale_user, "users, only in the "),
        (stale_artist, "artists, only in the rebuild"),
        (stale_song, "songs, only in the rebuild"),
        (missed_late_match, "songplays, only in the rebuild"),
        (left_over, "too many: songplays_table"),
        (untouched_is_lost, "missing: time_table"),
        (options_do_not_count, "songplays_table/"),
    ],
    ids=lambda value: getattr(value, "__name__", "said"),
)
def test_a_mistake_is_noticed(
    folder: Path, mistake: Mistake, says: str, record_property: Callable[[str, object], None]
) -> None:
    seed, trouble = mistaken(folder, mistake, says)
    record_property("summary", f"noticed in sequence {seed}, step {trouble.step}")
    assert trouble.step > 1, "the first run has nothing to be wrong about"


def test_a_report_of_another_run_is_noticed(folder: Path) -> None:
    mistaken(folder, None, "the report says plays")


def test_a_run_that_should_have_been_refused_is_noticed(folder: Path) -> None:
    class Careless(Disk):
        def run(self, step: Step, tables: str) -> Outcome | None:
            done = super().run(step, tables)
            return None if isinstance(done, Refusal) else done

    troubles = (play(Careless(folder), sequence(seed)) for seed in range(1, 20))
    assert any("exit code 0, the rebuild's is 6" in str(trouble) for trouble in troubles)


def test_a_failing_sequence_is_shortened(folder: Path) -> None:
    for seed in range(1, 30):
        played = sequence(seed)

        def again() -> Mistaken:
            return Mistaken(folder, stale_user, has_real_times=False)

        if trouble := play(again(), played):
            short, why = shortened(played, trouble, again)
            assert len(short.steps) == 2 == why.step and "users, only in the" in str(why)
            assert max(len(step.files) for step in short.steps) <= 4
            assert "step 2: " in str(short) and f"seed {seed}" in str(short)
            assert '"userId"' in str(short), "what is in the files is printed"
            return
    pytest.fail("no sequence has a late change of a user")


def test_what_happens_is_what_the_law_is_about() -> None:
    """The cases that are hard happen often; the oracle tells, so no engine is needed."""
    seen: Counter[str] = Counter()
    for seed in range(1, 41):
        played = sequence(seed)
        assert str(played) == str(sequence(seed)), "a seed is a sequence"
        seen["with real times"] += played.has_real_times
        for old, new in zip(played.steps, played.steps[1:], strict=False):
            count_changes(seen, old, new)
    print(seen)
    for what, least in {
        "matched late": 50, "matched no more": 20, "matched otherwise": 5, "another rank": 50,
        "user changed by late events": 10, "user gone": 8, "artist changed": 20, "song changed": 25,
        "song gone": 15, "month gone": 8, "month before others": 15, "unchanged": 40,
    }.items():  # fmt: skip
        assert seen[what] >= least, f"{what}: {seen}"
    assert len(HAPPENINGS) >= 30


def count_changes(seen: Counter[str], old: Step, new: Step) -> None:
    before, after = (oracle.expect(step.raws("song"), step.raws("log")).tables for step in (old, new))

    def by_key(tables: dict[str, list[Any]], table: str) -> dict[Any, Any]:
        return {row[0]: row for row in tables[table]}

    plays, now = by_key(before, "songplays"), by_key(after, "songplays")
    for key in plays.keys() & now.keys():
        (*_, one), (*_, other) = (plays[key][:5], now[key][:5])
        same = plays[key][:4] + plays[key][6:] == now[key][:4] + now[key][6:]
        seen["another rank"] += not same
        if same and one != other:
            seen[
                "matched late" if one is None else "matched no more" if other is None else "matched otherwise"
            ] += 1
    for table in ("users", "artists", "songs"):
        ours, theirs = by_key(before, table), by_key(after, table)
        seen[f"{table[:-1]} gone"] += len(ours.keys() - theirs.keys())
        changed = sum(ours[key] != theirs[key] for key in ours.keys() & theirs.keys())
        seen[f"{table[:-1]} changed"] += changed
        if table == "users" and before["time"] and after["time"] and before["time"][-1] == after["time"][-1]:
            seen["user changed by late events"] += changed
    was, is_now = ({(row[5], row[4]) for row in tables["time"]} for tables in (before, after))
    seen["month gone"] += len(was - is_now)
    seen["month before others"] += sum(bool(was) and month < max(was) for month in is_now - was)
    seen["unchanged"] += before == after
