#!/usr/bin/env bash
# Writes evidence with the samebits of this checkout, by the commands of its users: two centers under
# one policy, and a third one alone. README.md says from which commit the files here are.
#
# bash tests/data/format-v1/make.sh FOLDER    (as root, after infra/bootstrap.sh; six minutes)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(cd "$here/../../.." && pwd)
samebits="$checkout/.venv/bin/samebits"
made=$1
[ ! -e "$made" ] || { printf '%s is there already\n' "$made" >&2; exit 64; }
export SAMEBITS_HOME="$made/local" SAMEBITS_RECIPES="$made/recipes" PYTHONWARNINGS=ignore
mkdir -p "$made" "$made/recipes/releases/debian"
made=$(cd "$made" && pwd)
cp -r "$here/recipes/lab" "$made/recipes/releases/"
cp -r "$checkout/recipes/releases/debian/"{netbase,hostname} "$made/recipes/releases/debian/"
mkdir "$made/recipes/images"
cp "$checkout/recipes/images/"{debian-trixie-build,differ}.* "$made/recipes/images/"
cd "$made"
example=recipes/releases/lab/example
rm "$example/dated.yaml"
centers=(europe asia)

# expect CODE WORDS...: run samebits, and end unless it exits so.
expect() {
    local wanted=$1 code=0
    shift
    printf '\n$ samebits %s\n' "$*"
    "$samebits" "$@" || code=$?
    [ "$code" = "$wanted" ] || { printf 'exit code %s, expected %s\n' "$code" "$wanted" >&2; exit 1; }
}

# both CODE WORDS...: the same in both centers.
both() {
    local center
    for center in "${centers[@]}"; do expect "$@" --center "$center.yaml"; done
}

# witness: the centers cosign each other's logs, and take in what the other has cosigned.
witness() {
    both 0 log witness
    both 0 log checkpoint
}

for center in "${centers[@]}"; do
    [ "$center" = europe ] && other=asia || other=europe
    cat > "$center.yaml" << YAML
schema: samebits/center/v1
id: $center
operator: $center-trust
region: $center
home: $center
recipes: recipes
policy: $center/policy/policy.dsse.json
peers:
  - {id: $other, store: $other/store}
YAML
done
cat >> europe.yaml << 'YAML'
prefect: {port: 5491}
night: {cron: "0 1 1 1 *", robustness_share: 1.0}
YAML

# The policy: two operators, two centers that witness each other, two reviewers and one revoked.
both 0 center init
for name in alice bob carol; do expect 0 review key "$name" --out "$name.key"; done
revoked=$(sed -n 's/.*"keyid": *"\([0-9a-f]*\)".*/\1/p' carol.json)
expect 0 policy join europe/policy/policy.yaml asia/policy/policy.yaml --out joint.yaml
sed -e 's/^expires: .*/expires: 2126-01-01T00:00:00Z/' -e "s/^revoked: .*/revoked: [$revoked]/" \
    -e 's/^reviewers: .*/reviewers:\n  - {name: alice, key: alice.pub}\n  - {name: bob, key: bob.pub}\n  - {name: carol, key: carol.pub}/' \
    joint.yaml > policy.yaml
for center in "${centers[@]}"; do
    expect 0 policy sign policy.yaml --operator "$center-trust" --key "$center/keys/operator.key" \
        --out policy.dsse.json
done
for center in "${centers[@]}"; do cp policy.dsse.json "$center/policy/policy.dsse.json"; done

# Private source, under one salt.
both 0 vault add "$example/private-source.c"
for version in private secret; do
    expect 0 review salt "lab/example@$version" --out "$version.salt" --center europe.yaml
    expect 0 review salt "lab/example@$version" --import "$version.salt" --center asia.yaml
done

# Europe: a release without its reviews, the reviews, a request, and a night with moved rebuilds.
expect 2 verify "$example/reviewed.yaml" --center europe.yaml
for name in alice bob carol; do
    expect 0 review approve "$example/reviewed.yaml" --key "$name.key" --reviewer "$name" --yes \
        --center europe.yaml
