"""Configuration: every layout of dl.cfg in use, and precedence with origins."""

from __future__ import annotations

import os
import traceback
import types
from pathlib import Path

import pytest

from config_files import read, said, write
from sparkify_lake import _engine as engine
from sparkify_lake import jobs as job
from sparkify_lake.cli import SAMPLE_NUMBERS
from sparkify_lake.errors import AccessDeniedError, ConfigurationError, UsageError
from sparkify_lake.secret import Secret
from sparkify_lake.settings.files import read_file
from sparkify_lake.settings.options import (
    CREDENTIALS,
    OPTIONS,
    DoctorOptions,
    LakeOptions,
    PlanOptions,
    ReadOptions,
    RunOptions,
    hide,
    names_for,
)
from sparkify_lake.settings.resolve import describe, resolve

pytestmark = pytest.mark.usefixtures("clean")


PAIR = {"access_key_id": "AKIAX", "secret_access_key": "s/e+c="}

LAYOUTS = [
    # The documented form.
    ("documented", "[AWS]\nKEY=AKIAX\nSECRET=s/e+c=\n", PAIR),
    # The commonest form; values with = at their end are values with = at their end.
    ("commonest", "[AWS]\nAWS_ACCESS_KEY_ID=AKIAX\nAWS_SECRET_ACCESS_KEY=s/e+c=\n", PAIR),
    # Temporary credentials of a classroom account, and a region under each of its names.
    (
        "session",
        "[AWS]\nAWS_ACCESS_KEY_ID=AKIAX\nAWS_SECRET_ACCESS_KEY=s/e+c=\nAWS_SESSION_TOKEN=t\nREGION=us-west-2\n",
        PAIR | {"session_token": "t", "region": "us-west-2"},
    ),
    ("default region", "[AWS]\nAWS_DEFAULT_REGION=eu-central-1\n", {"region": "eu-central-1"}),
    # configparser stops with MissingSectionHeaderError.
    ("no section", "KEY=AKIAX\nSECRET=s/e+c=\n", PAIR),
    # Any section will do; people name it after their role, their profile or nothing in particular.
    ("other section", "[my profile]\nKEY=AKIAX\nSECRET=s/e+c=\n", PAIR),
    ("two sections", "[ID]\nKEY=AKIAX\n[REST]\nSECRET=s/e+c=\n", PAIR),
    # configparser stops with DuplicateSectionError.
    ("section twice", "[AWS]\nKEY=AKIAX\n[AWS]\nSECRET=s/e+c=\n", PAIR),
    # An editor on Windows puts a BOM before the first bracket and CRLF behind every line.
    ("BOM", b"\xef\xbb\xbf[AWS]\r\nKEY=AKIAX\r\nSECRET=s/e+c=\r\n", PAIR),
    ("BOM, no section", b"\xef\xbb\xbfKEY=AKIAX\nSECRET=s/e+c=\n", PAIR),
    # An old Mac's line ends, and no end at all.
    ("CR", b"[AWS]\rKEY=AKIAX\rSECRET=s/e+c=", PAIR),
    # Python habits: quotes that configparser would keep as part of the key.
    ("quotes", "[AWS]\nKEY='AKIAX'\nSECRET=\"s/e+c=\"\n", PAIR),
    # A quote that is not a pair belongs to the value.
    ("half a quote", "[AWS]\nKEY=AKIAX\nSECRET=\"s/e+c=\nTOKEN=a'b'\n",
     {"access_key_id": "AKIAX", "secret_access_key": '"s/e+c=', "session_token": "a'b'"}),
    # configparser stops with InterpolationSyntaxError.
    ("percent", "[AWS]\nKEY=AKIAX\nSECRET=a%b%(c)s%%\n",
     PAIR | {"secret_access_key": "a%b%(c)s%%"}),
    # Blanks and tabs around the parts; configparser reads an indented key as the end of the last value.
    ("blanks", "[ AWS ]\n  KEY =  AKIAX \t\n\tSECRET\t= s/e+c=  \n\n", PAIR),
    ("colon", "[AWS]\nKEY: AKIAX\nSECRET : s/e+c=\n", PAIR),
    # The first separator counts: a URL is not cut at its own colon.
    ("URL", "[S3]\nINPUT_DATA=s3a://a:b/c\nOUTPUT_DATA : s3a://d/\n",
     {"input": "s3a://a:b/c", "output": "s3a://d/"}),
    ("comments", "# KEY=no\n; SECRET=no\n[AWS] # ours\nKEY=AKIAX\nSECRET=s/e+c=\n", PAIR),
    # Neither comment sign ends a value: secrets and paths may hold both.
    ("comment signs", "[AWS]\nKEY=AKIAX\nSECRET=s#e;c\n", PAIR | {"secret_access_key": "s#e;c"}),
    # configparser takes keys of any case.
    ("lower case", "[aws]\nkey=AKIAX\nsecret=s/e+c=\ninput_data=in\n", PAIR | {"input": "in"}),
    # The template as it is shipped: nothing is set, nothing is wrong.
    ("template", "[AWS]\nKEY=\nSECRET =\nINPUT_DATA=''\n", {}),
    ("empty file", "", {}),
    # dl.cfg alone may hold everything.
    ("everything", "[AWS]\nKEY=AKIAX\nSECRET=s/e+c=\n[LAKE]\nINPUT=in\nOUTPUT=out\nTHREADS=2",
     PAIR | {"input": "in", "output": "out", "threads": "2"}),
    # What an old template set and what was added below agree: said twice, but not two things.
    ("repeated", "[AWS]\nKEY=AKIAX\nSECRET=s/e+c=\nAWS_ACCESS_KEY_ID=AKIAX\n", PAIR),
    # An empty key beside a full one is no contradiction.
    ("empty beside full", "[AWS]\nKEY=\nAWS_ACCESS_KEY_ID=AKIAX\nSECRET=s/e+c=\n", PAIR),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in LAYOUTS], ids=[row[0] for row in LAYOUTS])
