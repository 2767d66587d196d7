#!/bin/sh
# Creates a separate environment with a real Airflow and runs tests/airflow in it.
set -eu
cd "$(dirname "$0")/.."
venv=.venv-airflow
python=${PYTHON:-python3}
if [ ! -e "$venv/made" ] || [ pyproject.toml -nt "$venv/made" ]; then
    "$python" -m venv "$venv"
    # shellcheck disable=SC2046  # one word per requirement
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $("$python" scripts/requirements.py airflow airflow_test)
    touch "$venv/made"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps dist/*.whl
exec "$venv/bin/python" -m pytest -q -p no:cacheprovider -c tests/airflow/pytest.ini --rootdir tests/airflow tests/airflow "$@"
