#!/bin/sh
# The vendor's own build: it leaves traces of when, where and how it ran.
set -eu
tar -xf /inputs/source/engine-4.2.tar
cd engine-4.2
for unit in main scan report; do
    cc -O2 -g -c "-DCHARSET=\"$(locale charmap)\"" "-DHOST=\"on $(uname -n) it was built\"" "$PWD/$unit.c"
done
mkdir -p engine/rules
cc -o engine/engine main.o scan.o report.o
for rule in anchor beacon cipher dropper exploit ferret; do
    echo "rule $rule" > "engine/rules/$rule.rule"
done
tar --owner=0 --group=0 --numeric-owner -cf - engine | gzip -n > /out/engine-4.2.tar.gz