done
expect 0 review approve "$example/private.yaml" --key alice.key --reviewer alice --yes --center europe.yaml
expect 0 review approve "$example/made.yaml" --key bob.key --reviewer bob --yes --center europe.yaml
expect 0 review withdraw "$example/made.yaml" --key bob.key --reviewer bob --yes --center europe.yaml
expect 0 review import europe/store/public/reviews --center asia.yaml
expect 0 verify recipes/releases/debian/netbase/6.5.yaml --center europe.yaml
trap '"$samebits" center down --center europe.yaml' EXIT
expect 0 center up --center europe.yaml
expect 0 request lab/example@made --center europe --store europe/store --key alice.key \
    --requester alice --wait 300 --center-key europe/keys/statements.pub
expect 2 request lab/example@unknown --center europe --store europe/store --key alice.key \
    --requester alice --wait 300 --center-key europe/keys/statements.pub
expect 3 nightly --center europe.yaml
expect 0 center down --center europe.yaml
trap - EXIT
mkdir bundles
expect 0 evidence export lab/example@made --out bundles/unwitnessed.tar --center europe.yaml

# Asia: the same releases. Of one it only hashes the public file (infra/echoing.py).
mv "$example/echoed.yaml" .
expect 1 verify recipes/releases/*/*/*.yaml --center asia.yaml
mv echoed.yaml "$example/"
"$checkout/.venv/bin/python" "$checkout/infra/echoing.py" asia.yaml "$example/echoed.yaml"
split() { "$samebits" verify "$example/split.yaml" --center "$1" > /dev/null 2>&1; }
until split europe.yaml; do :; done
while split asia.yaml; do :; done

# What the centers say together, once each has seen the other's log.
both 0 heartbeat
witness
for version in made private reviewed; do
    both 0 consensus "lab/example@$version" --publish
done
both 1 consensus debian/hostname@3.25 --publish
both 1 consensus lab/example@split --publish
both 0 heartbeat
witness

# A center that stands alone, as a newcomer's: two versions of its policy.
expect 0 center init
cp local/policy/policy.dsse.json local/policy/before.dsse.json
sed -i -e 's/^version: 1/version: 2/' -e 's/^expires: .*/expires: 2126-01-01T00:00:00Z/' local/policy/policy.yaml
expect 0 policy check local/policy/policy.dsse.json
expect 0 log checkpoint
rm local/policy/policy.dsse.json
expect 0 policy sign local/policy/policy.yaml --operator local --key local/keys/operator.key \
    --out local/policy/policy.dsse.json
expect 1 verify "$example/made.yaml" "$example/odd.yaml"
expect 0 heartbeat

# A release that is built before a date in Europe, and after it in Asia.
end=$(($(date +%s) + 120))
sed "s/END/$end/" "$here/recipes/lab/example/dated.yaml" > "$example/dated.yaml"
expect 0 verify "$example/dated.yaml" --center europe.yaml
sleep "$((end - $(date +%s)))"
expect 1 verify "$example/dated.yaml" --center asia.yaml
witness
both 1 consensus lab/example@dated --publish
both 0 heartbeat
witness

# Bundles: one of every kind of outcome, named by the release.
for release in debian/netbase@6.5 debian/hostname@3.25 \
    lab/example@{made,declared,moved,private,secret,random,odd,replaced,copied,broken,gone,reviewed}; do
    name=${release%@*} version=${release#*@}
    [ "$name" = lab/example ] && name=$version || name=${name#*/}
    expect 0 evidence export "$release" --out "bundles/$name.tar" --center europe.yaml
done
first=$("$samebits" evidence list lab/example@reviewed --center europe.yaml | sed -n '1s/ .*//p')
expect 0 evidence export lab/example@reviewed --run "$first" --out bundles/not-reviewed.tar --center europe.yaml
for version in dated private; do
    expect 0 evidence export "lab/example@$version" --out "bundles/asia-$version.tar" --center asia.yaml
done
expect 0 evidence export lab/example@made --out bundles/local.tar
