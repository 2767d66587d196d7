#!/bin/sh
# Renews requirements/*.txt: the exact versions that `make` installs, on all versions of Python that are supported.
#
# A version that is pinned stays if the lists in pyproject.toml allow it. UPGRADE=1 takes the newest versions instead.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
venv=.venv-pins
[ -e "$venv/bin/uv" ] || { "$python" -m venv "$venv" && "$venv/bin/python" -m pip install --quiet 'uv>=0.9,<1'; }
lists=$(mktemp)
trap 'rm -f "$lists"' EXIT
pin() {
    name=$1 && shift
    "$python" scripts/requirements.py "$@" >"$lists"
    "$venv/bin/uv" pip compile --quiet --universal --python-version 3.10 --no-header --no-annotate \
        ${UPGRADE:+--upgrade} --output-file "requirements/$name.txt" "$lists"
}
pin development build wheel test notebook spark ray docs
pin airflow airflow airflow_test