def test_layouts(text: str | bytes, expected: dict[str, str]) -> None:
    write(text)
    assert said(read()) == expected


@pytest.mark.parametrize("section", ["AWS", "PATH", "PATHS", "DATALAKE", "MODE", "S3", "LOCAL"])
def test_locations_in_every_section_in_use(section: str) -> None:
    write(f"[{section}]\nINPUT_DATA=in\nOUTPUT_DATA=out\n")
    config = read()
    assert said(config) == {"input": "in", "output": "out"}
    assert config.settings["output"].origin == "dl.cfg:3"
    assert config.warnings == ()


def test_oddities_are_named_with_their_line() -> None:
    write("[AWS]\nKEY='AKIAX'\nSECRET=s\nOUTPUT_DATA=o\n[OTHER]\nREGON=x\nCOLOUR=red\nOUTPUT=o\n")
    warnings = "\n".join(read().warnings)
    assert "dl.cfg:2: the quotes" in warnings
    assert "dl.cfg:8: OUTPUT says again what OUTPUT_DATA says on line 4" in warnings
    assert "REGON on line 6 (did you mean REGION?)" in warnings
    assert "COLOUR on line 7" in warnings


def test_two_values_are_refused_and_an_argument_settles_it() -> None:
    write("[S3]\nOUTPUT_DATA=s3a://b/\n\n[LOCAL]\nOUTPUT_DATA=out\n")
    with pytest.raises(ConfigurationError) as caught:
        read()
    assert caught.value.cause == "OUTPUT_DATA in [S3] on line 2 and OUTPUT_DATA in [LOCAL] on line 5"
    assert "--output" in str(caught.value.hint)
    assert "s3a" not in str(caught.value)
    assert read(output="mine").value("output") == "mine"


def test_two_credentials_are_refused() -> None:
    write("KEY=AKIAA\nSECRET=s\nAWS_ACCESS_KEY_ID=AKIAB\n")
    with pytest.raises(
        ConfigurationError, match=r"dl\.cfg gives access_key_id more than one value"
    ) as caught:
        read()
    assert "AKIA" not in str(caught.value)


