"""What this package tells Airflow of itself, through the entry point `apache_airflow_provider`.

Invariant: Airflow may import this module while it is itself being imported, so it imports nothing of that.
"""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Describes this package to Airflow's list of providers."""
    from sparkify_lake import __version__

    return {
        "package-name": "sparkify-lake",
        "name": "sparkify-lake",
        "description": "Sparkify's JSON to a star schema of Parquet, without Spark.",
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
