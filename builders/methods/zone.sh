#!/bin/sh
# Proves that programs know the declared time zone, then hands over to the command that it is given.
# To a C library, a zone whose file is not there is UTC, and nothing says so.
set -eu
if [ ! -f "/usr/share/zoneinfo/$TZ" ]; then
    echo "samebits: error: the declared time zone is not applied: the image has no" \
        "/usr/share/zoneinfo/$TZ, so that programs would read UTC; Debian has it in tzdata or" \
        "tzdata-legacy" >&2
    exit 69
fi
exec "$@"
