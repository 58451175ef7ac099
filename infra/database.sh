#!/usr/bin/env bash
# A small real PostgreSQL for tests and demos: one cluster in one folder, on loopback, without
# systemd, run by a user who is not root.
#
#   database.sh start FOLDER [PORT]   start it if it does not run; prints the URL for Prefect
#   database.sh stop FOLDER           end exactly the server that was started for FOLDER
#   database.sh status FOLDER         0 and the URL when it answers, else 1
#   database.sh install               install the programs where there are none, and add the user who
#                                     runs the databases of centers; starts nothing
#
# A center that is up has a PostgreSQL of its own where the programs are installed, and needs none of
# this. For another center: write the URL into a file of mode 0600, and name it in the center's file as
# `prefect: {port: ..., database_file: ...}`.
set -euo pipefail

say() { printf 'database: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
usage() { fail "usage: database.sh install | start|stop|status FOLDER [PORT]"; }

[ "$*" = install ] || { [ $# -ge 2 ] && [ $# -le 3 ]; } || usage
action=$1
folder=$(realpath -m -- "${2-/nowhere}")
port=${3:-5432}
case $port in '' | *[!0-9]*) usage ;; esac
user=postgres
data="$folder/data"
url_file="$folder/url"

# The newest version's programs; nothing where none is installed, which is no failure.
programs() {
    { find /usr/lib/postgresql -path '*/bin/initdb' 2> /dev/null || true; } \
        | sort -V | tail -n 1 | xargs -r dirname
}

install_postgresql() {
    [ -z "$(programs)" ] || return 0
    command -v apt-get > /dev/null || fail "PostgreSQL is missing; this script installs it on Debian only"
    say "installing PostgreSQL"
    export DEBIAN_FRONTEND=noninteractive
    # No cluster of the machine is wanted: the package would make and start one.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] \
        || echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
    apt-get update -qq > /dev/null || fail "apt-get update failed: check this machine's apt sources"
    apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold postgresql \
        > /dev/null || fail "apt-get could not install postgresql"
}

# Who runs the databases of centers that are up, and nothing else.
add_user() {
    getent passwd samebits-postgres > /dev/null \
        || useradd --system --user-group --no-create-home --home-dir /nonexistent \
            --shell /usr/sbin/nologin samebits-postgres
}

as_user() { (cd / && setpriv --reuid "$user" --regid "$user" --init-groups -- "$@"); }

running() { as_user "$bin/pg_ctl" --pgdata "$data" status > /dev/null 2>&1; }

start() {
    install_postgresql
    bin=$(programs)
    if running; then cat "$url_file"; return; fi
    mkdir -p "$folder"
    chown "$user:" "$folder"
    chmod 700 "$folder"
    if ! [ -e "$data/PG_VERSION" ]; then
        (umask 077; head -c 24 /dev/urandom | base64 | tr '+/' '-_' > "$folder/password")
        chown "$user:" "$folder/password"
        as_user "$bin/initdb" --pgdata "$data" --username prefect --pwfile "$folder/password" \
            --auth scram-sha-256 --encoding UTF8 --locale C.UTF-8 > "$folder/init.log" 2>&1 \
            || fail "initdb failed: $(tail -n 1 "$folder/init.log" 2> /dev/null)"
        cat >> "$data/postgresql.conf" << CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 100
shared_buffers = 64MB
CONF
    fi
    printf 'postgresql+asyncpg://prefect:%s@127.0.0.1:%s/postgres\n' \
        "$(cat "$folder/password")" "$port" > "$url_file"
    chmod 600 "$url_file"
    as_user "$bin/pg_ctl" --pgdata "$data" --log "$folder/log" --options "-p $port" --wait \
        start > /dev/null || fail "PostgreSQL does not start: $(tail -n 1 "$folder/log" 2> /dev/null)"
    cat "$url_file"
}

bin=$(programs)
case $action in
    install) install_postgresql && add_user ;;
    start) start ;;
    stop)
        [ -n "$bin" ] && running || exit 0
        as_user "$bin/pg_ctl" --pgdata "$data" --mode fast --wait stop > /dev/null
        ;;
    status)
        [ -n "$bin" ] && running || exit 1
        cat "$url_file"
        ;;
    *) usage ;;
esac
