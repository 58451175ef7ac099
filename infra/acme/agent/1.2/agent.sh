#!/bin/sh
# Acme's agent: looks at files with the newest rules.
set -eu
version=1.2
rules=${ACME_RULES:-/usr/share/acme/rules}
exec timeout 600 yara --recursive "$rules/acme.yar" "${1:?folder to look at}"
