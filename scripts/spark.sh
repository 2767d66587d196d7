#!/bin/sh
# Creates a separate environment with the PySpark that gave the recorded results, and compares with it. The session runs
# in .venv: Sail refuses the client of that version, so that both do not fit into one environment.
set -eu
cd "$(dirname "$0")/.."
venv=.venv-spark
python=${PYTHON:-python3}
if [ -z "${JAVA_HOME:-}" ] && ! command -v java >/dev/null 2>&1; then
    echo "missing: a Java runtime, which Spark needs" >&2
    echo "   hint: Debian and Ubuntu: apt-get install openjdk-17-jre-headless" >&2
    exit 69
fi
version=$(sed -n 's/^{"pyspark": "\([0-9.]*\)".*/\1/p' tests/python/session/pyspark_results.json)
made=$venv/made-$version
if [ ! -e "$made" ] || [ pyproject.toml -nt "$made" ] || [ scripts/spark.sh -nt "$made" ] ||
    [ requirements/development.txt -nt "$made" ]; then
    "$python" -m venv "$venv"
    "$python" scripts/requirements.py >"$venv/requirements.txt"
    sed '/^py\(spark\|4j\)==/d' requirements/development.txt >"$venv/constraints.txt"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$venv/constraints.txt" \
        -r "$venv/requirements.txt" "pyspark==$version" numpy pandas pyarrow pytest
    touch "$made"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps dist/*.whl
SPARK_PYTHON=$PWD/$venv/bin/python
export SPARK_PYTHON
exec .venv/bin/python -m pytest -q -p no:cacheprovider tests/python/session/test_same_as_spark.py "$@"
