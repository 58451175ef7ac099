#!/bin/sh
# Builds a wheel. Arguments: the source distribution, then the wheels of its backend.
# No index can be reached; the backend runs in an environment that holds those wheels alone.
set -eu
# The order of sets may not depend on chance, unless the recipe says so; pip may not ask anybody, or
# write anywhere else.
export PYTHONHASHSEED="${PYTHONHASHSEED-0}"
export PIP_NO_INDEX=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONFIG_FILE=/dev/null
sdist=$1
shift
python3 -m venv --without-pip "$HOME/venv"
if [ "$#" -gt 0 ]; then
    python3 -m pip --python "$HOME/venv/bin/python" install --quiet --no-deps --no-compile "$@"
fi
mkdir unpacked
case "$sdist" in
    *.zip) python3 -m zipfile -e "$sdist" unpacked ;;
    *) tar -xf "$sdist" -C unpacked --no-same-owner ;;
esac
set -- unpacked/*
if [ "$#" -ne 1 ] || [ ! -d "$1" ]; then
    echo "samebits: the source distribution has $# entries at its top, expected one folder" >&2
    exit 65
fi
python3 -m pip --python "$HOME/venv/bin/python" wheel --no-deps --no-build-isolation \
    --wheel-dir "$HOME/wheels" "$1"
mv -- "$HOME"/wheels/*.whl /out/
