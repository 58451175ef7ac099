#!/usr/bin/env bash
# Builds the wheel of a commit, rebuilds it with samebits from a clone of that commit, and writes wheel,
# recipe, SBOM and signed provenance to a new folder. As root, like every rebuild.
#
#   bash infra/release.sh --out DIR [--center FILE] [--repository URL] [COMMIT]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ -x "$root/.venv/bin/samebits" ] || bash "$root/infra/bootstrap.sh"
PYTHONPATH=$root exec "$root/.venv/bin/python" -m infra.release "$@"
