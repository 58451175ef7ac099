#!/usr/bin/env bash
# A small real object store for tests and demos: one Ceph monitor, one OSD and one RADOS gateway,
# all in one folder, on loopback, without systemd.
#
#   object-store.sh start FOLDER [PORT [disk|memory]]
#       start what is not running; prints the settings of a test user as shell assignments
#       (AWS_ENDPOINT_URL_S3=... and so on)
#   object-store.sh stop FOLDER      end exactly the processes that were started for FOLDER
#   object-store.sh status FOLDER    0 and the settings when the gateway answers, else 1
#
# PORT (default 7480) is the gateway's; PORT+1 is the monitor's. On `disk`, the default, objects are
# in a sparse file in FOLDER; in `memory` writes take a tenth of the time, and the objects are in
# FOLDER only between an orderly stop and the next start.
set -euo pipefail

say() { printf 'object-store: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
usage() { fail "usage: object-store.sh start|stop|status FOLDER [PORT [disk|memory]]"; }

[ $# -ge 2 ] && [ $# -le 4 ] || usage
action=$1
folder=$(realpath -m -- "$2")
port=${3:-7480}
case ${4:-disk} in
    disk) backend=bluestore ;;
    memory) backend=memstore ;;
    *) usage ;;
esac
case $port in '' | *[!0-9]*) usage ;; esac
conf="$folder/ceph.conf"
settings="$folder/settings.env"
wait_seconds=60

install_ceph() {
    local program missing=()
    for program in ceph-mon ceph-osd radosgw radosgw-admin ceph; do
        command -v "$program" > /dev/null || missing+=("$program")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    command -v apt-get > /dev/null || fail "missing: ${missing[*]}; this script installs them on Debian only"
    say "installing Ceph (missing: ${missing[*]})"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq > /dev/null || fail "apt-get update failed: check this machine's apt sources"
    apt-get install -y -qq --no-install-recommends ceph-mon ceph-osd radosgw ceph-common > /dev/null \
        || fail "apt-get could not install ceph-mon ceph-osd radosgw ceph-common"
}

pid_of() { cat "$folder/$1.pid" 2> /dev/null || true; }

# A pid file may outlive its process, and the number may have gone to another: look at its command.
running() {
    local pid
    pid=$(pid_of "$1")
    [ -n "$pid" ] && { tr '\0' '\n' < "/proc/$pid/cmdline" | grep -qxF -- "$conf"; } 2> /dev/null
}

answers() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

# until_true WHAT LOG COMMAND...: wait for it, not for ever
until_true() {
    local what=$1 log=$2 end=$((SECONDS + wait_seconds))
    shift 2
    until "$@" > /dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || fail "$what within $wait_seconds s: $(tail -n 1 "$log" 2> /dev/null)"
        sleep 0.2
    done
}

write_conf() {
    local classes
    classes=$(dirname "$(find /usr/lib /usr/lib64 -name 'libcls_rgw.so*' -print -quit 2> /dev/null)")
    cat > "$conf" << CONF
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon host = v1:127.0.0.1:$((port + 1))
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr2 = false
auth cluster required = none
auth service required = none
auth client required = none
run dir = $folder
admin socket = $folder/\$name.asok
log file = $folder/\$name.log
pid file =
keyring = $folder/keyring
crash dir = $folder
debug osd = 0
debug mon = 0
debug paxos = 0
debug bluestore = 0
debug bluefs = 0
debug rocksdb = 0
debug bdev = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon warn on pool no redundancy = false
mon allow pool size one = true
mon data avail crit = 1
mon data avail warn = 1

[mon]
mon data = $folder/mon
mon initial members = a

[osd]
osd data = $folder/osd
osd class dir = $classes
osd objectstore = $backend
memstore device bytes = 12884901888
bluestore block path =
bluestore block create = true
bluestore block size = 34359738368
osd memory target = 939524096
bluestore cache autotune = false
bluestore cache size = 268435456
osd op num shards = 2
osd scrub begin hour = 0
osd scrub load threshold = 0.01
osd mclock skip benchmark = true
osd fast shutdown = false
osd client watch timeout = 5
osd class update on start = false

[client]
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw data = $folder/rgw
rgw thread pool size = 64
rgw gc obj min wait = 10
rgw gc processor period = 10
rgw gc processor max time = 10
rgw enable usage log = false
rgw enable ops log = false
rgw obj stripe size = 8388608
debug rgw = 0
CONF
}

launch() { # launch NAME PROGRAM ARGUMENT...: in the background, on its own, with a pid file
    local name=$1
    shift
    running "$name" && return 0
    setsid nohup "$@" > "$folder/$name.out" 2>&1 < /dev/null &
    echo $! > "$folder/$name.pid"
}

