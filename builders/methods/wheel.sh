#!/bin/sh
# Builds a wheel. Arguments: the source distribution; a tag for the wheel or `-`; the number of paths
# to set modes and times of, and for each the path, the mode or `-`, the time or `-`; then the wheels
# of the backend.
# No index can be reached; the backend runs in an environment that holds those wheels alone.
set -eu
# The order of sets may not depend on chance, unless the recipe says so; pip may not ask anybody, or
# write anywhere else.
export PYTHONHASHSEED="${PYTHONHASHSEED-0}"
export PIP_NO_INDEX=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONFIG_FILE=/dev/null
sdist=$1
tag=$2
count=$3
shift 3
files=$HOME/files
: > "$files"
while [ "$count" -gt 0 ]; do
    printf '%s\n' "$1" "$2" "$3" >> "$files"
    shift 3
    count=$((count - 1))
done
if [ "$tag" != - ]; then
    # Read by every version of distutils and of setuptools; the source's own setup.cfg comes first.
    printf '[bdist_wheel]\npython-tag = %s\n' "$tag" > "$HOME/.pydistutils.cfg"
fi
# The image's pip, run by the environment's Python: what `pip --python` does, for older ones too.
pip=/usr/lib/python3/dist-packages/pip
# Python's own unzipping forgets times and modes.
unzip='
import os, sys, time, zipfile
mask = os.umask(0)
os.umask(mask)
with zipfile.ZipFile(sys.argv[1]) as archive:
    for info in archive.infolist():
        path = archive.extract(info, "unpacked")
        if not info.is_dir():
            if info.external_attr >> 16:
                os.chmod(path, (info.external_attr >> 16) & 0o777 & ~mask)
            when = time.mktime((*info.date_time, 0, 0, -1))
            os.utime(path, (when, when))
'
# A command between two others, at which the clock goes on, or which lets it go on when all but the
# archive is made; the kernel counts the times of files in ticks of up to 10 ms.
then='
import os, time
from setuptools import Command
class then(Command):
    user_options = []
    def initialize_options(self): pass
    def finalize_options(self): pass
    def run(self):
        if os.environ["CLOCK_GOES_ON_BEFORE"] == "wheel":
            go_on()
            return
        bdist = self.distribution.get_command_class("bdist_wheel")
        last = bdist.write_wheelfile
        def write(*words, **named):
            last(*words, **named)
            go_on()
        bdist.write_wheelfile = write
def go_on():
    time.sleep(0.05)
    open(os.path.expanduser("~/.samebits-then"), "w").close()
'
python3 -m venv --without-pip "$HOME/venv"
if [ "$#" -gt 0 ]; then
    "$HOME/venv/bin/python" "$pip" install --quiet --no-deps --no-compile \
        --ignore-installed "$@"
fi
mkdir unpacked
(
    # The vendor may have unpacked under another umask than it built under.
    umask "${SOURCE_UMASK:-$(umask)}"
    case "$sdist" in
        *.zip) python3 -c "$unzip" "$sdist" ;;
        *) tar -xf "$sdist" -C unpacked --no-same-owner ;;
    esac
)
set -- unpacked/*
if [ "$#" -ne 1 ] || [ ! -d "$1" ]; then
    echo "samebits: the source distribution has $# entries at its top, expected one folder" >&2
    exit 65
fi
while IFS= read -r path && read -r mode && read -r mtime; do
    case "$path" in
        '**') set -- "$1" "$1" -type f ;;
        */'**') set -- "$1" "$1/${path%/??}" -type f ;;
        *) set -- "$1" "$1/$path" -prune ;;
    esac
    if [ -L "$2" ] || [ ! -e "$2" ]; then
        echo "samebits: the source has no $path to set a mode or time of" >&2
        exit 65
    fi
    top=$1
    shift
    if [ "$mode" != - ]; then find "$@" -exec chmod "$mode" {} +; fi
    if [ "$mtime" != - ]; then find "$@" -exec touch -c -d "@$mtime" {} +; fi
    set -- "$top"
done < "$files"
if [ -z "${CLOCK_GOES_ON_BEFORE:-}" ]; then
    "$HOME/venv/bin/python" "$pip" wheel --no-deps --no-build-isolation \
        --wheel-dir "$HOME/wheels" "$1"
else
    # One run of several commands, as setuptools has them: the wheel gets the metadata as it was made
    # before, with its times.
    mkdir -p "$HOME/commands/samebits_commands"
    : > "$HOME/commands/samebits_commands/__init__.py"
    printf '%s\n' "$then" > "$HOME/commands/samebits_commands/then.py"
    cd "$1"
    set -- -c 'import setuptools; setuptools.setup()'
    if [ -f setup.py ]; then set -- setup.py; fi
    PYTHONPATH="$HOME/commands" "$HOME/venv/bin/python" "$@" \
        --command-packages=samebits_commands \
        egg_info then bdist_wheel --dist-dir "$HOME/wheels"
fi
mv -- "$HOME"/wheels/*.whl /out/
