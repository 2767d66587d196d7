"""The description of this package for Airflow's list of providers (entry point `apache_airflow_provider`).

Invariant: this module does not import Airflow, because Airflow may import it while being imported itself.
"""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Returns the description of this package."""
    from sparkify_lake import __version__

    return {
        "package-name": "sparkify-lake",
        "name": "sparkify-lake",
        "description": "Converts Sparkify's JSON to a star schema of Parquet files, without Spark.",
        "versions": [__version__],
        "operators": [{"integration-name": "sparkify-lake", "python-modules": ["sparkify_lake.airflow"]}],
        "sensors": [{"integration-name": "sparkify-lake", "python-modules": ["sparkify_lake.airflow"]}],
        "integrations": [
            {
                "integration-name": "sparkify-lake",
                "external-doc-url": "https://pypi.org/project/sparkify-lake/",
                "tags": ["software"],
            }
        ],
    }
