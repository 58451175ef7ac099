#!/usr/bin/env bash
# Three centers on this machine, each with its own Prefect, workers, keys, vault, store and log, go
# through one night. Two releases are rebuilt; the center in the Americas only hashes the public
# files of the second one, and is found out. Exits 0 when everything ends as it should.
#
# The state is below .centers/demo, made anew each time. The centers share this machine's engine and
# cores, and so the builder image, which its lock pins, is built once; each fetches for itself.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
demo="$root/.centers/demo"
samebits="$root/.venv/bin/samebits"
python="$root/.venv/bin/python"
log="$demo/demo.log"
centers=(europe asia americas)
netbase=debian/netbase@6.5
libsodium=debian/libsodium@1.0.18-1+deb13u1
export PYTHONWARNINGS=ignore

file() { printf '%s/infra/centers/%s.yaml' "$demo" "$1"; }
home() { printf '%s/.centers/%s' "$demo" "$1"; }
say() { printf '%4ds  %s\n' "$SECONDS" "$*"; }
more() { printf '       %s\n' "$*"; }
fail() {
    printf '\ndemo: %s\n' "$*" >&2
    [ ! -e "$log" ] || { printf 'demo: the last lines of %s:\n' "$log" >&2; tail -n 15 "$log" >&2; }
    exit 1
}

# expect CODE WHAT COMMAND...: run it into the log, and end the demo if it exits otherwise.
expect() {
    local wanted=$1 what=$2 code=0
    shift 2
    printf '\n$ %s\n' "$*" >> "$log"
    "$@" >> "$log" 2>&1 || code=$?
    [ "$code" = "$wanted" ] || fail "$what: exit code $code, expected $wanted"
}

# for_all WHAT WORDS...: the command for the three centers side by side.
for_all() {
    local what=$1 pids=() center pid
    shift
    for center in "${centers[@]}"; do
        "$samebits" "$@" --center "$(file "$center")" > "$demo/$center.out" 2>&1 &
        pids+=("$!")
    done
    for center in "${centers[@]}"; do
        pid=${pids[0]}
        pids=("${pids[@]:1}")
        local code=0
        wait "$pid" || code=$?
        { printf '\n$ samebits %s   (%s)\n' "$*" "$center"; cat "$demo/$center.out"; } >> "$log"
        [ "$code" = 0 ] || fail "$what in $center: exit code $code"
    done
}

stop() {
    local center
    for center in "${centers[@]}"; do
        [ ! -e "$(file "$center")" ] \
            || "$samebits" center down --center "$(file "$center")" >> "$log" 2>&1 || true
    done
}

# told RELEASE RESULT MATCHED OUT: what the centers together say, seen from Europe.
told() {
    "$samebits" consensus "$1" --json --center "$(file europe)" > "$demo/consensus.json" \
        2>> "$log" || true
    "$python" - "$demo/consensus.json" "${@:2}" << 'PYTHON' || fail "$1: another consensus"
import json, sys

said, result, matched, out = json.load(open(sys.argv[1])), *sys.argv[2:5]
good = bool(said["artefacts"])
for one in said["artefacts"]:
    named = sorted({f"{o['center']}: {o['why']}" for o in one["counted_out"]})
    print(f"       {one['consensus']:<10} {one['artefact']}")
    print(f"       {'':<10} by {', '.join(one['matched'])}; work proof: {one['work_proof']}")
    for line in named:
        print(f"       {'':<10} NOT COUNTED {line}")
    good &= (one["consensus"], " ".join(one["matched"]), " ".join(named)) == (result, matched, out)
sys.exit(not good)
PYTHON
}

