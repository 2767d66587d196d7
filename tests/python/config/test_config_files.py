"""Every layout of dl.cfg in use, and files that are refused."""

from __future__ import annotations

import os
import traceback

import pytest

from sparkify_lake.errors import AccessDeniedError, ConfigurationError
from support.config_files import read, said, write

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
