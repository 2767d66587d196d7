"""Supported layouts of dl.cfg, and files that are refused."""

from __future__ import annotations

import os
import traceback

import pytest

from sparkify_lake.errors import AccessDeniedError, ConfigurationError
from sparkify_lake.settings.files import CREDENTIAL_KEYS
from support.config_files import read_config, values_of, write_config

pytestmark = pytest.mark.usefixtures("isolated")


PAIR = {"access_key_id": "AKIAX", "secret_access_key": "s/e+c="}

LAYOUTS = [
    # The documented form.
    ("documented", "[AWS]\nKEY=AKIAX\nSECRET=s/e+c=\n", PAIR),
    # The most common form; a value may end with =.
    ("most common", "[AWS]\nAWS_ACCESS_KEY_ID=AKIAX\nAWS_SECRET_ACCESS_KEY=s/e+c=\n", PAIR),
    # Temporary credentials of a classroom account, and a region under each of its key names.
    (
        "session",
        "[AWS]\nAWS_ACCESS_KEY_ID=AKIAX\nAWS_SECRET_ACCESS_KEY=s/e+c=\nAWS_SESSION_TOKEN=t\nREGION=us-west-2\n",
        PAIR | {"session_token": "t", "region": "us-west-2"},
    ),
    ("default region", "[AWS]\nAWS_DEFAULT_REGION=eu-central-1\n", {"region": "eu-central-1"}),
    # configparser stops with MissingSectionHeaderError.
    ("no section", "KEY=AKIAX\nSECRET=s/e+c=\n", PAIR),
    # The name of the section does not matter; users name it after their role or profile.
    ("other section", "[my profile]\nKEY=AKIAX\nSECRET=s/e+c=\n", PAIR),
    ("two sections", "[ID]\nKEY=AKIAX\n[REST]\nSECRET=s/e+c=\n", PAIR),
    # configparser stops with DuplicateSectionError.
    ("section twice", "[AWS]\nKEY=AKIAX\n[AWS]\nSECRET=s/e+c=\n", PAIR),
    # Editors on Windows write a BOM before the first bracket and CRLF after every line.
    ("BOM", b"\xef\xbb\xbf[AWS]\r\nKEY=AKIAX\r\nSECRET=s/e+c=\r\n", PAIR),
    ("BOM, no section", b"\xef\xbb\xbfKEY=AKIAX\nSECRET=s/e+c=\n", PAIR),
    # Line ends of early Macs, and no line end at all.
    ("CR", b"[AWS]\rKEY=AKIAX\rSECRET=s/e+c=", PAIR),
    # Quotes as in Python, which configparser would keep as part of the value.
    ("quotes", "[AWS]\nKEY='AKIAX'\nSECRET=\"s/e+c=\"\n", PAIR),
    # A single quote without its partner belongs to the value.
    ("half a quote", "[AWS]\nKEY=AKIAX\nSECRET=\"s/e+c=\nTOKEN=a'b'\n",
     {"access_key_id": "AKIAX", "secret_access_key": '"s/e+c=', "session_token": "a'b'"}),
    # configparser stops with InterpolationSyntaxError.
    ("percent", "[AWS]\nKEY=AKIAX\nSECRET=a%b%(c)s%%\n",
     PAIR | {"secret_access_key": "a%b%(c)s%%"}),
    # Spaces and tabs around the parts; configparser takes an indented key as a continuation.
    ("spaces", "[ AWS ]\n  KEY =  AKIAX \t\n\tSECRET\t= s/e+c=  \n\n", PAIR),
    ("colon", "[AWS]\nKEY: AKIAX\nSECRET : s/e+c=\n", PAIR),
    # The first separator counts: a URL is not split at its colon.
    ("URL", "[S3]\nINPUT_DATA=s3a://a:b/c\nOUTPUT_DATA : s3a://d/\n",
     {"input": "s3a://a:b/c", "output": "s3a://d/"}),
    ("comments", "# KEY=no\n; SECRET=no\n[AWS] # ours\nKEY=AKIAX\nSECRET=s/e+c=\n", PAIR),
    # Comment characters do not end a value: secrets and paths may contain them.
    ("comment signs", "[AWS]\nKEY=AKIAX\nSECRET=s#e;c\n", PAIR | {"secret_access_key": "s#e;c"}),
    # Keys may have any case, as in configparser.
    ("lower case", "[aws]\nkey=AKIAX\nsecret=s/e+c=\ninput_data=in\n", PAIR | {"input": "in"}),
    # The template as it is shipped: nothing is set, and there is no error.
    ("template", "[AWS]\nKEY=\nSECRET =\nINPUT_DATA=''\n", {}),
    ("empty file", "", {}),
    # dl.cfg may hold all options.
    ("everything", "[AWS]\nKEY=AKIAX\nSECRET=s/e+c=\n[LAKE]\nINPUT=in\nOUTPUT=out\nTHREADS=2",
     PAIR | {"input": "in", "output": "out", "threads": "2"}),
    # The same value under two key names is not a conflict.
    ("repeated", "[AWS]\nKEY=AKIAX\nSECRET=s/e+c=\nAWS_ACCESS_KEY_ID=AKIAX\n", PAIR),
    # As in configparser, an indented line continues the value above it.
    ("value on the next line", "[AWS]\nKEY =\n  AKIAX\nSECRET =\n\ts/e+c=\n", PAIR),
    ("list on two lines", "[LAKE]\nTABLES = songs,\n   artists\nINPUT=in\n",
     {"tables": "songs, artists", "input": "in"}),
    ("indented section", "  [AWS]\n  KEY=AKIAX\n  SECRET=s/e+c=\n", PAIR),
    # An empty key does not conflict with a key that has a value.
    ("empty and set", "[AWS]\nKEY=\nAWS_ACCESS_KEY_ID=AKIAX\nSECRET=s/e+c=\n", PAIR),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in LAYOUTS], ids=[row[0] for row in LAYOUTS])
