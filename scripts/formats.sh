#!/bin/sh
# Installs the engines that read Delta tables, in versions that fit together, and compares the tables with `open_lake`:
# DuckDB with its extension from PyPI in a separate environment, and Delta Lake for the Spark in .venv from Maven.
set -eu
cd "$(dirname "$0")/.."
venv=.venv-formats
duckdb=1.5.5
delta=4.3.1
for program in java mvn; do
    command -v "$program" >/dev/null 2>&1 && continue
    echo "missing: $program, which Spark needs" >&2
    echo "   hint: Debian and Ubuntu: apt-get install openjdk-17-jre-headless maven" >&2
    exit 69
done
if [ ! -e "$venv/made-$duckdb" ]; then
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        "duckdb==$duckdb" "duckdb-extension-delta==$duckdb"
    touch "$venv/made-$duckdb"
fi
jars=
for name in delta-spark_2.13 delta-storage; do
    jar=$venv/$name-$delta.jar
    [ -e "$jar" ] || mvn --quiet --batch-mode dependency:copy -Dmdep.useBaseVersion=true \
        -Dartifact="io.delta:$name:$delta" -DoutputDirectory="$PWD/$venv"
    jars=$jars${jars:+,}$PWD/$jar
done
DUCKDB_PYTHON=$PWD/$venv/bin/python DELTA_JARS=$jars \
    exec .venv/bin/python -m pytest -q -p no:cacheprovider tests/python/lake/test_delta_engines.py "$@"
