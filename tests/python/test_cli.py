"""The program: what goes to stdout, what to stderr, and every exit code.

Most tests put a stand-in in the place of the engine, because they are about the front. Those that start a
process without one run the installed engine.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sparkify_lake import cli, errors
from sparkify_lake.errors import ConfigurationError, SparkifyLakeError
from sparkify_lake.settings.options import OPTIONS
from test_report import checkup_mapping, examination_mapping, plan_mapping, run_mapping

SCRIPT = Path(__file__).resolve().parents[2] / "etl.py"


class Engine:
    """A stand-in for the native module: remembers its calls, answers with a report, or fails as told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, object]]] = []
        self.failure: BaseException | None = None

    def _called(self, name: str, options: dict[str, object]) -> None:
        self.calls.append((name, options))
        if self.failure is not None:
            raise self.failure

    def run(self, options: dict[str, object], on_tick: object, crew: object) -> dict[str, Any]:
        self._called("run", options)
        return run_mapping()

    def plan(self, options: dict[str, object], on_tick: object) -> dict[str, Any]:
        self._called("plan", options)
        return plan_mapping()

    def sample(self, directory: str, options: dict[str, object], on_tick: object) -> dict[str, Any]:
        self._called("sample", {"directory": directory, **options})
        return {"songs": 5, "song_files": 6, "events": 7, "log_files": 8, "bytes": 9, "seconds": 0.1}

    def doctor(
        self, location: str, options: dict[str, object], on_tick: object, crew: object
    ) -> dict[str, Any]:
        self._called(f"doctor {location}", options)
        return examination_mapping()

    def check(self, options: dict[str, object], on_tick: object) -> dict[str, Any]:
        self._called("check", options)
        return checkup_mapping()

    def status(self, options: dict[str, object]) -> dict[str, Any]:
        self._called("status", options)
        made = {"location": "lake", "version": 3, "run": "r", "committed_at": "2018-11-30T12:00:00Z"}
        known: dict[str, Any] = {"known": {}, "state": {"files": 0, "bytes": 0, "first": []}, "input": None}
        return {**made, **known, "is_published": False, "rows": {"songs": 71}}

    def recover(self, options: dict[str, object], on_tick: object) -> dict[str, Any]:
        self._called("recover", options)
        return {**checkup_mapping(), "problems": [], "problem_count": 0, "exit_code": 0}

    def defaults(self) -> dict[str, str]:
        return {"compression": "snappy", "memory_limit": "1GiB"}

    def build_info(self) -> dict[str, str]:
        return {"version": "1.2.3", "profile": "release"}


@pytest.fixture(autouse=True)
def started_as_script(clean: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["etl.py"])


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    stand_in = Engine()
    monkeypatch.setattr("sparkify_lake._engine.native", lambda: stand_in)
    return stand_in


Program = Callable[..., tuple[int, str, str]]


