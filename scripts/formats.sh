#!/bin/sh
# Installs engines and a catalog for Delta and Iceberg tables, in versions that fit together, in a separate environment:
# DuckDB with its extensions from PyPI, Spark with the JARs of both formats from Maven, and Iceberg's REST server. They
# read the tables as `open_lake` does, and run the statements of `sparkify-lake ddl` and the notebook about them.
set -eu
cd "$(dirname "$0")/.."
venv=.venv-formats
duckdb=1.5.5
# The newest Spark that Iceberg supports, and its Delta Lake.
spark=4.1.4
delta=4.3.1
iceberg=1.11.0
# The newest version whose JAR has the server with all its dependencies.
rest=1.10.0
sqlite=3.50.3.0
for program in java mvn; do
    command -v "$program" >/dev/null 2>&1 && continue
    echo "missing: $program, which Spark needs" >&2
    echo "   hint: Debian and Ubuntu: apt-get install openjdk-17-jre-headless maven" >&2
    exit 69
done
made=$venv/made-$duckdb-$spark
if [ ! -e "$made" ] || [ pyproject.toml -nt "$made" ] || [ requirements/development.txt -nt "$made" ]; then
    "${PYTHON:-python3}" -m venv "$venv"
    "${PYTHON:-python3}" scripts/requirements.py iceberg >"$venv/requirements.txt"
    sed '/^\(py\(spark\|4j\)\|duckdb\)==/d' requirements/development.txt >"$venv/constraints.txt"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$venv/constraints.txt" \
        -r "$venv/requirements.txt" deltalake ipykernel pyarrow "pyspark==$spark" "duckdb==$duckdb" \
        "duckdb-extension-delta==$duckdb" "duckdb-extension-avro==$duckdb" "duckdb-extension-iceberg==$duckdb"
    touch "$made"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps dist/*.whl
jars=
fetch() { # GROUP NAME VERSION
    [ -e "$venv/$2-$3.jar" ] || mvn --quiet --batch-mode dependency:copy -Dmdep.useBaseVersion=true \
        -Dartifact="$1:$2:$3" -DoutputDirectory="$PWD/$venv"
    jar=$PWD/$venv/$2-$3.jar
    jars=$jars${jars:+,}$jar
}
fetch io.delta delta-spark_2.13 "$delta"
fetch io.delta delta-storage "$delta"
fetch org.apache.iceberg iceberg-spark-runtime-4.1_2.13 "$iceberg"
fetch org.xerial sqlite-jdbc "$sqlite" # for a catalog of Iceberg
FORMATS_JARS=$jars
fetch org.apache.iceberg iceberg-open-api "$rest"
FORMATS_REST_JAR=$jar
FORMATS_PYTHON=$PWD/$venv/bin/python
export FORMATS_JARS FORMATS_REST_JAR FORMATS_PYTHON
exec .venv/bin/python -m pytest -q -p no:cacheprovider tests/python/lake/test_format_engines.py \
    tests/python/lake/test_iceberg_catalog.py \
    tests/python/package/test_notebooks.py::test_the_notebook_of_table_formats_has_the_outputs_of_its_cells "$@"
