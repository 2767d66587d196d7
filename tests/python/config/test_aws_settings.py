"""The settings of AWS's tools have the effect that they have for boto3, or `docs/s3.md` says otherwise."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import botocore.configprovider
import botocore.credentials
import botocore.session
import pytest
from botocore.loaders import Loader

import sparkify_lake
from sparkify_lake.errors import ConfigurationError
from sparkify_lake.settings.resolve import resolve

pytestmark = pytest.mark.usefixtures("isolated")

ROOT = Path(__file__).resolve().parents[3]
LOADER = Loader(include_default_search_paths=True)
Write = Callable[[str], None]


@pytest.fixture
def aws_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """``aws_config(text)`` writes the file that replaces `~/.aws/config`."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return lambda text: (tmp_path / "config").write_text(text) and None


def ours(**arguments: object) -> dict[str, Any]:
    """Our options for a location in a bucket."""
    config = resolve("run", {"input": "s3://b/in", "output": "lake", **arguments})
    names = ("endpoint_url", "ca_file", "addressing_style", "use_fips_endpoint", "use_dualstack_endpoint")
    return {name: config.value(name) for name in names}


def of_boto3(profile: str | None = None) -> dict[str, Any]:
    """The same settings of a client of boto3."""
    session = botocore.session.Session(profile=profile)
    session.register_component("data_loader", LOADER)
    client = session.create_client(
        "s3", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    s3 = client.meta.config.s3 or {}
    dualstack = s3.get("use_dualstack_endpoint")
    if dualstack is None:
        dualstack = session.get_config_variable("use_dualstack_endpoint")
    verify = client._endpoint.http_session._verify
    url = client.meta.endpoint_url
    return {
        "endpoint_url": None if "amazonaws.com" in url else url,
        "ca_file": None if verify is True else verify,
        "addressing_style": s3.get("addressing_style"),
        "use_fips_endpoint": as_text(session.get_config_variable("use_fips_endpoint")),
        "use_dualstack_endpoint": as_text(dualstack),
    }


def as_text(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


# Each place where a setting may be: as a variable, in the profile, in its section `s3` or in its services.
VARIABLES = {
    "AWS_ENDPOINT_URL_S3": "https://variable-s3",
    "AWS_ENDPOINT_URL": "https://variable",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_CA_BUNDLE": "/variable.pem",
    "REQUESTS_CA_BUNDLE": "/requests.pem",
    "AWS_USE_FIPS_ENDPOINT": "TRUE",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
}
KEYS = {
    "services": "local",
    "endpoint_url": "https://profile",
    "ignore_configured_endpoint_urls": "True",
    "ca_bundle": "/profile.pem",
    "use_fips_endpoint": "false",
    "use_dualstack_endpoint": "no",
}
S3_KEYS = {"addressing_style": "path", "use_dualstack_endpoint": "true"}
GROUPS = {
    "endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "services", "endpoint_url"),
    "ignored": (
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls",
        "AWS_ENDPOINT_URL", "endpoint_url",
    ),
    "certificates": ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "ca_bundle"),
    "fips": ("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
    "dualstack": ("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint", "s3.use_dualstack_endpoint"),
    "addressing": ("s3.addressing_style", "endpoint_url"),
}  # fmt: skip


def subsets() -> Iterator[Any]:
    """Every subset of the places of each setting."""
    for group, places in GROUPS.items():
        for chosen in product((False, True), repeat=len(places)):
            names = [place for place, is_chosen in zip(places, chosen, strict=True) if is_chosen]
            yield pytest.param(names, id=f"{group}: {', '.join(names) or 'nothing'}")


@pytest.mark.parametrize("places", list(subsets()))
def test_a_setting_has_the_value_that_it_has_for_boto3(
    places: list[str], aws_config: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES.keys() & set(places):
        monkeypatch.setenv(name, VARIABLES[name])
    lines = [f"{name} = {value}" for name, value in KEYS.items() if name in places]
    in_s3 = [f"  {name} = {value}" for name, value in S3_KEYS.items() if f"s3.{name}" in places]
    lines += ["s3 =", *in_s3] if in_s3 else []
    services = "[services local]\ns3 =\n  endpoint_url = https://services\n"
    aws_config("\n".join(["[default]", *lines, services]))
    assert ours() == of_boto3()


@pytest.mark.parametrize("argument", [None, "one", "two"])
@pytest.mark.parametrize("second", [None, "one", "two"])
@pytest.mark.parametrize("first", [None, "one", "two"])
def test_the_profile_is_the_one_that_boto3_uses(
    argument: str | None,
    first: str | None,
    second: str | None,
    aws_config: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("AWS_DEFAULT_PROFILE", first), ("AWS_PROFILE", second)):
        if value is not None:
            monkeypatch.setenv(name, value)
    names = {"default": "default", "one": "profile one", "two": "profile two"}
    aws_config("".join(f"[{section}]\nendpoint_url = https://{name}\n" for name, section in names.items()))
    given = {} if argument is None else {"profile": argument}
    assert ours(**given) == of_boto3(argument)


def test_an_empty_setting_is_not_set(aws_config: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    aws_config("[default]\nendpoint_url =\nca_bundle =\n")
    assert set(ours().values()) == {None}


def test_other_sources_take_precedence_and_the_origin_is_shown(
    aws_config: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://variable")
    Path("lake.cfg").write_text("ENDPOINT_URL = https://file\n")
    assert ours()["endpoint_url"] == "https://file"
    assert ours(endpoint_url="https://argument")["endpoint_url"] == "https://argument"
    Path("lake.cfg").unlink()
    config = resolve("run", {"input": "s3://b/in", "output": "lake"})
    assert config.settings["endpoint_url"].origin == "AWS_ENDPOINT_URL"
    assert resolve("run", {"input": "in", "output": "lake"}).value("endpoint_url") is None, (
        "local locations only"
    )


def test_an_invalid_setting_names_its_origin_and_not_its_value(
    aws_config: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://me:s3cr3t@store")
    with pytest.raises(ConfigurationError, match=r"AWS_ENDPOINT_URL has an invalid value") as caught:
        sparkify_lake.run("s3://b/in", "lake", quiet=True)
    assert "s3cr3t" not in str(caught.value)


def test_plain_http_in_a_variable_needs_allow_http(
    aws_config: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/not/read.pem")
    with pytest.raises(ConfigurationError, match="http://") as caught:
        sparkify_lake.run("s3://b/in", "lake", quiet=True)
    assert "--allow-http" in (caught.value.hint or "")
    assert ours()["ca_file"] is None


def test_damaged_profiles_are_a_warning(aws_config: Write) -> None:
    aws_config("[default\n")
    config = resolve("run", {"input": "s3://b/in", "output": "lake"})
    assert any("profiles in ~/.aws" in warning for warning in config.warnings)


def known_to_boto3() -> set[str]:
    """Every variable and every key of a profile that boto3 reads for S3 and for credentials."""
    found = set()
    tables = (
        # botocore misspells the name of this one.
        next(
            table
            for name, table in vars(botocore.configprovider).items()
            if name.endswith("_SESSION_VARIABLES")
        ),
        botocore.configprovider.DEFAULT_S3_CONFIG_VARS,
        botocore.configprovider.DEFAULT_PROXIES_CONFIG_VARS,
    )
    for table in tables:
        for keys, variables, *_ in table.values():  # type: ignore[attr-defined]
            for key in keys if isinstance(keys, list) else [keys]:
                found.add(".".join(key) if isinstance(key, tuple) else key)
            found |= set(variables) if isinstance(variables, list) else {variables}
    code = "".join(
        inspect.getsource(module)
        for module in (botocore.configprovider, botocore.credentials, botocore.session)
    )
    found |= set(re.findall(r"'(AWS_[A-Z0-9_]+|BOTO_CONFIG)'", code))
    found |= set(re.findall(r"(?:profile|config|profile_config|raw_config)(?:\.get\(|\[)'([a-z_]+)'", code))
    keys = r"^ +[A-Z_]*(?:VAR|KEY|TOKEN|TOKENS|VARS) = (\[[^]]*\]|'[a-z_]+')$"
    for match in re.findall(keys, inspect.getsource(botocore.credentials), re.MULTILINE):
        found |= set(re.findall(r"'([a-z_]+)'", match))
    return {name for name in found if name} - NO_SETTINGS


# Sections and parts of answers, not settings of a profile.
NO_SETTINGS = {"profiles", "sso_sessions", "sso_session_name", "metadata", "plugins"}


def test_every_setting_that_boto3_reads_is_documented() -> None:
    text = (
        (ROOT / "docs" / "s3.md").read_text().partition("## Settings of AWS's tools")[2].partition("\n## ")[0]
    )
    documented = set(re.findall(r"`([A-Za-z0-9_.]+)`", text))
    assert len(known_to_boto3()) > 60
    assert known_to_boto3() - documented == set()