@pytest.fixture
def program(engine: Engine, capsys: pytest.CaptureFixture[str]) -> Program:
    """Runs the program in this process: exit code, stdout, stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main(words)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_input_and_output(program: Program, engine: Engine) -> None:
    code, out, err = program("in", "out", "--compression", "zstd", "--threads=2", "--adopt")
    assert (code, err) == (0, "")
    assert out.startswith("published in 1.3 s\n")
    options = {"input": "in", "output": "out", "compression": "zstd", "threads": "2", "adopt": True}
    assert engine.calls == [("run", options)]


def test_nothing_configured_says_what_to_set(program: Program, engine: Engine) -> None:
    code, out, err = program()
    assert (code, out) == (78, "")
    assert err.startswith("error: no input and no output configured\nhint: ")
    for way_out in ("INPUT and OUTPUT", "lake.cfg", "SPARKIFY_INPUT", "--sample"):
        assert way_out in err
    assert engine.calls == []


@pytest.mark.parametrize(
    ("words", "missing"),
    [(["in"], "output"), (["--output", "o"], "input"), (["--output", "o", "--log-data", "l"], None)],
)
def test_half_a_configuration(program: Program, words: list[str], missing: str | None) -> None:
    code, _, err = program(*words)
    assert code == (78 if missing else 0)
    assert f"error: no {missing} configured\n" in err or missing is None


def test_the_environment_and_the_files_count(
    program: Program, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("dl.cfg").write_text("[LOCAL]\nINPUT_DATA=in\nOUTPUT_DATA=out\n")
    monkeypatch.setenv("SPARKIFY_OUTPUT", "elsewhere")
    assert program()[0] == 0
    assert engine.calls == [("run", {"input": "in", "output": "elsewhere"})]


def test_json(program: Program) -> None:
    code, out, err = program("in", "out", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == run_mapping()
    assert json.loads(program("in", "out", "--json", "--dry-run")[1]) == plan_mapping()


def test_dry_run(program: Program, engine: Engine) -> None:
    code, out, _ = program("in", "out", "--dry-run")
    assert code == 0
    assert out.startswith("plan: nothing was written\n")
    assert [name for name, _ in engine.calls] == ["plan"]


def test_warnings_are_for_people_and_quiet_silences_them(program: Program) -> None:
    Path("lake.cfg").write_text("COLOUR=red\n")
    code, out, err = program("in", "out")
    assert (code, err) == (0, "warning: lake.cfg: an unknown key is ignored: COLOUR on line 1\n")
    assert "COLOUR" not in out
    assert program("in", "out", "--quiet") == (0, out, "")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            ["--compresion", "zstd"],
            "error: there is no option --compresion\nhint: did you mean --compression?\n",
        ),
        (["--ouput=x"], "error: there is no option --ouput\nhint: did you mean --output?\n"),
        (["--zzz"], "error: there is no option --zzz\nhint: python etl.py --help lists the options\n"),
        # No abbreviations: --out may be another option one day.
        (["--out", "x"], "error: there is no option --out\n"),
        (["a", "b", "c"], "error: there is no place for 'c'\n"),
        (["--output"], "error: --output: expected one argument\n"),
        (["a", "b", "--output", "c"], "error: output is given twice\n"),
        (["a", "b", "--match", ""], "error: match is empty\n"),
        (["--config=x", "--sample", "--song-data=x"], "error: there is no configuration file x\n"),
        (["--sample", "--song-data=x"], "error: a sample and song_data or log_data exclude each other\n"),
        (["sample"], "error: sample needs a folder to write to\n"),
        (["sample", "d", "--songs", "many"], "error: --songs: invalid int value: 'many'\n"),
        (["sample", "d", "--compression", "zstd"], "error: there is no option --compression\n"),
        (["sample", "s3://b/x"], "error: a sample is made on a local disk\n"),
        (["--sample", "--input", "s3://b/x"], "error: a sample is made on a local disk\n"),
        (["doctor", "x", "--compression", "zstd"], "error: there is no option --compression\n"),
        (["check", "x", "--output", "y"], "error: output is given twice\n"),
        (["check", "x", "--threads", "2"], "error: there is no option --threads\n"),
        # A process list shows flags.
        (["i", "o", "--secret-access-key", "s"], "error: there is no option --secret-access-key\n"),
    ],
)
def test_usage(program: Program, engine: Engine, words: list[str], complaint: str) -> None:
    code, out, err = program(*words)
    assert (code, out) == (78 if "--config=x" in words else 64, "")
    assert err.startswith(complaint)
    assert "usage:" not in err and "Traceback" not in err
    assert engine.calls == []


CLASSES = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SparkifyLakeError)
]


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_is_lines_and_an_exit_code(
    program: Program, engine: Engine, kind: type[SparkifyLakeError]
) -> None:
    engine.failure = kind("it failed \x1b[2J", cause="because", hint="do this")
    assert program("in", "out") == (
        kind.exit_code, "", "error: it failed \\x1b[2J\ncause: because\nhint: do this\n",
    )  # fmt: skip


def test_exit_codes_are_all_tested() -> None:
    assert {kind.exit_code for kind in CLASSES} == {64, 65, 66, 70, 73, 74, 75, 76, 77, 78}


def test_a_bad_value_is_usage_or_configuration_by_its_origin(program: Program, engine: Engine) -> None:
    engine.failure = ConfigurationError(
        'compression cannot be "zip"', hint="it takes one of …", context={"option": "compression"}
    )
    assert program("in", "out", "--compression", "zip")[0] == 64
    Path("lake.cfg").write_text("COMPRESSION=zip\n")
    code, _, err = program("in", "out")
    assert code == 78
    assert err.startswith("error: COMPRESSION, lake.cfg:1, has a value that compression does not take\n")


def test_a_bug_is_a_short_notice(program: Program, engine: Engine) -> None:
    engine.failure = KeyError("oops")
    code, out, err = program("in", "out")
    assert (code, out) == (70, "")
    assert err.startswith("error: this is a bug in sparkify-lake: KeyError\n")
    assert "Traceback" not in err
    assert "Traceback" in program("in", "out", "--verbose")[2]


def test_an_engine_that_cannot_be_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sparkify_lake._native", None)
    monkeypatch.delattr("sparkify_lake._native", raising=False)
    assert cli.main(["in", "out"]) == 70
    assert "the native module of sparkify-lake cannot be loaded" in capsys.readouterr().err
    assert cli.main(["--help"]) == 0, "help needs no engine"


def test_sample_run(program: Program, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    # Neither file nor environment may lead sample data into a real lake.
    Path("lake.cfg").write_text("INPUT=real\nOUTPUT=real lake\nSONG_DATA=real songs\nCOMPRESSION=zstd\n")
    monkeypatch.setenv("SPARKIFY_OUTPUT", "real too")
    code, out, err = program("--sample")
    assert code == 0
    assert out.startswith("published")
    assert err == "sample: 5 songs in 6 files and 7 events in 8 files (9 B) below sparkify-sample/input\n"
    assert engine.calls == [
        ("sample", {"directory": "sparkify-sample/input"}),
        ("run", {"compression": "zstd", "input": "sparkify-sample/input", "output": "sparkify-sample/lake"}),
    ]


def test_a_sample_is_not_poured_into_data(program: Program, engine: Engine) -> None:
    Path("data").mkdir()
    assert program("data", "lake", "--sample")[0] == 0
    Path("data/mine.json").touch()
    engine.calls.clear()
    code, _, err = program("data", "lake", "--sample")
    assert code == 64
    assert "data is not empty" in err
    assert engine.calls == []


def test_sample_command(program: Program, engine: Engine) -> None:
    code, out, _ = program("sample", "d", "--songs", "5", "--seed", "9")
    assert (code, out) == (0, "5 songs in 6 files and 7 events in 8 files (9 B) below d\n")
    assert engine.calls == [("sample", {"directory": "d", "songs": 5, "seed": 9})]
    assert json.loads(program("sample", "d", "--json")[1])["song_files"] == 6


def test_doctor_command(program: Program, engine: Engine) -> None:
    code, out, err = program("doctor", "s3a://b/x", "--endpoint-url", "http://h:9", "--allow-http")
    assert (code, err) == (77, "")
    assert out.startswith("s3://b/x: 1 ok, 1 warning, 1 failed, 1 skipped\n")
    assert engine.calls == [("doctor s3a://b/x", {"endpoint_url": "http://h:9", "allow_http": True})]
    code, out, _ = program("doctor", "s3://b/x", "--json")
    assert (code, json.loads(out)) == (77, examination_mapping())


def test_doctor_looks_at_the_configured_output(program: Program, engine: Engine) -> None:
    code, _, err = program("doctor")
    assert code == 64 and err.startswith("error: no location to examine\nhint: ")
    Path("dl.cfg").write_text("OUTPUT=s3a://b/lake\nINPUT=in\nKEY=AKIAX\nSECRET=s\nTHREADS=3\n")
    Path("dl.cfg").chmod(0o600)
    assert program("doctor")[0] == 77
    called, options = engine.calls[0]
    assert called == "doctor s3a://b/lake"
    assert options.keys() == {"access_key_id", "secret_access_key", "keys_origin"}
    # A place on this machine is no place for credentials.
    program("doctor", "/tmp")
    assert engine.calls[1] == ("doctor /tmp", {})


def test_check_and_recover_commands(program: Program, engine: Engine) -> None:
    code, out, err = program("check", "lake", "--region", "r")
    assert (code, err) == (76, "")
    assert out.startswith("lake, version 3: 2 files are not as its log says\n")
    assert json.loads(program("check", "--output", "lake", "--json")[1]) == checkup_mapping()
    assert program("recover", "lake")[0] == 0
    assert [name for name, _ in engine.calls] == ["check", "check", "recover"]
    assert engine.calls[0][1] == {"output": "lake", "region": "r"}
    for command in ("check", "recover"):
        code, _, err = program(command)
        assert code == 78 and err.startswith(f"error: no lake to {command}\nhint: ")


def test_status_command(program: Program, engine: Engine) -> None:
    code, out, err = program("status", "lake", "--region", "r")
    assert (code, err) == (75, "")
    assert out.startswith("lake, version 3 of 2018-11-30T12:00:00Z: not published in full yet\n")
    assert json.loads(program("status", "--output", "lake", "--json")[1])["rows"] == {"songs": 71}
    assert engine.calls[0] == ("status", {"output": "lake", "region": "r"})
    code, out, err = program("status", "lake", "in")
    assert engine.calls[-1] == ("status", {"output": "lake", "input": "in"})
    code, _, err = program("status")
    assert code == 78 and err.startswith("error: no lake to tell the status of\nhint: ")


def test_config_command(program: Program, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("dl.cfg").write_text("[AWS]\nKEY=AKIAX\nSECRET=hunter2\nOUTPUT=o\n")
    Path("dl.cfg").chmod(0o600)
    monkeypatch.setenv("SPARKIFY_MATCH", "title_artist")
    code, out, err = program("config", "in", "--threads", "3")
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()[4:]}
    assert rows["input"] == ["in", "--input"]
    assert rows["output"] == ["o", "dl.cfg:4"]
    assert rows["match"] == ["title_artist", "SPARKIFY_MATCH"]
    assert rows["threads"] == ["3", "--threads"]
    assert rows["compression"] == ["snappy", "default"]
    assert rows["secret_access_key"] == ["***", "dl.cfg:3"]
    assert rows["session_token"] == ["not", "set"]
    assert "hunter2" not in out and "AKIAX" not in out
    values = json.loads(program("config", "--json")[1])
    assert values["access_key_id"] == {"value": "***", "origin": "dl.cfg:2"}
    assert values["region"] == {"value": None, "origin": "not set"}
    assert engine.calls == []


def test_help_has_a_line_for_every_option(program: Program, engine: Engine) -> None:
    code, out, err = program("--help")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    for option in OPTIONS:
        assert sum(line.startswith(f"  {option.flag} ") for line in lines) == 1, option.name
    assert any("--memory-limit SIZE" in line and line.endswith("[1GiB]") for line in lines)
    assert out.isascii() and "\x1b" not in out
    assert max(map(len, lines)) <= 100
    assert "python etl.py config" in out
    for command in ("sample", "config", "doctor", "check", "status", "recover"):
        assert f"python etl.py {command}" in out
        assert program(command, "--help")[1].startswith(f"sparkify-lake {command}: ")


def test_version(program: Program) -> None:
    assert program("--version") == (0, "sparkify-lake 1.2.3 (profile release)\n", "")


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        ("etl.py", "python etl.py"),
        ("/x/__main__.py", "python -m sparkify_lake"),
        ("/bin/sparkify-lake", "sparkify-lake"),
    ],
)
def test_the_program_is_called_as_it_was_started(
    program: Program, monkeypatch: pytest.MonkeyPatch, argv: str, name: str
) -> None:
    monkeypatch.setattr(sys, "argv", [argv])
    assert f"\n  {name} [INPUT [OUTPUT]]" in program("--help")[1]


def test_a_flag_that_a_file_turned_on_can_be_turned_off(program: Program, engine: Engine) -> None:
    Path("lake.cfg").write_text("ADOPT=yes\nJSON=on\n")
    code, out, _ = program("in", "out", "--no-adopt", "--no-json")
    assert code == 0
    assert out.startswith("published")
    assert engine.calls[0][1]["adopt"] is False


# --- as a process ---

# An engine that says when it is at work, and works until it is stopped.
SLOW = """
import sys, time, types
from sparkify_lake import cli
from sparkify_lake import _engine as engine