def test_supported_layouts_of_dl_cfg(text: str | bytes, expected: dict[str, str]) -> None:
    write_config(text)
    assert values_of(read_config()) == expected


@pytest.mark.parametrize("section", ["AWS", "PATH", "PATHS", "DATALAKE", "MODE", "S3", "LOCAL"])
def test_locations_are_read_from_any_section(section: str) -> None:
    write_config(f"[{section}]\nINPUT_DATA=in\nOUTPUT_DATA=out\n")
    config = read_config()
    assert values_of(config) == {"input": "in", "output": "out"}
    assert config.settings["output"].origin == "dl.cfg:3"
    assert config.warnings == ()


def test_warnings_name_the_line() -> None:
    write_config("[AWS]\nKEY='AKIAX'\nSECRET=s\nOUTPUT_DATA=o\n[OTHER]\nREGON=x\nCOLOR=red\nOUTPUT=o\n")
    warnings = "\n".join(read_config().warnings)
    assert "dl.cfg:2: the quotes" in warnings
    assert "dl.cfg:8: OUTPUT repeats OUTPUT_DATA on line 4" in warnings
    assert "REGON on line 6 (did you mean REGION?)" in warnings
    assert "COLOR on line 7" in warnings


def test_conflicting_values_are_refused_unless_an_argument_decides() -> None:
    write_config("[S3]\nOUTPUT_DATA=s3a://b/\n\n[LOCAL]\nOUTPUT_DATA=out\n")
    with pytest.raises(ConfigurationError) as caught:
        read_config()
    assert caught.value.cause == "OUTPUT_DATA in [S3] on line 2 and OUTPUT_DATA in [LOCAL] on line 5"
    assert "--output" in str(caught.value.hint)
    assert "s3a" not in str(caught.value)
    assert read_config(output="mine").value("output") == "mine"


