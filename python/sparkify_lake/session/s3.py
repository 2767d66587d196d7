"""How the session reaches S3: the settings of the package, and those of notebooks that were written for Hadoop.

Keys stay in a `Secret` until they go to the server or to pyarrow, which lists and moves files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sparkify_lake.secret import Secret
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
    """The resolved settings; `hadoop` has precedence."""

    def __init__(self, hadoop: Mapping[str, Secret]) -> None:
        config = resolve("open_lake", {})
        names = ("endpoint_url", "region", "profile", "ca_file")
        values = {name: Secret(str(config.value(name))) for name in names if config.value(name) is not None}
        if not {"access_key_id", "secret_access_key"} <= hadoop.keys():
            values |= {name: credential.value for name, credential in config.credentials.items()}
        self._values = values | dict(hadoop)
        self.is_anonymous = as_bool(config.value("anonymous"))
        self._allows_http = as_bool(config.value("allow_http")) or "endpoint_url" in hadoop

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
            "access_key_id": "access_key", "secret_access_key": "secret_key", "session_token": "session_token",
            "endpoint_url": "endpoint_override", "region": "region", "ca_file": "tls_ca_file_path",
        }  # fmt: skip
        options: dict[str, Any] = {
            names[name]: value.reveal() for name, value in self._values.items() if name in names
        }
        return S3FileSystem(anonymous=self.is_anonymous, **options)
