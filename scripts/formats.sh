#!/bin/sh
# Installs the engines that read Delta and Iceberg tables, in versions that fit together, and compares the tables with
# `open_lake`: DuckDB with its extensions from PyPI in a separate environment, and the formats for the Spark in .venv from
# Maven.
set -eu
cd "$(dirname "$0")/.."
venv=.venv-formats
duckdb=1.5.5
delta=4.3.1
iceberg=1.11.0
for program in java mvn; do
    command -v "$program" >/dev/null 2>&1 && continue
    echo "missing: $program, which Spark needs" >&2
    echo "   hint: Debian and Ubuntu: apt-get install openjdk-17-jre-headless maven" >&2
    exit 69
done
if [ ! -e "$venv/made-$duckdb-iceberg" ]; then
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "duckdb==$duckdb" \
        "duckdb-extension-delta==$duckdb" "duckdb-extension-avro==$duckdb" "duckdb-extension-iceberg==$duckdb"
    touch "$venv/made-$duckdb-iceberg"
fi
fetch() { # GROUP NAME VERSION
    [ -e "$venv/$2-$3.jar" ] || mvn --quiet --batch-mode dependency:copy -Dmdep.useBaseVersion=true \
        -Dartifact="$1:$2:$3" -DoutputDirectory="$PWD/$venv"
}
fetch io.delta delta-spark_2.13 "$delta"
fetch io.delta delta-storage "$delta"
fetch org.apache.iceberg iceberg-spark-runtime-4.1_2.13 "$iceberg"
DUCKDB_PYTHON=$PWD/$venv/bin/python \
    DELTA_JARS=$PWD/$venv/delta-spark_2.13-$delta.jar,$PWD/$venv/delta-storage-$delta.jar \
    ICEBERG_JARS=$PWD/$venv/iceberg-spark-runtime-4.1_2.13-$iceberg.jar \
    exec .venv/bin/python -m pytest -q -p no:cacheprovider tests/python/lake/test_format_engines.py "$@"