@pytest.mark.parametrize("key", [key for keys in CREDENTIAL_KEYS.values() for key in keys])
@pytest.mark.parametrize("section", ["GITHUB", "KMS", "REDSHIFT", "S3", ""])
@pytest.mark.parametrize("comes_first", [True, False])
def test_a_complete_key_in_aws_wins_over_other_sections(section: str, key: str, comes_first: bool) -> None:
    other = (f"[{section}]\n" if section else "") + f"{key}=ghp_other\n"
    aws = "[AWS]\nKEY=AKIAX\nSECRET=s/e+c=\n"
    write_config(other + aws if comes_first or not section else aws + other)
    config = read_config()
    assert values_of(config) == PAIR
    [warning] = config.warnings
    assert key in warning and "is ignored, because [AWS] has the credentials" in warning
    assert "ghp_other" not in warning


def test_other_sections_count_without_a_complete_key_in_aws() -> None:
    write_config("[AWS]\nREGION=eu-west-1\n[IAM]\nKEY=AKIAX\nSECRET=s/e+c=\n[STS]\nTOKEN=t\n")
    assert values_of(read_config()) == PAIR | {"session_token": "t", "region": "eu-west-1"}


def test_conflicting_credentials_are_refused() -> None:
    write_config("KEY=AKIAA\nSECRET=s\nAWS_ACCESS_KEY_ID=AKIAB\n")
    with pytest.raises(
        ConfigurationError, match=r"dl\.cfg sets access_key_id to more than one value"
    ) as caught:
        read_config()
    assert "AKIA" not in str(caught.value)


def test_incomplete_credentials_cause_a_warning() -> None:
    write_config("[AWS]\nKEY=AKIAX\n")
    assert any("dl.cfg:2: the credentials are incomplete" in warning for warning in read_config().warnings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # The second line of a wrapped secret is not shown.
        ("[AWS]\nSECRET=abc\n  wJalrXUtnFEMI\n", "dl.cfg:3 is not a [section]"),
        ("[AWS\nKEY=x\n", "dl.cfg:1 is not a [section]"),
        ("[AWS]\n=wJalrXUtnFEMI\n", "dl.cfg:2 is not a [section]"),
        # Saved by an editor as UTF-16, or not text at all.
        ("KEY=wJalrXUtnFEMI".encode("utf-16"), "dl.cfg is not UTF-8 text"),
        (b"KEY=\xffwJalrXUtnFEMI", "dl.cfg is not UTF-8 text"),
        (b"#" * (1 << 21), "too large"),
    ],
)
def test_unreadable_lines_are_refused_without_being_shown(text: str | bytes, message: str) -> None:
    write_config(text)
    with pytest.raises(ConfigurationError) as caught:
        read_config()
    assert message in str(caught.value)
    assert caught.value.exit_code == 78
    assert caught.value.__context__ is None
    assert "wJalr" not in "".join(traceback.format_exception(caught.value))


def test_an_unknown_key_that_may_be_a_secret_is_not_shown() -> None:
    write_config("[AWS]\nSECRET=abc\nwJalrXUtnFEMIK7MDENG=bPxRfiCY\n")
    warning = "\n".join(read_config().warnings)
    assert "the key on line 3" in warning
    assert "wJalr" not in warning


def test_a_secret_in_lake_cfg_is_refused() -> None:
    write_config("[LAKE]\nOUTPUT=o\nSECRET=abc\n", "lake.cfg")
    with pytest.raises(ConfigurationError, match=r"lake\.cfg:3: SECRET is a secret"):
        read_config()


@pytest.mark.skipif(os.name != "posix", reason="file modes need POSIX")
@pytest.mark.parametrize(
    ("mode", "text", "warned"),
    [(0o600, "KEY=a\nSECRET=b", False), (0o640, "KEY=a\nSECRET=b", True), (0o604, "KEY=a\nSECRET=b", True),
     (0o644, "KEY=\nSECRET=\nOUTPUT=o", False)],  # without a secret, permissions do not matter
)  # fmt: skip
def test_a_secret_in_a_readable_file_causes_a_warning(mode: int, text: str, warned: bool) -> None:
    write_config(text, mode=mode)
    assert any("chmod 600 dl.cfg" in warning for warning in read_config().warnings) is warned


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root can read every file")
def test_a_file_without_read_permission_is_refused() -> None:
    write_config("KEY=a", mode=0)
    with pytest.raises(AccessDeniedError):
        read_config()
