#!/bin/sh
# Creates a separate environment with the PySpark that gave the recorded results, and checks them there. Sail refuses
# the client of that version, so that both do not fit into one environment.
set -eu
cd "$(dirname "$0")/.."
venv=.venv-spark
python=${PYTHON:-python3}
recorded=tests/python/session/pyspark_results.json
version=$(sed -n 's/^{"pyspark": "\([0-9.]*\)".*/\1/p' "$recorded")
if [ ! -e "$venv/made-$version" ] || [ pyproject.toml -nt "$venv/made-$version" ]; then
    "$python" -m venv "$venv"
    # shellcheck disable=SC2046  # one word per requirement
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $("$python" scripts/requirements.py) \
        "pyspark==$version" numpy pandas pyarrow hypothesis pytest pytest-timeout
    touch "$venv/made-$version"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps dist/*.whl
exec "$venv/bin/python" -m pytest -q -p no:cacheprovider tests/python/session/test_same_as_spark.py "$@"