def test_half_of_the_credentials_is_worth_a_word() -> None:
    write("[AWS]\nKEY=AKIAX\n")
    assert any("dl.cfg:2: KEY stands alone" in warning for warning in read().warnings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # The second half of a secret that was wrapped: it is not shown.
        ("[AWS]\nSECRET=abc\n  wJalrXUtnFEMI\n", "dl.cfg:3 is neither a"),
        ("[AWS\nKEY=x\n", "dl.cfg:1 is neither a"),
        ("[AWS]\n=wJalrXUtnFEMI\n", "dl.cfg:2 is neither a"),
        # Saved by an editor as UTF-16, or not text at all.
        ("KEY=wJalrXUtnFEMI".encode("utf-16"), "dl.cfg is not UTF-8 text"),
        (b"KEY=\xffwJalrXUtnFEMI", "dl.cfg is not UTF-8 text"),
        (b"#" * (1 << 21), "too large"),
    ],
)
def test_what_cannot_be_read_is_refused_without_showing_it(text: str | bytes, message: str) -> None:
    write(text)
    with pytest.raises(ConfigurationError) as caught:
        read()
    assert message in str(caught.value)
    assert caught.value.exit_code == 78
    assert caught.value.__context__ is None
    assert "wJalr" not in "".join(traceback.format_exception(caught.value))


def test_a_key_that_may_be_a_secret_is_not_repeated() -> None:
    write("[AWS]\nSECRET=abc\nwJalrXUtnFEMIK7MDENG=bPxRfiCY\n")
    warning = "\n".join(read().warnings)
    assert "the key on line 3" in warning
    assert "wJalr" not in warning


def test_a_secret_does_not_belong_in_lake_cfg() -> None:
    write("[LAKE]\nOUTPUT=o\nSECRET=abc\n", "lake.cfg")
    with pytest.raises(ConfigurationError, match=r"lake\.cfg:3: SECRET is a secret"):
        read()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize(
    ("mode", "text", "warned"),
    [(0o600, "KEY=a\nSECRET=b", False), (0o640, "KEY=a\nSECRET=b", True), (0o604, "KEY=a\nSECRET=b", True),
     (0o644, "KEY=\nSECRET=\nOUTPUT=o", False)],  # without a secret there is nothing to hide
)  # fmt: skip
def test_a_readable_secret_is_worth_a_warning(mode: int, text: str, warned: bool) -> None:
    write(text, mode=mode)
    assert any("chmod 600 dl.cfg" in warning for warning in read().warnings) is warned


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read() -> None:
    write("KEY=a", mode=0)
    with pytest.raises(AccessDeniedError):
        read()


def test_precedence_with_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("output", "match", "compression", "threads")
    write("OUTPUT_DATA=dl\nMATCH=dl\nCOMPRESSION=dl\nTHREADS=1\nUNMATCHED=dl\n")
    write("[LAKE]\nOUTPUT=lake\nMATCH=lake\nCOMPRESSION=lake\nTHREADS=2\n", "lake.cfg")
    monkeypatch.setenv("SPARKIFY_OUTPUT", "environment")
    monkeypatch.setenv("SPARKIFY_MATCH", "environment")
    monkeypatch.setenv("SPARKIFY_COMPRESSION", "")  # empty: not set
    config = read(output="argument", compression=None)
    assert {name: (config.value(name), config.settings[name].origin) for name in (*names, "unmatched")} == {
        "output": ("argument", "argument output"),
        "match": ("environment", "SPARKIFY_MATCH"),
        "compression": ("lake", "lake.cfg:4"),
        "threads": ("2", "lake.cfg:5"),
        "unmatched": ("dl", "dl.cfg:5"),
    }
    assert resolve("run", {"output": "x"}, as_flags=True).settings["output"].origin == "--output"
    rows = {name: (value, origin) for name, value, origin in describe(config, {"chunk_size": "4MiB"})}
    assert rows["chunk_size"] == ("4MiB", "default")
    assert rows["unmatched"] == ("dl", "dl.cfg:5")
    assert rows["input"] == ("", "not set")


