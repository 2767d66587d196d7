"""Credentials and the options of the object store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sparkify_lake.errors import UsageError
from sparkify_lake.secret import Secret
from sparkify_lake.settings.config import describe
from sparkify_lake.settings.files import read_file
from sparkify_lake.settings.options import (
    CREDENTIALS,
    OPTIONS,
    mask_secrets,
)
from sparkify_lake.settings.resolve import resolve
from support.config_files import read_config, write_config

pytestmark = pytest.mark.usefixtures("isolated")


KEYS = {"access_key_id": "AKIAX", "secret_access_key": "s"}


def native_credentials(**arguments: object) -> dict[str, str]:
    """The credentials that reach the engine, in plain text."""
    options = read_config(**arguments).native_options()
    names = ("access_key_id", "secret_access_key", "session_token", "keys_origin")
    return {
        name: value.reveal() if isinstance(value, Secret) else str(value)
        for name in names
        if (value := options.get(name)) is not None
    }


def test_credentials_reach_the_engine_only_for_s3_locations() -> None:
    write_config("[AWS]\nKEY=AKIAX\nSECRET=s\nTOKEN=t\n")
    assert native_credentials(input="in", output="out") == {}
    expected = {**KEYS, "session_token": "t", "keys_origin": "dl.cfg"}
    for name in ("input", "output", "song_data", "log_data"):
        for scheme in ("s3", "s3a", "s3n"):
            assert native_credentials(**{name: f"{scheme}://bucket/x"}) == expected


def test_credentials_from_arguments_replace_all_credentials_of_the_file() -> None:
    # The token belongs to the keys of the file: mixed with other keys, every signature would be wrong.
    write_config("[AWS]\nKEY=AKIAY\nSECRET=r\nTOKEN=t\n")
    assert native_credentials(output="s3://b/x", **KEYS) == {**KEYS, "keys_origin": "arguments"}
    masked = {name: Secret(value) for name, value in KEYS.items()}
    assert native_credentials(output="s3://b/x", **masked) == {**KEYS, "keys_origin": "arguments"}
    config = read_config(**KEYS, session_token="t2")
    assert config.credentials["session_token"].origin == "argument session_token"


def test_a_profile_with_higher_precedence_replaces_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    write_config("[AWS]\nKEY=AKIAX\nSECRET=s\nPROFILE=theirs\n")
    assert native_credentials(output="s3://b/x")["keys_origin"] == "dl.cfg", (
        "in one file, the keys take precedence over the profile"
    )
    config = read_config(profile="dev")
    assert config.credentials == {}
    assert config.warnings == (
        "the credentials in dl.cfg:2 are ignored, because argument profile names a profile",
    )
    monkeypatch.setenv("SPARKIFY_PROFILE", "dev")
    assert native_credentials(output="s3://b/x") == {}
    assert native_credentials(output="s3://b/x", **KEYS)["keys_origin"] == "arguments"
    monkeypatch.delenv("SPARKIFY_PROFILE")
    write_config("[LAKE]\nPROFILE=ours\n", "lake.cfg")
    assert native_credentials(output="s3://b/x") == {}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"access_key_id": "AKIAX"}, "incomplete: secret_access_key missing"),
        ({"session_token": "t"}, "incomplete: access_key_id and secret_access_key missing"),
        ({**KEYS, "session_token": " "}, "session_token is empty"),
        ({**KEYS, "secret_access_key": 7}, "secret_access_key cannot be of type int"),
    ],
)
def test_incomplete_credential_arguments_are_refused(given: dict[str, object], complaint: str) -> None:
    write_config("[AWS]\nKEY=AKIAX\nSECRET=s\n")
    with pytest.raises(UsageError, match=complaint):
        read_config(output="s3://b/x", **given)


def test_credentials_have_no_flags_and_no_variables() -> None:
    variables = {f"SPARKIFY_{name.upper()}": "x" for name in CREDENTIALS}
    assert resolve("run", {}, environment=variables).credentials == {}
    with pytest.raises(UsageError, match="unknown option 'access_key_id'"):
        resolve("run", KEYS, as_flags=True)
    assert not {option.name for option in OPTIONS} & set(CREDENTIALS)


def test_credential_keywords_are_masked_in_place() -> None:
    options: dict[str, object] = {**KEYS, "region": "r", "session_token": None}
    mask_secrets(options)
    assert repr(options) == (
        "{'access_key_id': ***, 'secret_access_key': ***, 'region': 'r', 'session_token': None}"
    )


def test_store_options_come_from_every_source(monkeypatch: pytest.MonkeyPatch) -> None:
    write_config("[LAKE]\nENDPOINT_URL=http://localhost:9000\nALLOW_HTTP=yes\nCA_FILE=~/ca.pem\n", "lake.cfg")
    monkeypatch.setenv("SPARKIFY_STORE_PATIENCE", "5s")
    monkeypatch.setenv("HOME", "/home/me")
    for call in ("run", "plan", "build", "open_lake", "doctor"):
        assert read_config(call, profile="dev", anonymous=True).native_options() == {
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
def test_a_secret_in_a_url_is_masked(name: str, value: str, shown: str) -> None:
    rows = {row[0]: row[1] for row in describe(read_config(**{name: value}), {})}
    assert rows[name] == shown


def test_reading_does_not_change_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    write_config("[AWS]\nKEY=AKIAX\nSECRET=s\nREGION=r\n")
    before = dict(os.environ)
    read_config()
    assert dict(os.environ) == before


def test_read_file_returns_errors_instead_of_raising(tmp_path: Path) -> None:
    assert read_file(tmp_path).error is not None, "a folder cannot be read as a file"
    assert read_file(tmp_path / "nowhere").error is not None


def test_the_region_of_dl_cfg_has_the_lowest_precedence() -> None:
    write_config("[AWS]\nAWS_DEFAULT_REGION=a\n")
    assert read_config().settings["region"].origin == "dl.cfg:2"
    write_config("[LAKE]\nREGION=b\n", "lake.cfg")
    region = read_config().settings["region"]
    assert (region.value, region.origin) == ("b", "lake.cfg:2")
    assert read_config(region="c").value("region") == "c"
