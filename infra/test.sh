#!/usr/bin/env bash
# Runs every check of the project: style, types, walls between the parts, and the tests on real
# parts. Arguments go to pytest: `bash infra/test.sh tests/judge -q`, or `--cov` for coverage, which
# takes twice as long.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/infra/bootstrap.sh"
cd "$root"
.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy
.venv/bin/lint-imports
exec .venv/bin/pytest "$@"
