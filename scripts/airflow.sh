#!/bin/sh
# Creates a separate environment with a real Airflow and runs tests/airflow in it.
#
# AIRFLOW=2.11 selects a version of Airflow 2 and runs only the example DAGs, with operator and sensor: the other tests
# use Python interfaces of Airflow 3.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
case ${AIRFLOW:-} in
    2.*)
        venv=.venv-airflow-$AIRFLOW lists="airflow airflow2_test" tests=test_dags.py
        version="apache-airflow==$AIRFLOW.*" pins=""
        ;;
    "") venv=.venv-airflow lists="airflow airflow_test" tests="" version="" pins=requirements/airflow.txt ;;
    *) echo "AIRFLOW cannot be $AIRFLOW; use a version of Airflow 2, such as 2.11" >&2 && exit 64 ;;
esac
[ "${PINS:-}" != /dev/null ] || pins=""
if [ ! -e "$venv/made" ] || [ pyproject.toml -nt "$venv/made" ] || [ "${pins:-pyproject.toml}" -nt "$venv/made" ]; then
    "$python" -m venv "$venv"
    # shellcheck disable=SC2086  # one word per list
    "$python" scripts/requirements.py $lists >"$venv/requirements.txt"
    # shellcheck disable=SC2086  # nothing, or one word
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check ${pins:+-c $pins} \
        -r "$venv/requirements.txt" $version
    touch "$venv/made"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps dist/*.whl
exec "$venv/bin/python" -m pytest -q -p no:cacheprovider -c tests/airflow/pytest.ini --rootdir tests/airflow \
    "tests/airflow/$tests" "$@"