def run(options, on_tick, crew):
    print("at work", flush=True)
    time.sleep(30)

engine.native = lambda: types.SimpleNamespace(run=run)
sys.exit(cli.main(["in", "out"]))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "terminated\n")]
)
def test_signals(number: signal.Signals, code: int, said: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (code, said)


def test_the_signal_handler_is_given_back(program: Program) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert program("in", "out")[0] == 0
    assert signal.getsignal(signal.SIGTERM) is before


def started(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        **more,
    )


@pytest.mark.parametrize("start", [[str(SCRIPT)], ["-m", "sparkify_lake"]], ids=["script", "module"])
def test_script_and_module_are_one_program(start: list[str]) -> None:
    done = started(*start, "--sample", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["state"] == "published"
    assert report["output"] == "sparkify-sample/lake"
    assert report["plays"]["rows"] > 0
    assert (Path("sparkify-sample/lake") / "songplays_table" / "_SUCCESS").is_file()
    assert "Traceback" not in done.stderr


def test_nothing_configured_as_a_process() -> None:
    done = started(str(SCRIPT))
    assert (done.returncode, done.stdout) == (78, "")
    assert "--sample" in done.stderr


def test_input_that_is_not_there() -> None:
    done = started(str(SCRIPT), "nowhere", "lake")
    assert (done.returncode, done.stdout) == (66, "")
    assert done.stderr.startswith("error: ") and "nowhere" in done.stderr
    assert not Path("lake").exists()


@pytest.mark.parametrize("output", ["arn:aws:s3:::bucket", "gs://bucket/lake", "s3://key:secret@bucket/lake"])
def test_output_that_cannot_be_used(output: str) -> None:
    Path("in/song_data").mkdir(parents=True)
    Path("in/log_data").mkdir(parents=True)
    done = started(str(SCRIPT), "in", output)
    assert (done.returncode, done.stdout) == (78, "")
    assert "hint: " in done.stderr


def test_a_name_that_the_terminal_lacks() -> None:
    done = started(
        "-X", "utf8=0", "-m", "sparkify_lake", "é", "lake", env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 66
    assert r"\xe9" in done.stderr
    done = started("-m", "sparkify_lake", "config", "é", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert r"\xe9" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="pipes are POSIX's")
@pytest.mark.parametrize("unbuffered", ["", "1"])  # the pipe breaks at the end, or at the first line
def test_a_reader_that_had_enough(unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "sparkify_lake", "--help"]
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_run_loads_neither_polars_nor_rich() -> None:
    script = (
        "import sys; from sparkify_lake import cli; code = cli.main(['--sample']); "
        "heavy = sorted({'polars', 'rich', 'pyarrow', 'airflow'} & sys.modules.keys()); print(code, heavy)"
    )
    assert started("-c", script).stdout.splitlines()[-1] == "0 []"


def test_a_stand_in_has_the_functions_of_the_engine() -> None:
    from sparkify_lake import _native

    assert isinstance(_native, types.ModuleType)
    public = {name for name in vars(Engine) if not name.startswith("_")}
    assert public <= set(dir(_native))
