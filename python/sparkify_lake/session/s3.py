"""How the session accesses S3: the settings of the package, and those of notebooks for Hadoop.

Keys stay in a `Secret` until they go to the server or to pyarrow, which lists and moves files.
"""

from __future__ import annotations

from collections.abc import Mapping
from configparser import ConfigParser
from typing import Any

from sparkify_lake.errors import ConfigurationError
from sparkify_lake.secret import Secret
from sparkify_lake.settings.environment import aws_endpoint, aws_profile_files, has_aws_keys
from sparkify_lake.settings.options import as_bool
from sparkify_lake.settings.resolve import resolve

# The names of Hadoop, without `fs.s3a.`, and ours.
_HADOOP = {
    "access.key": "access_key_id",
    "secret.key": "secret_access_key",
    "session.token": "session_token",
    "awsaccesskeyid": "access_key_id",
    "awssecretaccesskey": "secret_access_key",
    "endpoint": "endpoint_url",
    "endpoint.region": "region",
}
_OPTIONS = ("endpoint_url", "region", "profile", "ca_file")
_PROFILE = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
    "endpoint_url": "endpoint_url",
    "ca_bundle": "ca_file",
}
_VARIABLES = {
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
    "endpoint_url": "AWS_ENDPOINT_URL",
    "region": "AWS_REGION",
    "profile": "AWS_PROFILE",
    "ca_file": "SSL_CERT_FILE",
}


def is_setting(key: str) -> bool:
    """Returns whether a setting of Spark is one of Hadoop's for S3."""
    return key.removeprefix("spark.hadoop.").startswith(("fs.s3a.", "fs.s3n.", "fs.s3."))


def hadoop_setting(key: str, value: str) -> tuple[str, Secret] | None:
    """Returns our name and the value of a setting of Hadoop; None if it has no effect here."""
    name = _HADOOP.get(key.removeprefix("spark.hadoop.").split(".", 2)[-1].lower())
    if name == "endpoint_url":
        if value.endswith("amazonaws.com"):
            return None  # the endpoint of AWS follows from the region
        value = value if "://" in value else f"https://{value}"
    return (name, Secret(value)) if name else None


class Access:
    """The resolved settings: first Hadoop's, then the package's, the environment, a profile of AWS."""

    def __init__(self, hadoop: Mapping[str, Secret]) -> None:
        config = resolve("open_lake", {})
        self.is_anonymous = as_bool(config.value("anonymous"))
        given = {name: Secret(str(value)) for name in _OPTIONS if (value := config.value(name)) is not None}
        given |= {name: credential.value for name, credential in config.credentials.items()}
        if "access_key_id" in hadoop:
            given = {name: value for name, value in given.items() if name in _OPTIONS}
        given |= hadoop
        self._allows_http = as_bool(config.value("allow_http")) or "endpoint_url" in hadoop
        if "endpoint_url" not in given and (endpoint := aws_endpoint()):
            given["endpoint_url"] = Secret(endpoint)
            self._allows_http = True
        profile = given["profile"].reveal() if "profile" in given else None
        needs_keys = "access_key_id" not in given and (profile or not has_aws_keys())
        self._values = {**_profile(profile, with_keys=needs_keys and not self.is_anonymous), **given}
        endpoint = self._values.get("endpoint_url", Secret("")).reveal()
        if endpoint.startswith("http://") and not self._allows_http:
            raise ConfigurationError(
                "endpoint_url is http://, which is not allowed",
                hint="set allow_http",
                context={"option": "allow_http"},
            )

    def variables(self) -> dict[str, str]:
        """Returns the environment of the server."""
        found = {_VARIABLES[name]: value.reveal() for name, value in self._values.items()}
        if self.is_anonymous:
            found["AWS_SKIP_SIGNATURE"] = "true"
        if self._allows_http:
            found["AWS_ALLOW_HTTP"] = "true"
        return found

    def file_system(self) -> Any:
        """Returns pyarrow's file system."""
        from pyarrow.fs import S3FileSystem

        names = {
            "access_key_id": "access_key", "secret_access_key": "secret_key",
            "session_token": "session_token",
            "endpoint_url": "endpoint_override", "region": "region", "ca_file": "tls_ca_file_path",
        }  # fmt: skip
        options: dict[str, Any] = {
            names[name]: value.reveal() for name, value in self._values.items() if name in names
        }
        return S3FileSystem(anonymous=self.is_anonymous, connect_timeout=10, **options)


def _profile(name: str | None, *, with_keys: bool) -> dict[str, Secret]:
    """Reads a profile with keys. The chains of Sail and pyarrow handle those that only name a service."""
    chosen, files = aws_profile_files()
    parser = ConfigParser(interpolation=None, strict=False)
    parser.read(files)
    found: dict[str, Secret] = {}
    for section in (f"profile {name or chosen}", name or chosen):
        if parser.has_section(section):
            found |= {_PROFILE[key]: Secret(value) for key, value in parser.items(section) if key in _PROFILE}
    return {key: value for key, value in found.items() if with_keys or key in _OPTIONS}