def test_a_louder_input_means_its_own_folders() -> None:
    write("[LAKE]\nSONG_DATA=elsewhere\nOUTPUT=o\n", "lake.cfg")
    config = read(input="mine")
    assert "song_data" not in config.native_options()
    assert any("lake.cfg:2" in warning for warning in config.warnings)
    assert read(input="mine", song_data="s").value("song_data") == "s"


def test_where_the_files_are_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "lake.cfg").write_text("OUTPUT=folder")
    (folder / "dl.cfg").write_text("INPUT_DATA=secret folder")
    (folder / "prod.cfg").write_text("OUTPUT=prod")
    write("OUTPUT=here", "lake.cfg")
    assert read().value("output") == "here"
    assert said(read(config=folder)) == {"config": str(folder), "input": "secret folder", "output": "folder"}
    # One of the pair finds the other beside it; a file of any other name stands alone.
    assert read(config=folder / "dl.cfg").value("output") == "folder"
    assert read(config=folder / "lake.cfg").value("input") == "secret folder"
    assert read(config=folder / "prod.cfg").value("input") is None
    monkeypatch.setenv("SPARKIFY_CONFIG", str(folder))
    config = read()
    assert config.value("output") == "folder"
    assert config.settings["output"].origin == f"{folder / 'lake.cfg'}:1"


