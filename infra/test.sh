#!/usr/bin/env bash
# Runs every check of the project: style, types, import rules, declared dependencies, dead code, and
# the tests on real services. What needs no service runs beside those, with the time they leave.
#
#   bash infra/test.sh [PYTEST ARGUMENT...]   all of it; `--cov` takes twice as long
#   bash infra/test.sh --with-demo            infra/demo.sh first, beside the same
#   bash infra/test.sh --fast [ARGUMENT...]   style, types, import rules, and the tests that need
#                                             no root, no engine, no network and no service
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
services="engine or s3 or prefect or browser or network or root or host"
unset PYTHONDONTWRITEBYTECODE  # each of the many processes would compile the package again

# Files of tests are in memory where there is room: on a disk they wait for fsync most of the time.
scratch=/tmp
if [ -w /dev/shm ] && [ "$(df --output=avail -k /dev/shm | tail -n 1)" -gt 2000000 ]; then
    scratch=/dev/shm
fi
scratch=$(mktemp -d -p "$scratch")
trap 'rm -rf "$scratch"' EXIT

check_style_and_imports() {
    .venv/bin/ruff format --check .
    .venv/bin/ruff check .
    .venv/bin/lint-imports
}

# Undeclared dependencies and dead code: once more each for what is installed with samebits, which
# imports nothing that only the tests declare, and which no test may keep alive.
check_names() {
    .venv/bin/deptry . \
        && .venv/bin/deptry builders pipelines --optional-dependencies-dev-groups test --ignore DEP002 \
        && .venv/bin/vulture && .venv/bin/vulture builders pipelines infra
}

# What needs no service runs on all cores, and one process more, since some tests wait.
run_tests_without_services() {
    TMPDIR=$scratch .venv/bin/pytest -m "not ($services)" --numprocesses $(($(nproc) + 1)) \
        --dist worksteal "$@"
}

if [ "${1-}" = --fast ]; then
    shift
    [ -x .venv/bin/pytest ] || bash infra/bootstrap.sh
    check_style_and_imports
    .venv/bin/mypy > "$scratch/mypy.log" 2>&1 &
    types=$!
    failed=0
    run_tests_without_services "$@" || failed=$?
    wait "$types" || failed=1
    cat "$scratch/mypy.log"
    exit "$failed"
fi

# Programs that tests marked `host` check the host's files and signed ones with, a token for keys, and
# two browsers; samebits itself never calls them.
install_programs() {
    local missing=() pair
    [ -d /usr/share/modsecurity-crs ] || missing+=(modsecurity-crs)
    [ -d /usr/share/fonts/truetype/dejavu ] || missing+=(fonts-dejavu-core)
    for pair in docker-compose=docker-compose softhsm2-util=softhsm2 systemd-analyze=systemd \
        sbverify=sbsigntool osslsigncode=osslsigncode apksigner=apksigner \
        javac=default-jdk-headless sigtool=clamav \
        rpmkeys=rpm rauc=rauc unsquashfs=squashfs-tools gpg=gpg gpgv=gpgv sqv=sqv \
        strip-nondeterminism=strip-nondeterminism yara=yara suricata=suricata clamscan=clamav \
        rpmbuild=rpm makedeltarpm=deltarpm ed=ed bsdiff=bsdiff xdelta3=xdelta3 zstd=zstd \
        ostree=ostree spamassassin=spamassassin firefox-esr=firefox-esr \
        chromium-headless-shell=chromium-headless-shell; do
        command -v "${pair%%=*}" > /dev/null || missing+=("${pair#*=}")
    done
    ldconfig -p | grep -q 'libmodsecurity\.so\.3' || missing+=(libmodsecurity3t64)
    if [ "${#missing[@]}" -gt 0 ]; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            "${missing[@]}" > /dev/null
    fi
    # Sigma's checker, capa and Firefox's driver are no Debian packages, and their libraries are
    # none of ours.
    if ! cmp -s infra/judges.txt .venv/judges/judges.txt; then
        .venv/bin/python -m venv --clear .venv/judges
        .venv/judges/bin/pip install -q --no-deps --require-hashes --only-binary :all: \
            -r infra/judges.txt
        cp infra/judges.txt .venv/judges/
    fi
}

bash infra/bootstrap.sh
if [ $# -gt 0 ] && [ "$1" != --with-demo ]; then
    install_programs
    check_style_and_imports
    .venv/bin/mypy
    check_names
    .venv/bin/pytest "$@"
    exit
fi

# What takes no service, all that it printed at its end. Services wait for networks, engines and each
# other: this takes what they leave of the processors, and one process less, since each collects all.
run_beside() {
    renice -n 10 "$BASHPID" > /dev/null
    local failed=0
    {
        bash infra/test.sh --fast --numprocesses "$(nproc)" || failed=1
        check_names || failed=1
    } > "$scratch/beside.log" 2>&1
    cat "$scratch/beside.log"
    return "$failed"
}

# Each process has real services of its own, which the tests of one module share. They wait more than
# they compute. Their sockets need short paths.
run_tests_with_services() {
    .venv/bin/pytest -m "$services" --numprocesses $(($(nproc) + 1)) --dist loadfile \
        --no-loadscope-reorder --basetemp "$services_scratch/t"
}

run_demo() { [ "${1-}" != --with-demo ] || bash infra/demo.sh; }

services_scratch=$(mktemp -d /tmp/sb-XXXX)
export SAMEBITS_SCREENSHOTS=${SAMEBITS_SCREENSHOTS-$root/.screenshots}
set -m # in a process group of its own, which ends with this one
run_beside &
beside=$!
set +m
trap 'kill -- -"$beside" 2> /dev/null || true; rm -rf "$scratch" "$services_scratch"' EXIT
install_programs  # which waits for networks and disks
failed=0
run_demo "$@" && run_tests_with_services || failed=1
wait "$beside" || failed=1
exit "$failed"