start() {
    install_ceph
    mkdir -p -- "$folder/rgw"
    chmod 700 "$folder"
    if [ -f "$conf" ] && [ $# -gt 0 ]; then
        grep -q "endpoint=127.0.0.1:$port " "$conf" || fail "$folder belongs to another port: see $conf"
    fi
    [ -f "$conf" ] || write_conf
    port=$(sed -n 's/^rgw frontends = .*:\([0-9]*\) .*$/\1/p' "$conf")
    if ! running rgw && answers "$port"; then fail "port $port is taken by another program"; fi
    if ! running mon && answers "$((port + 1))"; then fail "port $((port + 1)) is taken by another program"; fi

    if [ ! -e "$folder/mon/done" ]; then
        rm -rf -- "$folder/mon" "$folder/monmap"
        monmaptool --create --addv a "[v1:127.0.0.1:$((port + 1))]" \
            --fsid "$(sed -n 's/^fsid = //p' "$conf")" "$folder/monmap" > "$folder/setup.log" 2>&1 \
            && ceph-mon -c "$conf" -i a --mkfs --monmap "$folder/monmap" >> "$folder/setup.log" 2>&1 \
            || fail "the monitor cannot be made: $(tail -n 1 "$folder/setup.log")"
        touch "$folder/mon/done"
    fi
    launch mon ceph-mon -c "$conf" -i a -f
    until_true "the monitor does not answer" "$folder/mon.out" \
        timeout 5 ceph -c "$conf" --connect-timeout 3 osd stat

    if [ ! -e "$folder/osd/done" ]; then
        rm -rf -- "$folder/osd"
        mkdir -p -- "$folder/osd"
        local uuid
        uuid=$(cat /proc/sys/kernel/random/uuid)
        # An earlier try that was cut off may have taken number 0 already.
        timeout 20 ceph -c "$conf" osd purge-new 0 --yes-i-really-mean-it > /dev/null 2>&1 || true
        timeout 20 ceph -c "$conf" osd new "$uuid" 0 >> "$folder/setup.log" 2>&1 \
            && ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$uuid" >> "$folder/setup.log" 2>&1 \
            || fail "the OSD cannot be made: $(tail -n 1 "$folder/setup.log")"
        touch "$folder/osd/done"
    fi
    until_true "the OSD does not come up" "$folder/osd.out" osd_is_up

    launch rgw radosgw -c "$conf" -n client.rgw -f
    until_true "the gateway does not answer" "$folder/rgw.out" answers "$port"
    [ -f "$settings" ] || make_user
    cat "$settings"
}

# One that comes before the monitor is done with its first map ends at once: it is started again.
osd_is_up() {
    launch osd ceph-osd -c "$conf" -i 0 -f
    timeout 5 ceph -c "$conf" --connect-timeout 3 osd stat | grep -q '1 up'
}

make_user() {
    local access secret
    access=$(od -An -N10 -tx1 /dev/urandom | tr -d ' \n' | tr a-f A-F)
    secret=$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')
    timeout 60 radosgw-admin -c "$conf" user create --uid=samebits --display-name=samebits \
        --access-key="$access" --secret-key="$secret" > "$folder/user.log" 2>&1 \
        || timeout 60 radosgw-admin -c "$conf" key create --uid=samebits \
            --access-key="$access" --secret-key="$secret" > "$folder/user.log" 2>&1 \
        || fail "the test user cannot be made: $(tail -n 1 "$folder/user.log")"
    (
        umask 077
        printf '%s\n' "AWS_ACCESS_KEY_ID=$access" "AWS_SECRET_ACCESS_KEY=$secret" \
            "AWS_ENDPOINT_URL_S3=http://127.0.0.1:$port" AWS_DEFAULT_REGION=us-east-1 > "$settings.new"
    )
    mv -- "$settings.new" "$settings"
}

stop() {
    local name pid end
    for name in rgw osd mon; do
        if running "$name"; then
            pid=$(pid_of "$name")
            kill -TERM "$pid" 2> /dev/null || true
            end=$((SECONDS + 10))
            while running "$name" && [ "$SECONDS" -lt "$end" ]; do sleep 0.1; done
            if running "$name"; then
                kill -KILL "$pid" 2> /dev/null || true
                while running "$name"; do sleep 0.1; done
            fi
        fi
        rm -f -- "$folder/$name.pid"
    done
}

status() {
    local name
    for name in mon osd rgw; do
        running "$name" || fail "$name is not running"
    done
    port=$(sed -n 's/^rgw frontends = .*:\([0-9]*\) .*$/\1/p' "$conf")
    answers "$port" || fail "the gateway does not answer on port $port"
    cat "$settings"
}

case $action in
    start) if [ $# -ge 3 ]; then start "$port"; else start; fi ;;
    stop) stop ;;
    status) status ;;
    *) usage ;;
esac
