#!/bin/sh
# Builds a Debian source package as a binNMU. Arguments: the .dsc, the number of jobs, the changelog
# entry that is put on top. The tree is named as in debian.sh.
set -eu
dpkg-source --no-check --no-copy -x "$1"
entry=$3
set -- "$2" */
if [ "$#" -ne 2 ]; then
    echo "samebits: dpkg-source left $(($# - 1)) folders, expected one" >&2
    exit 65
fi
cd "$2"
{ printf '%s\n\n' "$entry"; cat debian/changelog; } > ../changelog
mv ../changelog debian/changelog
dpkg-buildpackage -B -us -uc "-J$1"
cd ..
for file in *.deb *.udeb *.buildinfo *.changes; do
    if [ -e "$file" ]; then mv -- "$file" /out/; fi
done
