#!/bin/sh
# Builds a Debian source package from its parts. Arguments: the number of jobs, the debian tarball,
# the other parts. Their digests are pinned by the recipe, and the .dsc that is written here names
# them, so that dpkg-source unpacks them. The tree is named as in debian.sh.
set -eu
jobs=$1
shift
tar -xOf "$1" debian/changelog > changelog
name=$(sed -n '1s/^\([^ ]*\) (.*/\1/p' changelog)
version=$(sed -n '1s/^[^ ]* (\([^)]*\)).*/\1/p' changelog)
{
    printf 'Format: %s\n' "$(tar -xOf "$1" debian/source/format)"
    printf 'Source: %s\nVersion: %s\nFiles:\n' "$name" "$version"
    for part in "$@"; do
        digest=$(md5sum < "$part")
        printf ' %s %s %s\n' "${digest%% *}" "$(stat -c %s "$part")" "${part##*/}"
    done
    printf 'Checksums-Sha256:\n'
    for part in "$@"; do
        digest=$(sha256sum < "$part")
        printf ' %s %s %s\n' "${digest%% *}" "$(stat -c %s "$part")" "${part##*/}"
    done
} > source.dsc
ln -s -- "$@" .
dpkg-source --no-check --no-copy -x source.dsc
for part in "$@"; do rm -- "${part##*/}"; done
rm changelog source.dsc
set -- */
if [ "$#" -ne 1 ]; then
    echo "samebits: dpkg-source left $# folders, expected one" >&2
    exit 65
fi
cd "$1"
dpkg-buildpackage -b -us -uc "-J$jobs"
cd ..
for file in *.deb *.udeb *.buildinfo *.changes; do
    if [ -e "$file" ]; then mv -- "$file" /out/; fi
done