@pytest.mark.parametrize("named", ["nowhere.cfg", "empty"])
def test_a_named_configuration_must_be_there(named: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(ConfigurationError, match="there is n"):
        read(config=named)


def test_unknown_names_are_refused_with_a_guess() -> None:
    with pytest.raises(UsageError) as caught:
        read(ouput="x")
    assert caught.value.hint == "did you mean 'output'?"
    with pytest.raises(UsageError, match=r"build\(\) does not take 'compression'"):
        read("build", compression="zstd")


def test_a_misspelt_variable_is_worth_a_word() -> None:
    config = resolve("run", {}, environment={"SPARKIFY_OUTPTU": "x", "SPARKIFY_HOME": "another program's"})
    assert len(config.warnings) == 1
    assert "SPARKIFY_OUTPUT" in config.warnings[0]


@pytest.mark.parametrize("name", ["input", "output", "song_data"])
def test_an_empty_argument_is_refused(name: str) -> None:
    write("OUTPUT=o\nINPUT=i\n", "lake.cfg")
    with pytest.raises(ConfigurationError, match=f"{name} is empty"):
        read(**{name: " "})


def test_values_of_python() -> None:
    config = read(
        input=Path("in"),
        output=Path("s3a://bucket/lake"),
        tables=["songs", "users"],
        table_names={"songs": "tracks", "users": "people"},
        ts_window=("2018-01-01", "2019-01-01"),
        threads=2,
        adopt=True,
        max_bad="1%",
    )
    assert config.native_options() == {
        "input": "in",
        "output": "s3a://bucket/lake",  # pathlib had made s3a:/bucket/lake of it
        "tables": "songs,users",
        "table_names": "songs=tracks,users=people",
        "ts_window": "2018-01-01..2019-01-01",
        "threads": 2,
        "adopt": True,
        "max_bad": "1%",
    }
    with pytest.raises(UsageError, match="tables cannot be of type"):
        read(tables=3.5)


def test_flags_of_the_front_stay_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKIFY_NO_PROGRESS", "yes")
    monkeypatch.setenv("SPARKIFY_QUIET", "0")
    config = read(output="o")
    assert config.is_on("no_progress")
    assert not config.is_on("quiet")
    assert config.native_options() == {"output": "o"}
    monkeypatch.setenv("SPARKIFY_QUIET", "perhaps")
    with pytest.raises(ConfigurationError, match="SPARKIFY_QUIET"):
        read()


def test_only_what_a_call_takes_reaches_it() -> None:
    write("OUTPUT=o\nINPUT=i\nCOMPRESSION=zstd\nMATCH=title_artist\n", "lake.cfg")
    assert read("build").native_options() == {"input": "i", "match": "title_artist"}


def test_a_refused_value_is_located_and_not_repeated() -> None:
    write("[LAKE]\nCOMPRESSION = zip\n", "lake.cfg")
    refusal = ConfigurationError(
        'compression cannot be "zip"', hint="it takes one of …", context={"option": "compression"}
    )
    located = read().explain(refusal)
    assert type(located) is ConfigurationError
    assert located.message == "COMPRESSION in [LAKE], lake.cfg:2, has a value that compression does not take"
    assert located.hint == refusal.hint
    argued = read(compression="zsdt").explain(refusal)
    assert type(argued) is UsageError
    assert argued.hint == "it takes one of …; did you mean zstd?"
    # A location is a matter of configuration wherever it is said: exit 78.
    arn = ConfigurationError("output is an ARN", context={"option": "output"})
    assert type(read(output="arn:x").explain(arn)) is ConfigurationError


def test_what_the_engine_said_of_a_value_is_not_chained(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(options: dict[str, object], on_tick: object, crew: object) -> dict[str, object]:
        context = {"option": "compression"}
        raise ConfigurationError(f"compression cannot be {options['compression']}", context=context)

    monkeypatch.setattr("sparkify_lake._engine.native", lambda: types.SimpleNamespace(run=run))
    write("INPUT=i\nOUTPUT=o\nCOMPRESSION=hunter2\n")
    with pytest.raises(ConfigurationError, match=r"COMPRESSION, dl\.cfg:3, has a value") as caught:
        job.run()
    assert caught.value.__context__ is None
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_the_types_of_keywords_follow_the_table() -> None:
    positional = {"input", "output"}
    assert set(RunOptions.__annotations__) == set(names_for("run")) - positional
    assert set(PlanOptions.__annotations__) == set(names_for("plan")) - positional
    assert set(ReadOptions.__annotations__) == set(names_for("build")) - positional
    assert set(LakeOptions.__annotations__) == set(names_for("open_lake")) - positional
    assert set(DoctorOptions.__annotations__) == set(names_for("doctor"))
    assert len({option.name for option in OPTIONS}) == len(OPTIONS) > 20


def test_the_table_and_the_engine_know_the_same_options() -> None:
    options = {option.name for option in OPTIONS if option.native}
    assert options | SAMPLE_NUMBERS.keys() == engine.defaults().keys()


KEYS = {"access_key_id": "AKIAX", "secret_access_key": "s"}


def handed_over(**arguments: object) -> dict[str, str]:
    """What the engine is told about credentials, opened."""
    options = read(**arguments).native_options()
    names = ("access_key_id", "secret_access_key", "session_token", "keys_origin")
    return {
        name: value.reveal() if isinstance(value, Secret) else str(value)
        for name in names
        if (value := options.get(name)) is not None
    }


def test_credentials_reach_the_engine_only_for_a_store() -> None:
    write("[AWS]\nKEY=AKIAX\nSECRET=s\nTOKEN=t\n")
    assert handed_over(input="in", output="out") == {}
    expected = {**KEYS, "session_token": "t", "keys_origin": "dl.cfg"}
    for name in ("input", "output", "song_data", "log_data"):
        for scheme in ("s3", "s3a", "s3n"):
            assert handed_over(**{name: f"{scheme}://bucket/x"}) == expected


def test_credentials_of_arguments_win_as_a_whole() -> None:
    # The token belongs to the file's own pair: mixed, no request would be signed right.
    write("[AWS]\nKEY=AKIAY\nSECRET=r\nTOKEN=t\n")
    assert handed_over(output="s3://b/x", **KEYS) == {**KEYS, "keys_origin": "arguments"}
    masked = {name: Secret(value) for name, value in KEYS.items()}
    assert handed_over(output="s3://b/x", **masked) == {**KEYS, "keys_origin": "arguments"}
    config = read(**KEYS, session_token="t2")
    assert config.credentials["session_token"].origin == "argument session_token"


def test_a_profile_that_is_said_louder_than_credentials_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[AWS]\nKEY=AKIAX\nSECRET=s\nPROFILE=theirs\n")
    assert handed_over(output="s3://b/x")["keys_origin"] == "dl.cfg", "of one file, the keys count"
    config = read(profile="dev")
    assert config.credentials == {}
    assert config.warnings == (
        "the credentials of dl.cfg:2 are ignored, because argument profile names a profile",
    )
    monkeypatch.setenv("SPARKIFY_PROFILE", "dev")
    assert handed_over(output="s3://b/x") == {}
    assert handed_over(output="s3://b/x", **KEYS)["keys_origin"] == "arguments"
    monkeypatch.delenv("SPARKIFY_PROFILE")
    write("[LAKE]\nPROFILE=ours\n", "lake.cfg")
    assert handed_over(output="s3://b/x") == {}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"access_key_id": "AKIAX"}, "access_key_id stands alone"),
        ({"session_token": "t"}, "session_token stands alone"),
        ({**KEYS, "session_token": " "}, "session_token is empty"),
        ({**KEYS, "secret_access_key": 7}, "secret_access_key cannot be of type int"),
    ],
)
def test_credentials_that_are_not_complete(given: dict[str, object], complaint: str) -> None:
    write("[AWS]\nKEY=AKIAX\nSECRET=s\n")
    with pytest.raises(UsageError, match=complaint):
        read(output="s3://b/x", **given)


