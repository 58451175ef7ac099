#!/usr/bin/env bash
# Makes a bare Debian machine ready for samebits: missing packages, a container engine if none
# answers, and a virtual environment with hash-pinned packages. What is there is left alone, so it
# may run any number of times. As root, or with sudo.
#
#   bootstrap.sh [--postgresql]   with PostgreSQL, for the Prefect of centers that are up; without it
#                                 those use SQLite
#   bootstrap.sh --venv           the virtual environment alone, for who checks what others built:
#                                 needs no root and no engine, but Python 3.11 with venv
set -euo pipefail
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"  # a plain `su` leaves them out
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv="$root/.venv"

say() { printf 'bootstrap: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

whole=yes
case "$*" in
    '' | --postgresql) ;;
    --venv) whole= ;;
    *) fail "usage: bootstrap.sh [--postgresql | --venv]" ;;
esac
[ -z "$whole" ] || [ "$(id -u)" -eq 0 ] \
    || fail "run as root or with sudo: samebits mounts scratch space and builds images; to check what others built, --venv is enough"
[ "$*" != --postgresql ] || bash "$root/infra/database.sh" install

# command=package, for every program that samebits calls
needed=(
    dockerd=docker.io docker=docker-cli mkfs.ext4=e2fsprogs mount=mount setpriv=util-linux
    unshare=util-linux cosign=cosign go=golang-go dpkg-deb=dpkg git=git tar=tar xz=xz-utils
    diff=diffutils
)
packages=()
[ -n "$whole" ] || needed=()
for pair in "${needed[@]}"; do
    command -v "${pair%%=*}" > /dev/null || packages+=("${pair#*=}")
done

[ -z "$whole" ] || ldconfig -p | grep -q 'libseccomp\.so\.2 ' || packages+=(libseccomp2)

python=
for candidate in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ] || ! "$python" -c 'import ensurepip, venv' 2> /dev/null; then
    packages+=(python3 python3-venv)
    python=/usr/bin/python3
fi

if [ "${#packages[@]}" -gt 0 ] && [ -z "$whole" ]; then
    fail "Python 3.11 or newer with venv is missing: on Debian, the packages python3 and python3-venv"
elif [ "${#packages[@]}" -gt 0 ]; then
    command -v apt-get > /dev/null || fail "missing: ${packages[*]}; this script installs them on Debian only"
    say "installing ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || fail "apt-get update failed: check this machine's apt sources"
    apt-get install -y -qq --no-install-recommends "${packages[@]}" > /dev/null \
        || fail "apt-get could not install ${packages[*]}"
fi

if [ -n "$whole" ] && ! docker version > /dev/null 2>&1; then
    # Rebuilds have no network, so the engine needs none of its own.
    say "starting a container engine (log: /var/log/samebits-dockerd.log)"
    setsid nohup dockerd --bridge=none --iptables=false --ip6tables=false \
        > /var/log/samebits-dockerd.log 2>&1 < /dev/null &
    for _ in $(seq 120); do
        if docker version > /dev/null 2>&1; then break; fi
        sleep 0.5
    done
    docker version > /dev/null 2>&1 \
        || fail "the engine does not start: $(tail -n 1 /var/log/samebits-dockerd.log)"
fi

pins=$(sha256sum "$root/infra/requirements.txt" "$root/pyproject.toml" | sha256sum | cut -d ' ' -f 1)
if [ "$(cat "$venv/.samebits-pins" 2> /dev/null)" != "$pins" ] || ! [ -x "$venv/bin/samebits" ]; then
    say "making a virtual environment in .venv; this takes a minute"
    "$python" -m venv --clear "$venv" || fail "$python cannot make a virtual environment"
    # The file is the whole closure; resolving it again would fail whenever a newer release of a
    # dependency with an extra appears.
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile \
        --no-deps --only-binary :all: -r "$root/infra/requirements.txt" \
        || fail "pip could not install infra/requirements.txt: check this machine's pip configuration"
    # On all processors, as pip does not; some packages have files for later versions of Python alone.
    "$venv/bin/python" -W ignore -m compileall -qq -j 0 "$venv/lib" || true
    PYTHONWARNINGS=ignore "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --no-deps --no-build-isolation --no-index --editable "$root" || fail "samebits itself could not be installed"
    printf '%s\n' "$pins" > "$venv/.samebits-pins"
    say "done: the command is $venv/bin/samebits"
fi

if [ -n "$whole" ] && ! compgen -G "/usr/lib/postgresql/*/bin/initdb" > /dev/null; then
    say "PostgreSQL is not installed, so the Prefect of a center uses SQLite; --postgresql installs it"
fi
