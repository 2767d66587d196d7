"""Credentials and the options of the object store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sparkify_lake.config import describe, resolve
from sparkify_lake.configfile import read_file
from sparkify_lake.errors import UsageError
from sparkify_lake.options import (
    CREDENTIALS,
    OPTIONS,
    hide,
)
from sparkify_lake.secret import Secret
from support.config_files import read, write

pytestmark = pytest.mark.usefixtures("clean")


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