def test_credentials_are_no_flags_and_no_variables_of_ours() -> None:
    variables = {f"SPARKIFY_{name.upper()}": "x" for name in CREDENTIALS}
    assert resolve("run", {}, environment=variables).credentials == {}
    with pytest.raises(UsageError, match="there is no option 'access_key_id'"):
        resolve("run", KEYS, as_flags=True)
    assert not {option.name for option in OPTIONS} & set(CREDENTIALS)


def test_keywords_with_credentials_are_masked_in_place() -> None:
    options: dict[str, object] = {**KEYS, "region": "r", "session_token": None}
    hide(options)
    assert repr(options) == (
        "{'access_key_id': ***, 'secret_access_key': ***, 'region': 'r', 'session_token': None}"
    )


def test_options_of_the_store_come_from_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[LAKE]\nENDPOINT_URL=http://localhost:9000\nALLOW_HTTP=yes\nCA_FILE=~/ca.pem\n", "lake.cfg")
    monkeypatch.setenv("SPARKIFY_STORE_PATIENCE", "5s")
    monkeypatch.setenv("HOME", "/home/me")
    for call in ("run", "plan", "build", "open_lake", "doctor"):
        assert read(call, profile="dev", anonymous=True).native_options() == {
            "endpoint_url": "http://localhost:9000",
            "allow_http": "yes",
            "ca_file": "/home/me/ca.pem",
            "store_patience": "5s",
            "profile": "dev",
            "anonymous": True,
        }


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("input", "s3a://AKIAX:hunter2@bucket/in", "s3a://***"),
        ("input", "s3a://AKIAX:hun/ter2@bucket/in", "s3a://***"),
        ("endpoint_url", "https://me:hunter2@host:9000", "https://***"),
        ("endpoint_url", "http://host:9000", "http://host:9000"),
        ("input", "s3://bucket/a@b", "s3://bucket/a@b"),
    ],
)
def test_a_secret_in_a_url_is_not_shown(name: str, value: str, shown: str) -> None:
    rows = {row[0]: row[1] for row in describe(read(**{name: value}), {})}
    assert rows[name] == shown


def test_reading_never_writes_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[AWS]\nKEY=AKIAX\nSECRET=s\nREGION=r\n")
    before = dict(os.environ)
    read()
    assert dict(os.environ) == before


def test_the_reader_never_raises(tmp_path: Path) -> None:
    assert read_file(tmp_path).refusal is not None, "a folder is not a file"
    assert read_file(tmp_path / "nowhere").refusal is not None


def test_a_region_has_a_source_below_lake_cfg() -> None:
    write("[AWS]\nAWS_DEFAULT_REGION=a\n")
    assert read().settings["region"].origin == "dl.cfg:2"
    write("[LAKE]\nREGION=b\n", "lake.cfg")
    region = read().settings["region"]
    assert (region.value, region.origin) == ("b", "lake.cfg:2")
    assert read(region="c").value("region") == "c"
