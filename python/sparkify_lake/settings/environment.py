"""The process environment: variables, and the programs that this process is part of.

Invariant: environment variables are read only here. In the process of the
user, only `connect_mode` writes one, which holds no secret.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

ENVIRONMENT_PREFIX = "SPARKIFY_"


def own_variables(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the variables of this package. The others may hold credentials and stay out of every frame."""
    environment = os.environ if environment is None else environment
    return {name: value for name, value in environment.items() if name.startswith(ENVIRONMENT_PREFIX)}


def wants_plain_text(environment: Mapping[str, str] | None = None) -> bool:
    """Returns whether the user or the terminal asks for text without color (`NO_COLOR`, `TERM=dumb`)."""
    environment = os.environ if environment is None else environment
    return bool(environment.get("NO_COLOR")) or environment.get("TERM") == "dumb"


def has_certificate_file(environment: Mapping[str, str] | None = None) -> bool:
    """Returns whether `SSL_CERT_FILE` is set, which libraries without an option for certificates read."""
    environment = os.environ if environment is None else environment
    return bool(environment.get("SSL_CERT_FILE"))


def names_spark_python() -> bool:
    """Returns whether `PYSPARK_PYTHON` sets the Python interpreter of Spark's workers."""
    return "PYSPARK_PYTHON" in os.environ


def has_openlineage(environment: Mapping[str, str] | None = None) -> bool:
    """Returns whether OpenLineage is configured where its client looks. Imports nothing and reads no file."""
    environment = os.environ if environment is None else environment
    if environment.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get("OPENLINEAGE_URL") or any(name.startswith("OPENLINEAGE__") for name in environment):
        return True
    files = (environment.get("OPENLINEAGE_CONFIG"), "openlineage.yml", "~/.openlineage/openlineage.yml")
    return any(os.path.isfile(os.path.expanduser(file)) for file in files if file)


def openlineage_job() -> tuple[str, tuple[str, str, str] | None]:
    """Returns the namespace of jobs in OpenLineage, and the parent of this run: namespace, job and run id.

    `OPENLINEAGE_PARENT_ID` is the text `namespace/job/run`, as Airflow's macro `lineage_parent_id` returns.
    """
    from uuid import UUID

    namespace = os.environ.get("OPENLINEAGE_NAMESPACE") or "default"
    parent = os.environ.get("OPENLINEAGE_PARENT_ID", "").rsplit("/", 2)
    try:
        return namespace, (parent[0], parent[1], str(UUID(parent[2])))
    except (IndexError, ValueError):
        return namespace, None


def is_in_airflow() -> bool:
    """Returns whether this process belongs to Airflow. Imports nothing."""
    return "airflow.sdk" in sys.modules or "airflow.models" in sys.modules


def is_in_notebook() -> bool:
    """Returns whether this process is a Jupyter kernel. Imports nothing."""
    return "ipykernel" in sys.modules


def aws_endpoint() -> str | None:
    """Returns the endpoint that the tools of AWS read from the environment."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def has_aws_keys() -> bool:
    """Returns whether the environment holds credentials of AWS."""
    return bool(os.environ.get("AWS_ACCESS_KEY_ID"))


def aws_profile_files() -> tuple[str, list[str]]:
    """Returns the name of the profile of AWS, and the files that may define it."""
    home = os.path.expanduser("~/.aws/")
    named = (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials"))
    files = [os.environ.get(variable) or home + file for variable, file in named]
    return os.environ.get("AWS_PROFILE") or "default", files


def child_variables(**values: str) -> dict[str, str]:
    """Returns the environment of this process for a child process, with some values set."""
    return {**os.environ, **values}


def take_variables(variables: Mapping[str, str]) -> None:
    """Sets variables of the server process of the Spark session, which reads S3 settings from them."""
    os.environ.update(variables)


def connect_mode(on: bool) -> None:
    """Sets the variable by which the functions of pyspark know that the session is one of Spark Connect."""
    if on:
        os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    else:
        os.environ.pop("SPARK_CONNECT_MODE_ENABLED", None)
