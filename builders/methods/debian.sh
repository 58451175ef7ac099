#!/bin/sh
# Builds a Debian source package. Arguments: the .dsc, the number of cores.
# dpkg-source checks the digests that the .dsc pins, and names the tree <source>-<upstream version>,
# as Debian's own builders do.
set -eu
dpkg-source --no-check --no-copy -x "$1"
set -- "$2" */
if [ "$#" -ne 2 ]; then
    echo "samebits: dpkg-source left $(($# - 1)) folders, expected one" >&2
    exit 65
fi
cd "$2"
dpkg-buildpackage -b -us -uc "-J$1"
cd ..
for file in *.deb *.udeb *.buildinfo *.changes; do
    if [ -e "$file" ]; then mv -- "$file" /out/; fi
done
