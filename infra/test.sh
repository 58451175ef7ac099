#!/usr/bin/env bash
# Runs every check of the project: style, types, import rules, declared dependencies, dead code, and
# the tests on real services.
#
#   bash infra/test.sh [PYTEST ARGUMENT...]   all of it; `--cov` takes twice as long
#   bash infra/test.sh --fast [ARGUMENT...]   what needs no root, no engine, no network, no service
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
services="engine or s3 or prefect or browser or network or root or host"
tests=()
if [ "${1-}" = --fast ]; then
    shift
    tests=(-m "not ($services)" --numprocesses auto --dist worksteal)
    [ -x .venv/bin/pytest ] || bash infra/bootstrap.sh
else
    bash infra/bootstrap.sh
    # Programs that the tests check the host's files with; samebits itself never calls them.
    missing=()
    for pair in docker-compose=docker-compose systemd-analyze=systemd; do
        command -v "${pair%%=*}" > /dev/null || missing+=("${pair#*=}")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            "${missing[@]}" > /dev/null
    fi
fi
.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy &
types=$!
.venv/bin/lint-imports
.venv/bin/deptry .
# Once more for what is installed with samebits: it imports nothing that only the tests declare.
.venv/bin/deptry builders pipelines --optional-dependencies-dev-groups test --ignore DEP002
.venv/bin/vulture
# Once more for what no test may keep alive.
.venv/bin/vulture builders pipelines infra
wait "$types"
if [ "${#tests[@]}" -gt 0 ] || [ $# -gt 0 ]; then
    exec .venv/bin/pytest "${tests[@]}" "$@"
fi
# What needs no service runs on all cores; real services are shared by the tests that need them.
.venv/bin/pytest -m "not ($services)" --numprocesses auto --dist worksteal
exec .venv/bin/pytest -m "$services"
