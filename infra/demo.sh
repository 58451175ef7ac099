#!/usr/bin/env bash
# Rebuilds ten releases that other people shipped, and judges them bit for bit. Exits 0 when each
# of them ends as its recipe expects: five identical, two with their vendor's signature on them, two
# updates judged by what their deltas give, one honestly not. With --centers, three centers on this machine find out one among them that lies
# (infra/demo-centers.sh). With --updates, a made-up vendor ships a product, its detection rules and
# an update, and then a weakened rule and a swapped delta (infra/demo_updates.py).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
case "${1-}" in
    "" | --centers | --updates) ;;
    *) printf 'usage: bash infra/demo.sh [--centers | --updates]\n' >&2; exit 64 ;;
esac
bash "$root/infra/bootstrap.sh"
cd "$root"
case "${1-}" in
    --centers) exec bash infra/demo-centers.sh ;;
    --updates) exec .venv/bin/python infra/demo_updates.py ;;
esac
recipes=(recipes/releases/*/*/*.yaml)
began=$(date -u +%Y%m%dT%H%M%SZ)
code=0
.venv/bin/samebits verify --flow "${recipes[@]}" || code=$?
[ "$code" -le 2 ] || exit "$code"
exec .venv/bin/python infra/expected.py "$began" "${recipes[@]}"