mkdir -p "$root/.centers"
[ ! -e "$demo" ] || { log=/dev/null stop; rm -rf "$demo"; }
mkdir -p "$demo/infra/centers"
trap stop EXIT
for center in "${centers[@]}"; do
    # Ports and recipes of their own, so that centers that stand already are left alone.
    recipes="$demo/recipes-$center"
    mkdir -p "$recipes/releases/debian"
    cp -r recipes/images "$recipes/"
    cp -r recipes/releases/debian/netbase "$recipes/releases/debian/"
    sed -e 's/port: 54/port: 55/' -e "s|^pool:|recipes: $recipes\npool:|" -e 's/^workers: .*/workers: 1/' \
        -e 's/robustness_share: .*/robustness_share: 0/' \
        "$root/infra/centers/$center.yaml" > "$(file "$center")"
done
for center in europe asia; do
    cp -r recipes/releases/debian/libsodium "$demo/recipes-$center/releases/debian/"
done

say "Europe, Asia and the Americas make their keys; their operators sign one policy."
for_all "making keys" center init
sources=()
for center in "${centers[@]}"; do sources+=("$(home "$center")/policy/policy.yaml"); done
expect 0 "joining the policies" "$samebits" policy join "${sources[@]}" --k 2 --threshold 2 \
    --out "$demo/policy.yaml"
for center in "${centers[@]}"; do
    operator=$(sed -n 's/^operator: //p' "$(file "$center")")
    expect 0 "signing the policy" "$samebits" policy sign "$demo/policy.yaml" --operator "$operator" \
        --key "$(home "$center")/keys/operator.key" --out "$demo/policy.dsse.json"
done
for center in "${centers[@]}"; do
    cp "$demo/policy.dsse.json" "$(home "$center")/policy/policy.dsse.json"
done
expect 0 "checking the policy" "$samebits" policy check "$demo/policy.dsse.json"
more "a file counts as confirmed when 2 operators in 2 regions have built it"

say "Each center starts its own Prefect server, work pool and worker."
for_all "starting" center up
for_all "the first heartbeat" heartbeat

say "The center in the Americas lies about libsodium: it hashes the public files, and builds nothing."
expect 0 "lying" "$python" infra/echoing.py "$(file americas)" \
    "$root/recipes/releases/debian/libsodium/1.0.18-1+deb13u1.yaml"

say "A night in all three: every release of a center is rebuilt in a container without network."
for_all "the night" nightly
for center in "${centers[@]}"; do
    expect 0 "the status of $center" "$samebits" center status --center "$(file "$center")"
    more "$center: $(sed -n 's/^  last night: [^:]*: //p' <("$samebits" center status --center "$(file "$center")"))"
done

say "Each center cosigns the logs of the others: only what is witnessed counts."
for_all "witnessing" log witness

say "The centers together, by what each has signed and logged, seen from Europe:"
all="americas-trust asia-trust eu-trust"
told "$netbase" CONFIRMED "$all" ""
told "$libsodium" CONFIRMED "asia-trust eu-trust" "americas: work-wrong"
more "the Americas could not show the keyed digest of a file that is built, but never shipped"

say "Europe and Asia sign that, and the centers put their names to each other's logs."
for center in europe asia; do
    for release in "$netbase" "$libsodium"; do
        expect 0 "the summary of $release by $center" "$samebits" consensus "$release" --publish \
            --center "$(file "$center")"
    done
done
for_all "a heartbeat" heartbeat
for_all "witnessing" log witness
for_all "taking in cosignatures" log checkpoint
for_all "checking the own log" log check

say "A customer checks a bundle of Europe with nothing but the policy, without a network:"
expect 0 "exporting" "$samebits" evidence export "$libsodium" --out "$demo/libsodium.bundle.tar" \
    --center "$(file europe)"
expect 0 "checking the bundle" unshare --net "$samebits" evidence check "$demo/libsodium.bundle.tar" \
    --policy "$demo/policy.dsse.json" --max-age 1h
more "$(grep -h 'witnessed by' "$log" | tail -n 1)"
more "$(grep -h ', center europe: ' "$log" | tail -n 1)"

say "Everything is taken down."
trap - EXIT
for_all "taking down" center down
for center in "${centers[@]}"; do
    expect 2 "the status of $center after its end" "$samebits" center status --center "$(file "$center")"
done
say "Done. The log of all commands is $log"
