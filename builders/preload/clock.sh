#!/bin/sh
# Proves that programs read the declared clock, then hands over to the command that it is given.
# The declaration is /samebits/clock: the mode, seconds since 1970, and those of a second step. An
# advancing clock has gone on for at most a minute when this runs.
set -eu
read -r mode seconds _then < /samebits/clock
if [ "$mode" = frozen ]; then last=$seconds; else last=$((seconds + 60)); fi

check() {
    case "$2" in
        '' | *[!0-9]*) ;;
        *) if [ "$2" -ge "$seconds" ] && [ "$2" -le "$last" ]; then return; fi ;;
    esac
    echo "samebits: error: the declared clock is not applied: $1 shows ${2:-nothing}," \
        "expected $seconds; a program without a dynamic loader, or with another C library, cannot" \
        "be given a clock" >&2
    exit 69
}

probe=$HOME/.samebits-clock
: > "$probe"
check 'the date command' "$(date +%s)"
check 'the time of a new file' "$(stat -c %Y "$probe")"
if command -v python3 > /dev/null; then
    ask='import os, sys, time; print(int(time.time()), int(os.stat(sys.argv[1]).st_mtime))'
    seen=$(python3 -I -S -c "$ask" "$probe")
    check "Python's time.time" "${seen% *}"
    check "Python's os.stat of a new file" "${seen#* }"
fi
rm -f "$probe"
exec "$@"
