#!/bin/sh
# Reports missing tools before the build, which would otherwise fail partway.
set -u
missing=0
say() {
    echo "missing: $1" >&2
    echo "   hint: $2" >&2
    missing=1
}
command -v cargo >/dev/null 2>&1 || say "a Rust toolchain (cargo)" "install rustup, then: rustup toolchain install stable"
command -v cc >/dev/null 2>&1 || say "a C compiler (cc)" "Debian and Ubuntu: apt-get install build-essential"
if ! command -v "${PYTHON:-python3}" >/dev/null 2>&1; then
    say "Python (${PYTHON:-python3})" "install Python 3.10 or newer, or select one: make PYTHON=python3.12"
elif ! "${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    say "Python 3.10 or newer (found $("${PYTHON:-python3}" -V 2>&1))" "select another one: make PYTHON=python3.12"
elif ! "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null; then
    say "Python's venv module" "Debian and Ubuntu: apt-get install python3-venv"
fi
exit $missing
