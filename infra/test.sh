#!/usr/bin/env bash
# Runs every check of the project: style, types, import rules, declared dependencies, and the tests
# on real parts. Arguments go to pytest: `bash infra/test.sh tests/judge -q`, or `--cov` for
# coverage, which takes twice as long.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/infra/bootstrap.sh"
cd "$root"
# What the tests hold the host's files against, and samebits itself never calls.
missing=()
for pair in docker-compose=docker-compose systemd-analyze=systemd; do
    command -v "${pair%%=*}" > /dev/null || missing+=("${pair#*=}")
done
if [ "${#missing[@]}" -gt 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" > /dev/null
fi
.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy
.venv/bin/lint-imports
.venv/bin/deptry .
# Once more for what is installed with samebits: it imports nothing that only the tests declare.
.venv/bin/deptry builders pipelines --optional-dependencies-dev-groups test --ignore DEP002
exec .venv/bin/pytest "$@"
