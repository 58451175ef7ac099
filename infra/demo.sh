#!/usr/bin/env bash
# Rebuilds seven releases that other people shipped, and judges them bit for bit. Exits 0 when each
# of them ends as its recipe expects: five identical, one with its vendor's signature on it, one
# honestly not. With --centers, three centers on this machine find out one among them that lies
# (infra/demo-centers.sh).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
case "${1-}" in
    "" | --centers) ;;
    *) printf 'usage: bash infra/demo.sh [--centers]\n' >&2; exit 64 ;;
esac
bash "$root/infra/bootstrap.sh"
cd "$root"
[ -z "${1-}" ] || exec bash infra/demo-centers.sh
recipes=(recipes/releases/*/*/*.yaml)
began=$(date -u +%Y%m%dT%H%M%SZ)
code=0
.venv/bin/samebits verify --flow "${recipes[@]}" || code=$?
[ "$code" -le 2 ] || exit "$code"
exec .venv/bin/python infra/expected.py "$began" "${recipes[@]}"
